package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/states"
)

// registerRead adds functions with which templates read files of the tree and the environment of commands.
func registerRead(r *Registry) {
	key := Param{Name: "key", Kind: states.Text, Required: true, Doc: "name of the variable"}
	r.Register(
		&Function{Name: "cp.get_file_str", Doc: "Return the text of a file of the tree; false where there is none.", Run: fileText,
			Params: []Param{
				{Name: "path", Kind: states.Text, Required: true, Doc: "salt:// or zy:// path in the tree"},
				{Name: "saltenv", Kind: states.Text, Doc: "environment of the tree; by default the one that is rendered"},
			}},
		&Function{Name: "environ.get", Doc: "Return a variable of the environment of commands.",
			Params: []Param{key, {Name: "default", Default: "", Doc: "what to return where it is not set"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if value, ok := env.variable(args.Text("key")); ok {
					return value, nil
				}
				return args["default"], nil
			}},
		&Function{Name: "environ.has_value", Doc: "Return whether a variable of the environment of commands is set, or has a value.",
			Params: []Param{key, {Name: "value", Kind: states.Text, Doc: "the value that it is to have"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				value, ok := env.variable(args.Text("key"))
				return ok && (!args.Has("value") || value == args.Text("value")), nil
			}},
	)
}

// variable returns a variable as commands see it: the last one of a name.
func (env *Env) variable(key string) (value string, ok bool) {
	for _, line := range env.environ() {
		if v, found := strings.CutPrefix(line, key+"="); found {
			value, ok = v, true
		}
	}
	return value, ok
}

func fileText(ctx context.Context, env *Env, args Args) (any, error) {
	source := args.Text("path")
	path := treePath(source)
	if path == source {
		return nil, fmt.Errorf("cp.get_file_str: %q is no file of the tree; give a salt:// path", source)
	}
	if env.Tree == nil {
		return nil, fmt.Errorf("cp.get_file_str: %q: there is no tree here", source)
	}
	if saltenv := args.Text("saltenv"); saltenv != "" {
		ctx = files.InEnvironment(ctx, saltenv)
	}
	data, err := env.Tree.Load(inSource(ctx, source), path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return nil, fmt.Errorf("cp.get_file_str: %q: %w", source, err)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("cp.get_file_str: %q is not text in UTF-8", source)
	}
	return string(data), nil
}
