package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/states"
)

// recursion is one application of file.recurse: the changes and faults of the states it consists of.
type recursion struct {
	*fileStates
	call    *states.Call
	changes map[string]any
	faults  []string
}

// recurse is file.recurse: file.directory for the directories and file.managed for the files of a directory of the tree.
func (s *fileStates) recurse(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, true)
	if err != nil {
		return states.Result{}, err
	}
	if at.info != nil && !at.info.IsDir() {
		return states.Result{}, fmt.Errorf("%q is there and not a directory", at.path)
	}
	ctx, source, infos, err := s.sourceDir(ctx, args.Strings("source"))
	if err != nil {
		return states.Result{}, err
	}
	if infos, err = pick(infos, source, args); err != nil {
		return states.Result{}, err
	}
	r := &recursion{s, call, map[string]any{}, nil}
	keep := r.directories(ctx, at.path, source, infos)
	for _, info := range infos {
		name := path.Join(at.path, strings.TrimPrefix(info.Path, source+"/"))
		keep[name] = false
		r.file(ctx, name, info)
	}
	strays, err := s.strays(at, args, keep)
	if err == nil && len(strays) > 0 {
		r.changes["removed"] = texts(strays)
		if !call.Test {
			err = remove(strays)
		}
	}
	if err != nil {
		r.faults = append(r.faults, err.Error())
	}
	res, err := r.result(at)
	if args.Bool("include_empty") {
		res.Warnings = append(res.Warnings, "include_empty: a tree holds files, and no directory without one: make that with file.directory")
	}
	return res, err
}

func (r *recursion) result(at place) (states.Result, error) {
	switch {
	case len(r.faults) > 0:
		return states.Result{Changes: r.changes}, errors.New(strings.Join(r.faults, "\n"))
	case len(r.changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("The directory %s is in the correct state", at.path)}, nil
	case r.call.Test:
		return r.call.Changed(r.changes, fmt.Sprintf("The directory %s is set to be changed", at.path)), nil
	}
	return r.call.Changed(r.changes, fmt.Sprintf("Directory %s updated", at.path)), nil
}

// sourceDir lists the files of the first directory that is in the tree. The context returned is for reading them.
func (s *fileStates) sourceDir(ctx context.Context, sources []string) (context.Context, string, []files.Info, error) {
	tree, ok := s.env.Tree.(interface {
		List(ctx context.Context, dir string) ([]files.Info, error)
	})
	if !ok {
		return ctx, "", nil, errors.New("there is no states tree that can be listed")
	}
	for _, source := range sources {
		dir := strings.TrimSuffix(treePath(source), "/")
		if dir == strings.TrimSuffix(source, "/") {
			return ctx, "", nil, fmt.Errorf("source %q is not in the tree: write salt:// or zy:// and a directory", source)
		}
		from := inSource(ctx, source)
		infos, err := tree.List(from, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ctx, "", nil, fmt.Errorf("source %q: %w", source, err)
		}
		return from, dir, infos, nil
	}
	return ctx, "", nil, fmt.Errorf("none of the sources is there: %s", strings.Join(sources, ", "))
}

// pick keeps the files that include_pat means and exclude_pat does not.
func pick(infos []files.Info, source string, args Args) ([]files.Info, error) {
	include, err := newPatterns(args.Strings("include_pat"))
	if err != nil {
		return nil, err
	}
	exclude, err := newPatterns(args.Strings("exclude_pat"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(infos, func(i files.Info) bool {
		name := strings.TrimPrefix(i.Path, source+"/")
		if args.Has("maxdepth") && int64(strings.Count(name, "/")) > args.Int("maxdepth") {
			return true
		}
		return include != nil && !include.match(name) || exclude.match(name)
	}), nil
}

// directories makes the directory and those below it that hold a file, and returns them.
func (r *recursion) directories(ctx context.Context, at, source string, infos []files.Info) map[string]bool {
	made := map[string]bool{at: false}
	order := []string{at}
	for _, info := range infos {
		var above []string
		for dir := path.Dir(info.Path); dir != source && dir != "."; dir = path.Dir(dir) {
			name := path.Join(at, strings.TrimPrefix(dir, source+"/"))
			if _, known := made[name]; known {
				break
			}
			made[name] = false
			above = append(above, name)
		}
		slices.Reverse(above)
		order = append(order, above...)
	}
	for _, dir := range order {
		r.part(ctx, dir, (*fileStates).directory, Args{
			"mode": r.call.Args["dir_mode"], "user": r.call.Args["user"], "group": r.call.Args["group"],
			"makedirs": true, "follow_symlinks": true, "allow_symlink": true,
		})
	}
	return made
}

func (r *recursion) file(ctx context.Context, name string, info files.Info) {
	mode := r.call.Args["file_mode"]
	if mode == "keep" {
		if mode = "0644"; info.Exec {
			mode = "0755"
		}
	}
	args := Args{
		"source": []any{"salt://" + info.Path}, "mode": mode, "makedirs": true, "create": true, "follow_symlinks": true, "allow_empty": true,
	}
	for _, key := range []string{"user", "group", "dir_mode", "template", "context", "defaults", "replace", "backup", "show_changes"} {
		args[key] = r.call.Args[key]
	}
	r.part(ctx, name, (*fileStates).managed, args)
}

// part applies one of the states that file.recurse consists of.
func (r *recursion) part(ctx context.Context, name string, apply func(*fileStates, context.Context, *states.Call) (states.Result, error), args Args) {
	call := *r.call
	call.Name, call.Args = name, args
	res, err := apply(r.fileStates, ctx, &call)
	if len(res.Changes) > 0 {
		r.changes[name] = res.Changes
	}
	if err != nil {
		r.faults = append(r.faults, fmt.Sprintf("%s: %v", name, err))
	}
}
