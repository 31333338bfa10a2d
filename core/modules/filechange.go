package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// registerFileChanges adds the file functions that change something: what they write is written as states write it.
func registerFileChanges(r *Registry) {
	add := func(name, doc string, run func(ctx context.Context, s *fileStates, at place, args Args) (any, error), params ...Param) {
		rest := ""
		if len(params) > 0 && params[0].Name == "args" {
			rest = "args"
		}
		r.Register(&Function{Name: "file." + name, Doc: doc, Params: append([]Param{fileArg}, params...), Rest: rest, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				at, err := env.locate(args.Text("path"), name != "remove" && name != "symlink" && name != "rename" && name != "lchown")
				if err != nil {
					return nil, err
				}
				return run(ctx, &fileStates{env: env}, at, args)
			}})
	}
	lines := Param{Name: "args", Aliases: []string{"text"}, Kind: states.List, Doc: "lines"}
	write := func(edit func(before, lines string) string) func(context.Context, *fileStates, place, Args) (any, error) {
		return func(_ context.Context, s *fileStates, at place, args Args) (any, error) {
			before := ""
			if at.info != nil {
				data, err := os.ReadFile(at.path)
				if err != nil {
					return nil, err
				}
				before = string(data)
			}
			var text strings.Builder
			for _, line := range args.Strings("args") {
				text.WriteString(strings.TrimSuffix(line, "\n") + "\n")
			}
			if err := s.rewrite(at, before, edit(before, text.String()), attributes{}, Args{}); err != nil {
				return nil, err
			}
			return fmt.Sprintf("Wrote %s to %q", count(len(args.Strings("args")), "line"), at.path), nil
		}
	}
	add("append", "Append lines to a file.", write(appended), lines)
	add("prepend", "Put lines at the beginning of a file.", write(func(before, lines string) string { return lines + before }), lines)
	add("write", "Make lines the whole of a file.", write(func(_, lines string) string { return lines }), lines)
	add("touch", "Make a file be there and set its times to now.", func(ctx context.Context, s *fileStates, at place, args Args) (any, error) {
		_, err := s.touch(ctx, &states.Call{Name: at.path, Args: args})
		return err == nil, err
	}, Param{Name: "atime", Doc: "time of the last access"}, Param{Name: "mtime", Doc: "time of the last change"})
	add("remove", "Remove a file, a link or a directory with all that is in it.", func(_ context.Context, _ *fileStates, at place, _ Args) (any, error) {
		if at.path == "/" {
			return nil, errors.New(`"/" cannot be removed`)
		}
		if at.info == nil {
			return false, nil
		}
		return true, os.RemoveAll(at.path)
	}, Param{Name: "force", Kind: states.Bool, Doc: "accepted"})
	owner := []Param{{Name: "user", Kind: states.Text, Doc: "owner"}, {Name: "group", Kind: states.Text, Doc: "group"}, {Name: "mode", Kind: states.Text, Doc: "octal mode"}}
	dress := func(_ context.Context, s *fileStates, at place, args Args) (any, error) {
		if at.info == nil {
			return nil, fmt.Errorf("%q: %w", at.path, fs.ErrNotExist)
		}
		own, err := s.owners.want(false, args.Text("mode"), args.Text("user"), args.Text("group"))
		if err != nil {
			return nil, err
		}
		return true, own.apply(at.path, at.info)
	}
	add("chown", "Set owner and group of a path.", dress, owner[:2]...)
	add("lchown", "Set owner and group of a link itself.", dress, owner[:2]...)
	add("chgrp", "Set the group of a path.", dress, owner[1])
	add("set_mode", "Set the mode of a path.", dress, owner[2])
	add("mkdir", "Make a directory, with those above it.", func(_ context.Context, s *fileStates, at place, args Args) (any, error) {
		if at.info != nil {
			return at.info.IsDir(), nil
		}
		own, err := s.owners.want(false, args.Text("mode"), args.Text("user"), args.Text("group"))
		if err == nil {
			err = s.make(at.path, own, true)
		}
		return err == nil, err
	}, owner...)
	add("makedirs", "Make the directories above a path.", func(_ context.Context, s *fileStates, at place, args Args) (any, error) {
		own, err := s.owners.want(false, args.Text("mode"), args.Text("user"), args.Text("group"))
		if err == nil {
			err = s.env.makeParents(at.path+"x", own)
		}
		return err == nil, err
	}, owner...)
	r.Register(&Function{Name: "file.symlink", Doc: "Make a symbolic link.", Mutates: true,
		Params: []Param{{Name: "src", Kind: states.Text, Required: true, Doc: "where it points"}, fileArg, {Name: "force", Kind: states.Bool, Doc: "replace what is there"}},
		Run: func(ctx context.Context, env *Env, args Args) (any, error) {
			return applyAs(ctx, env, "file.symlink", args.Text("path"), Args{"target": args["src"], "force": args["force"]})
		}})
	for _, name := range []string{"copy", "rename"} {
		r.Register(&Function{Name: "file." + name, Doc: "Do what the state file." + name + " does: from src to dst, which is overwritten.", Mutates: true,
			Params: []Param{
				{Name: "src", Kind: states.Text, Required: true, Doc: "the path that is there"},
				{Name: "dst", Kind: states.Text, Required: true, Doc: "the new path"}},
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				_, err := applyAs(ctx, env, "file."+name, args.Text("dst"), Args{"source": args["src"], "force": true})
				return err == nil, err
			}})
	}
	for name, params := range map[string][]Param{
		"replace": {
			{Name: "pattern", Kind: states.Text, Required: true, Doc: "regular expression, as Python writes them"},
			{Name: "repl", Kind: states.Text, Required: true, Doc: "the replacement"}},
		"blockreplace": nil, "line": nil,
		"comment":  {{Name: "regex", Kind: states.Text, Required: true, Doc: "regular expression"}},
		"keyvalue": nil,
	} {
		r.Register(&Function{Name: "file." + name, Doc: "Do what the state file." + name + " does, and return what has changed.", Mutates: true, Open: true,
			Params: append([]Param{fileArg}, params...),
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				given := Args{}
				for key, value := range args {
					if key != "path" {
						given[key] = value
					}
				}
				return applyAs(ctx, env, "file."+name, args.Text("path"), given)
			}})
	}
}
