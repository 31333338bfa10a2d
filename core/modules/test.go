package modules

import (
	"context"
	"maps"
	"time"

	"github.com/ptorbus/zester/core/states"
)

func registerTest(r *Registry) {
	constant := func(value any) func(context.Context, *Env, Args) (any, error) {
		return func(context.Context, *Env, Args) (any, error) { return value, nil }
	}
	r.Register(
		&Function{Name: "test.ping", Doc: "Return true: the peel is there.", Run: constant(true)},
		&Function{Name: "test.true", Doc: "Return true.", Run: constant(true)},
		&Function{Name: "test.false", Doc: "Return false.", Run: constant(false)},
		&Function{Name: "test.echo", Doc: "Return the text.",
			Params: []Param{{Name: "text", Required: true, Doc: "what to return"}},
			Run:    func(_ context.Context, _ *Env, args Args) (any, error) { return args["text"], nil }},
		&Function{Name: "test.sleep", Doc: "Wait that many seconds and return true.",
			Params: []Param{{Name: "length", Kind: states.Number, Required: true, Doc: "seconds"}},
			Run: func(ctx context.Context, _ *Env, args Args) (any, error) {
				select {
				case <-time.After(time.Duration(args.Number("length") * float64(time.Second))):
					return true, nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}},
		&Function{Name: "test.arg", Doc: "Return the arguments: args and kwargs.", Open: true, Rest: "args",
			Params: []Param{{Name: "args", Kind: states.List, Doc: "any arguments"}},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				kwargs := maps.Clone(map[string]any(args))
				delete(kwargs, "args")
				list := args.List("args")
				if list == nil {
					list = []any{}
				}
				return map[string]any{"args": list, "kwargs": kwargs}, nil
			}},
		&Function{Name: "test.kwarg", Doc: "Return the keyword arguments.", Open: true,
			Run: func(_ context.Context, _ *Env, args Args) (any, error) { return map[string]any(args), nil }},
		&Function{Name: "test.version", Doc: "Return Zester's version.",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) {
				if env.Version == "" {
					return env.facts()["zester_version"], nil
				}
				return env.Version, nil
			}},
	)
	r.Alias("test.outputter", "test.echo")
}
