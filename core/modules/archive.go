package modules

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/states"
)

// archiveStates are the archive.* state functions.
func archiveStates(env *Env) []*states.Function {
	s := &fileStates{env: env}
	return []*states.Function{{Name: "archive.extracted", Doc: "Make a directory hold what an archive holds.", Apply: s.bind((*fileStates).extracted), Params: []Param{
		pathParam,
		{Name: "source", Kind: states.List, Required: true, Doc: "salt:// or zy:// path in the tree, URL or absolute path of the archive"},
		{Name: "source_hash", Kind: states.Text, Doc: "hash that the archive must have, or where a list of hashes is"},
		{Name: "source_hash_name", Kind: states.Text, Doc: "name of the archive in a source_hash that is a list of hashes"},
		{Name: "source_hash_update", Kind: states.Bool, Doc: "extract again when source_hash is another than last time"},
		{Name: "skip_verify", Kind: states.Bool, Doc: "take an archive from a URL without source_hash"},
		{Name: "verify_ssl", Kind: states.Bool, Default: true, Doc: "false takes it from a server whose certificate is not known"},
		{Name: "archive_format", Kind: states.Text, Doc: "tar or zip; by the name of the source by default"},
		{Name: "options", Kind: states.Text, Doc: "options of tar, such as --strip-components=1"},
		{Name: "tar_options", Kind: states.Text, Doc: "older name of options"},
		{Name: "list_options", Kind: states.Text, Doc: "accepted; tar finds out how an archive is compressed"},
		{Name: "trim_output", Doc: "accepted; what is extracted is counted"},
		userParam, groupParam,
		{Name: "if_missing", Kind: states.Text, Doc: "do nothing if something is at this path"},
		{Name: "enforce_toplevel", Kind: states.Bool, Default: true, Doc: "refuse an archive that has more than one file or directory at its top"},
		{Name: "enforce_ownership_on", Kind: states.Text, Doc: "path to set the owner of, in place of all that is extracted"},
		{Name: "overwrite", Kind: states.Bool, Doc: "extract again what is there"},
		{Name: "clean", Kind: states.Bool, Doc: "remove the directory first"},
		{Name: "force", Kind: states.Bool, Doc: "replace what is in the way and of another kind"},
		{Name: "keep_source", Kind: states.Bool, Doc: "accepted; archives are not kept"},
		{Name: "use_cmd_unzip", Kind: states.Bool, Doc: "accepted; no program is needed for zip"},
		{Name: "extract_perms", Kind: states.Bool, Default: true, Doc: "keep the modes that a zip archive has"},
	}}}
}

// archived is an archive at a path of the host.
type archived struct {
	path, format string
	options      []string
	names        []string // what it holds, directories with a slash at the end, as they come to lie below the directory
}

// extracted is archive.extracted.
func (s *fileStates) extracted(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(strings.TrimRight(call.Name, "/"), true)
	if err != nil {
		return states.Result{}, err
	}
	if at.info != nil && !at.info.IsDir() {
		return states.Result{}, fmt.Errorf("%q is there and not a directory", at.path)
	}
	if marker := args.Text("if_missing"); marker != "" {
		if _, err := os.Lstat(marker); err == nil {
			return settled("%s is there, so nothing is extracted", marker)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return states.Result{}, err
		}
	}
	own, err := s.owners.want(call.Test, "", args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	hash := args.Text("source_hash")
	stamp, known, err := s.archiveStamp(at.path)
	if err != nil {
		return states.Result{}, err
	}
	if args.Bool("source_hash_update") && hash != "" && known == hash && at.info != nil {
		return settled("The archive is the one that was extracted to %s", at.path)
	}
	if only := args.Text("enforce_ownership_on"); only != "" && !within(filepath.Clean(only), []string{at.path}) {
		return states.Result{}, fmt.Errorf("enforce_ownership_on %q is not below %q", only, at.path)
	}
	a, clean, err := s.openArchive(ctx, args)
	if err != nil {
		return states.Result{}, err
	}
	defer clean()
	if tops := a.tops(); args.Bool("enforce_toplevel") && len(tops) > 1 && !slices.ContainsFunc(a.options, func(o string) bool { return strings.HasPrefix(o, "--strip") }) {
		return states.Result{}, fmt.Errorf("the archive has %d files or directories at its top: enforce_toplevel: false extracts it all the same", len(tops))
	}
	missing, blocked, err := a.missing(at.path)
	if err != nil {
		return states.Result{}, err
	}
	if len(blocked) > 0 && !args.Bool("force") {
		return states.Result{}, fmt.Errorf("%q is there and of another kind than in the archive: force: true replaces it", blocked[0])
	}
	again := args.Bool("overwrite") || args.Bool("source_hash_update") && hash != "" && stamp != "" && known != hash || args.Bool("clean") && len(missing) > 0
	changes := map[string]any{}
	if len(missing) > 0 || again {
		changes["extracted_files"] = int64(len(a.names))
		if !again {
			changes["missing"] = texts(missing[:min(len(missing), 20)])
		}
	}
	wrong, err := a.wrongOwners(at, own, args.Text("enforce_ownership_on"))
	if err != nil {
		return states.Result{}, err
	}
	if len(wrong) > 0 && len(changes) == 0 {
		var paths []any
		for _, f := range wrong[:min(len(wrong), 20)] {
			paths = append(paths, f.path)
		}
		changes["ownership"] = paths
	}
	return settle(call, changes, "Directory "+at.path, func() error {
		if changes["extracted_files"] != nil {
			if err := a.unpack(ctx, s.env, at.path, blocked, args); err != nil {
				return err
			}
		}
		err := errors.Join(a.chown(at, own, args.Text("enforce_ownership_on")), s.env.unsynced.below(at.path))
		if err != nil || stamp == "" || hash == "" {
			return err
		}
		// The stamp says that all of it is there, so that must be on the disk first.
		if err := s.env.unsynced.settle(); err != nil {
			return err
		}
		if err := os.MkdirAll(parent(stamp), 0o700); err != nil {
			return err
		}
		return config.WriteFile(stamp, []byte(hash), 0o600)
	})
}

// archiveStamp is where the hash of what was extracted last is kept, and the hash; empty without a state directory.
func (s *fileStates) archiveStamp(dir string) (path, hash string, err error) {
	if s.env.StateDir == "" {
		return "", "", nil
	}
	path = filepath.Join(s.env.StateDir, "archives", fmt.Sprintf("%x", sha256.Sum256([]byte(dir))))
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, "", nil
	}
	return path, string(data), err
}

// openArchive brings the archive to the host and lists it.
func (s *fileStates) openArchive(ctx context.Context, args Args) (*archived, func(), error) {
	sources := args.Strings("source")
	a := &archived{format: strings.ToLower(args.Text("archive_format"))}
	for _, source := range sources {
		file, clean, err := s.localCopy(ctx, source, "*"+archiveEnding(source), args)
		if errors.Is(err, fs.ErrNotExist) && len(sources) > 1 {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if a.path = file; a.format == "" {
			if a.format = "tar"; strings.HasSuffix(strings.ToLower(treePath(source)), ".zip") {
				a.format = "zip"
			}
		}
		if a.options, err = splitWords(args.Text("options") + " " + args.Text("tar_options")); err == nil {
			err = a.list(ctx, s.env)
		}
		if err != nil {
			clean()
			return nil, nil, err
		}
		return a, clean, nil
	}
	return nil, nil, fmt.Errorf("none of the sources is there: %s", public(strings.Join(sources, ", ")))
}

// archiveEnding is the end of a name that says how an archive is compressed.
func archiveEnding(source string) string {
	name := path.Base(source)
	if i := strings.Index(name, "."); i >= 0 && !strings.ContainsAny(name[i:], "*?&/") {
		return name[i:]
	}
	return ""
}

// list reads the names, and refuses those that would not lie below the directory.
func (a *archived) list(ctx context.Context, env *Env) error {
	switch a.format {
	case "tar":
		text, err := env.must(ctx, "tar", "--list", "--quoting-style=literal", "--file", a.path)
		if err != nil {
			return err
		}
		strip := 0
		for _, option := range a.options {
			for _, name := range []string{"--strip-components=", "--strip="} {
				if number, ok := strings.CutPrefix(option, name); ok {
					if _, err := fmt.Sscan(number, &strip); err != nil {
						return fmt.Errorf("options: %q is not a number", number)
					}
				}
			}
		}
		for line := range strings.Lines(text) {
			a.add(stripped(strings.TrimRight(line, "\n"), strip))
		}
	case "zip":
		reader, err := zip.OpenReader(a.path)
		if err != nil {
			return err
		}
		defer reader.Close()
		for _, file := range reader.File {
			a.add(file.Name)
		}
	default:
		return fmt.Errorf("archive_format %q is not tar or zip", a.format)
	}
	for _, name := range a.names {
		if !filepath.IsLocal(strings.TrimSuffix(name, "/")) {
			return fmt.Errorf("the archive has %q, which is not below the directory", name)
		}
	}
	return nil
}

func (a *archived) add(name string) {
	if name = strings.TrimPrefix(name, "./"); name != "" && name != "." {
		a.names = append(a.names, name)
	}
}

func stripped(name string, n int) string {
	name = strings.TrimPrefix(name, "./")
	for range n {
		_, name, _ = strings.Cut(name, "/")
	}
	return name
}

// tops are the names at the top of the archive.
func (a *archived) tops() []string {
	var out []string
	for _, name := range a.names {
		if top, _, _ := strings.Cut(name, "/"); !slices.Contains(out, top) {
			out = append(out, top)
		}
	}
	return out
}

func (a *archived) roots(dir string) []string {
	tops := a.tops()
	for i := range tops {
		tops[i] = filepath.Join(dir, tops[i])
	}
	return tops
}

// missing are the names that are not there, and the paths that are in the way of others.
func (a *archived) missing(dir string) (missing, blocked []string, err error) {
	for _, name := range a.names {
		at := filepath.Join(dir, name)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			missing = append(missing, name)
		case err != nil:
			return nil, nil, err
		case strings.HasSuffix(name, "/") != info.IsDir() && info.Mode()&fs.ModeSymlink == 0:
			missing = append(missing, name)
			blocked = append(blocked, at)
		}
	}
	return missing, blocked, nil
}

// wrongOwners is what of the archive belongs to someone else.
func (a *archived) wrongOwners(at place, own attributes, only string) ([]descendant, error) {
	if own.uid == nil && own.gid == nil {
		return nil, nil
	}
	names := a.tops()
	if only != "" {
		rest, err := filepath.Rel(at.path, only)
		if err != nil {
			return nil, err
		}
		names = []string{rest}
	}
	root, err := os.OpenRoot(at.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var wrong []descendant
	for _, name := range names {
		err := descendTo(root, at.path, name, func(path string, info fs.FileInfo) error {
			changes := map[string]any{}
			if own.compare(info, changes); len(changes) > 0 {
				wrong = append(wrong, descendant{path, info, own, changes})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}

// chown gives what belongs to someone else to its owner.
func (a *archived) chown(at place, own attributes, only string) error {
	wrong, err := a.wrongOwners(at, own, only)
	if err != nil {
		return err
	}
	return applyAll(wrong)
}

// unpack extracts the archive once what is in the way is gone.
func (a *archived) unpack(ctx context.Context, env *Env, dir string, blocked []string, args Args) error {
	if args.Bool("clean") {
		blocked = append(a.roots(dir), blocked...)
	}
	if err := remove(blocked); err != nil {
		return err
	}
	if err := env.makeParents(filepath.Join(dir, "x"), attributes{}); err != nil {
		return err
	}
	return a.extract(ctx, env, dir, args)
}

func (a *archived) extract(ctx context.Context, env *Env, dir string, args Args) error {
	if a.format == "zip" {
		return a.unzip(dir, args.Bool("extract_perms"))
	}
	words := append([]string{"tar", "--extract", "--file", a.path, "--directory", dir}, a.options...)
	_, err := env.must(ctx, words...)
	return err
}
