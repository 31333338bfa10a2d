package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// directory is file.directory.
func (s *fileStates) directory(_ context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, args.Bool("follow_symlinks") && args.Bool("allow_symlink") && !args.Bool("force"))
	if err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, args.Text("mode"), args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	inTheWay := at.info != nil && !at.info.IsDir()
	aside := ""
	if inTheWay {
		if aside, err = s.aside(at, args); err != nil {
			return states.Result{}, err
		}
		if changes["removed"] = at.path; aside != "" {
			changes["backup"] = aside
			delete(changes, "removed")
		}
		at.info = nil
	}
	if at.info == nil {
		changes["directory"] = "new"
		s.plan(call, at.path)
	}
	if at.info == nil || !args.Bool("children_only") {
		own.compare(at.info, changes)
	} else {
		own = attributes{}
	}
	below, err := s.below(at, call)
	if err != nil {
		return states.Result{}, err
	}
	if len(below) > 0 && slices.Contains(args.Strings("recurse"), "silent") {
		changes["recursion"] = count(len(below), "path") + " below it"
	} else {
		for _, b := range below {
			changes[b.path] = b.changes
		}
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
		if inTheWay {
			err = clearWay(at.path, aside)
		}
		if err == nil {
			err = s.make(at.path, own, args.Bool("makedirs"))
		}
	}
	if err == nil {
		err = applyAll(slices.DeleteFunc(below, func(d descendant) bool { return within(d.path, strays) }))
	}
	if err == nil {
		err = remove(strays)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Directory %s updated", at.path)), nil
}

// aside is where what is in the way is moved; empty removes it. Without force and backupname it is an error.
func (s *fileStates) aside(at place, args Args) (string, error) {
	name := args.Text("backupname")
	switch {
	case name == "" && !args.Bool("force"):
		what := "a directory"
		if args.Has("target") {
			what = "a symbolic link"
		}
		return "", fmt.Errorf("%q is there and not %s: force: true replaces it", at.path, what)
	case name == "":
		return "", nil
	case !filepath.IsAbs(name) && filepath.Base(name) != name:
		return "", fmt.Errorf("backupname %q is neither an absolute path nor a file name", name)
	case !filepath.IsAbs(name):
		name = filepath.Join(parent(at.path), name)
	}
	to, err := s.env.locate(name, false)
	if err == nil && to.info != nil && !args.Bool("force") {
		err = fmt.Errorf("backupname: %q is there: force: true replaces it", to.path)
	}
	return to.path, err
}

// clearWay moves a path aside, or removes it.
func clearWay(path, aside string) error {
	if aside == "" {
		return os.RemoveAll(path)
	}
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	return os.Rename(path, aside)
}

func (s *fileStates) make(path string, own attributes, makedirs bool) error {
	if makedirs {
		if err := s.env.makeParents(path, own); err != nil {
			return err
		}
	}
	err := s.env.makeDirectory(path, own)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %q is not there: add makedirs: true", parent(path))
	}
	return err
}

// below lists what recurse has to change below a directory. Symbolic links are not followed.
func (s *fileStates) below(at place, call *states.Call) ([]descendant, error) {
	args := call.Args
	what := args.Strings("recurse")
	if len(what) == 0 {
		return nil, nil
	}
	for _, word := range what {
		if !slices.Contains([]string{"user", "group", "mode", "silent", "ignore_files", "ignore_dirs"}, word) {
			return nil, fmt.Errorf("recurse takes user, group, mode, silent, ignore_files and ignore_dirs, not %q", word)
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
	err = descend(at.path, func(path string, info fs.FileInfo) error {
		own := forFiles
		if info.IsDir() {
			own = forDirs
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			own.mode = nil
		}
		if depth := strings.Count(strings.TrimPrefix(path, at.path), "/"); args.Has("max_depth") && int64(depth) > args.Int("max_depth") {
			return fs.SkipDir
		}
		ignored := "ignore_files"
		if info.IsDir() {
			ignored = "ignore_dirs"
		}
		changes := map[string]any{}
		if own.compare(info, changes); len(changes) > 0 && !slices.Contains(what, ignored) {
			out = append(out, descendant{path, info, own, changes})
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
	if err := errors.Join(os.RemoveAll(at.path), s.env.unsynced.named(at.path)); err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Removed %s", at.path)), nil
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
