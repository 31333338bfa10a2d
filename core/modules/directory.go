package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// directory is file.directory.
func (s *fileStates) directory(_ context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, args.Bool("follow_symlinks"))
	if err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, args.Text("mode"), args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	inTheWay := at.info != nil && !at.info.IsDir()
	if inTheWay {
		if !args.Bool("force") {
			return states.Result{}, fmt.Errorf("%q is there and not a directory: force: true replaces it", at.path)
		}
		changes["removed"] = at.path
		at.info = nil
	}
	if at.info == nil {
		changes["directory"] = "new"
	}
	own.compare(at.info, changes)
	below, err := s.below(at, call)
	if err != nil {
		return states.Result{}, err
	}
	for _, b := range below {
		changes[b.path] = b.changes
	}
	strays, err := s.strays(at, args, s.kept(call))
	if err != nil {
		return states.Result{}, err
	}
	if len(strays) > 0 {
		changes["removed"] = texts(strays)
	}
	switch {
	case len(changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("The directory %s is in the correct state", at.path)}, nil
	case call.Test:
		return call.Changed(changes, fmt.Sprintf("The directory %s is set to be changed", at.path)), nil
	case at.info != nil:
		err = own.apply(at.path, at.info)
	default:
		err = s.make(at.path, own, inTheWay, args.Bool("makedirs"))
	}
	for i := 0; i < len(below) && err == nil; i++ {
		if !within(below[i].path, strays) {
			err = below[i].own.apply(below[i].path, below[i].info)
		}
	}
	if err == nil {
		err = remove(strays)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Directory %s updated", at.path)), nil
}

func (s *fileStates) make(path string, own attributes, inTheWay, makedirs bool) error {
	if inTheWay {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if makedirs {
		if err := s.env.makeParents(path, own); err != nil {
			return err
		}
	}
	err := makeDirectory(path, own)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %q is not there: add makedirs: true", parent(path))
	}
	return err
}

// descendant is something below a directory that recurse changes.
type descendant struct {
	path    string
	info    fs.FileInfo
	own     attributes
	changes map[string]any
}

// below lists what recurse has to change below a directory. Symbolic links are not followed.
func (s *fileStates) below(at place, call *states.Call) ([]descendant, error) {
	args := call.Args
	what := args.Strings("recurse")
	if len(what) == 0 {
		return nil, nil
	}
	for _, word := range what {
		if !slices.Contains([]string{"user", "group", "mode", "silent"}, word) {
			return nil, fmt.Errorf("recurse takes user, group and mode, not %q", word)
		}
	}
	pick := func(word, value string) string {
		if slices.Contains(what, word) {
			return value
		}
		return ""
	}
	userName, groupName := pick("user", args.Text("user")), pick("group", args.Text("group"))
	forDirs, err := s.owners.want(call.Test, pick("mode", args.Text("mode")), userName, groupName)
	if err != nil {
		return nil, err
	}
	forFiles, err := s.owners.want(call.Test, pick("mode", args.Text("file_mode")), userName, groupName)
	if err != nil || at.info == nil {
		return nil, err
	}
	var out []descendant
	err = filepath.WalkDir(at.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == at.path {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		own := forFiles
		if d.IsDir() {
			own = forDirs
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			own.mode = nil
		}
		changes := map[string]any{}
		if own.compare(info, changes); len(changes) > 0 {
			out = append(out, descendant{path, info, own, changes})
		}
		depth := strings.Count(strings.TrimPrefix(path, at.path), "/")
		if d.IsDir() && args.Has("max_depth") && int64(depth) >= args.Int("max_depth") {
			return fs.SkipDir
		}
		return nil
	})
	return out, err
}

// absent is file.absent.
func (s *fileStates) absent(_ context.Context, call *states.Call) (states.Result, error) {
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	if at.path == "/" {
		return states.Result{}, errors.New(`"/" cannot be made absent`)
	}
	if at.info == nil {
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s is not present", at.path)}, nil
	}
	changes := map[string]any{"removed": at.path}
	if call.Test {
		return call.Changed(changes, fmt.Sprintf("%s is set for removal", at.path)), nil
	}
	if err := os.RemoveAll(at.path); err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Removed %s", at.path)), nil
}

// symlink is file.symlink.
func (s *fileStates) symlink(_ context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, "", args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	target, changes, was := args.Text("target"), map[string]any{}, ""
	isLink := at.info != nil && at.info.Mode()&fs.ModeSymlink != 0
	if isLink {
		if was, err = os.Readlink(at.path); err != nil {
			return states.Result{}, err
		}
	}
	switch {
	case at.info == nil:
		changes["new"] = at.path
	case !isLink && !args.Bool("force"):
		return states.Result{}, fmt.Errorf("%q is there and not a symbolic link: force: true replaces it", at.path)
	case was != target:
		changes["target"] = map[string]any{"old": was, "new": target}
	}
	replace := len(changes) > 0
	if isLink || at.info == nil {
		own.compare(at.info, changes)
	}
	switch {
	case len(changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("Symlink %s is present and points to %s", at.path, target)}, nil
	case call.Test:
		return call.Changed(changes, fmt.Sprintf("Symlink %s to %s is set for creation", at.path, target)), nil
	case replace:
		err = s.link(call, at, target, isLink, own)
	default:
		err = own.apply(at.path, at.info)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Created new symlink %s -> %s", at.path, target)), nil
}

// link makes the link beside its place and renames it there.
func (s *fileStates) link(call *states.Call, at place, target string, isLink bool, own attributes) error {
	if call.Args.Bool("makedirs") {
		if err := s.makeAbove(at.path, call.Args); err != nil {
			return err
		}
	}
	if at.info != nil && !isLink {
		if err := os.RemoveAll(at.path); err != nil {
			return err
		}
	}
	temp := filepath.Join(parent(at.path), fmt.Sprintf(".zester-link-%x", rand.Uint64()))
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	info, err := os.Lstat(temp)
	if err == nil {
		err = own.apply(temp, info)
	}
	if err == nil {
		err = os.Rename(temp, at.path)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	return err
}

func (s *fileStates) exists(_ context.Context, call *states.Call) (states.Result, error) {
	at, err := s.env.locate(call.Name, true)
	if err != nil {
		return states.Result{}, err
	}
	if at.info == nil {
		return states.Result{}, fmt.Errorf("path %s does not exist", at.path)
	}
	return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("Path %s exists", at.path)}, nil
}

func (s *fileStates) missing(_ context.Context, call *states.Call) (states.Result, error) {
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	if at.info != nil {
		return states.Result{}, fmt.Errorf("path %s exists", at.path)
	}
	return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("Path %s is missing", at.path)}, nil
}
