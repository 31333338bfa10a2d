package modules

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/states"
)

func registerSys(r *Registry) {
	pattern := []Param{{Name: "pattern", Kind: states.Text, Doc: "a module, a function or a glob; all by default"}}
	name := []Param{{Name: "name", Kind: states.Text, Required: true, Doc: "module.function"}}
	list := func(names func(*Env) []string) func(context.Context, *Env, Args) (any, error) {
		return func(_ context.Context, env *Env, args Args) (any, error) {
			out := []any{}
			for _, name := range names(env) {
				if selected(args.Text("pattern"), name) {
					out = append(out, name)
				}
			}
			return out, nil
		}
	}
	executions := func(env *Env) []string { return env.registry().Names() }
	stateNames := func(env *Env) []string { return States(env).Names() }
	r.Register(
		&Function{Name: "sys.list_functions", Doc: "Return the names of the execution functions.", Params: pattern, Run: list(executions)},
		&Function{Name: "sys.list_modules", Doc: "Return the names of the execution modules.", Params: pattern, Run: list(modulesOf(executions))},
		&Function{Name: "sys.list_state_functions", Doc: "Return the names of the state functions.", Params: pattern, Run: list(stateNames)},
		&Function{Name: "sys.list_state_modules", Doc: "Return the names of the state modules.", Params: pattern, Run: list(modulesOf(stateNames))},
		&Function{Name: "sys.doc", Doc: "Return what execution functions do, and their arguments.", Params: pattern, Run: sysDoc},
		&Function{Name: "sys.state_doc", Doc: "Return what state functions do, and their arguments.", Params: pattern, Run: sysStateDoc},
		&Function{Name: "sys.argspec", Doc: "Return the arguments of an execution function.", Params: name,
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				f, err := env.registry().Lookup(args.Text("name"))
				if err != nil {
					return nil, err
				}
				return map[string]any{f.Name: argspec(f.Params)}, nil
			}},
		&Function{Name: "sys.state_argspec", Doc: "Return the arguments of a state function.", Params: name,
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				f, err := States(env).Lookup(args.Text("name"))
				if err != nil {
					return nil, err
				}
				return map[string]any{f.Name: argspec(f.Params)}, nil
			}},
	)
}

// selected reports whether a name is what a pattern asks for: everything, a module, a function, a glob.
func selected(pattern, name string) bool {
	if pattern == "" || pattern == name || strings.HasPrefix(name, pattern+".") {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func modulesOf(names func(*Env) []string) func(*Env) []string {
	return func(env *Env) []string {
		found := map[string]bool{}
		for _, name := range names(env) {
			module, _, _ := strings.Cut(name, ".")
			found[module] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
}

func sysDoc(_ context.Context, env *Env, args Args) (any, error) {
	out := map[string]any{}
	for _, name := range env.registry().Names() {
		if !selected(args.Text("pattern"), name) {
			continue
		}
		if f, err := env.registry().Lookup(name); err == nil {
			out[name] = docText(f.Doc, f.Params)
		}
	}
	return documented(out, args.Text("pattern"), env.registry().Names())
}

func sysStateDoc(_ context.Context, env *Env, args Args) (any, error) {
	out := map[string]any{}
	registry := States(env)
	for _, name := range registry.Names() {
		if !selected(args.Text("pattern"), name) {
			continue
		}
		if f, err := registry.Lookup(name); err == nil {
			out[name] = docText(f.Doc, f.Params)
		}
	}
	return documented(out, args.Text("pattern"), registry.Names())
}

func documented(out map[string]any, pattern string, known []string) (any, error) {
	if len(out) == 0 {
		return nil, fmt.Errorf("no function matches %q%s", pattern, config.DidYouMean(pattern, known))
	}
	return out, nil
}

func docText(doc string, params []Param) string {
	var b strings.Builder
	b.WriteString(doc)
	for _, p := range params {
		fmt.Fprintf(&b, "\n  %s: %s", strings.Join(append([]string{p.Name}, p.Aliases...), ", "), p.Doc)
		if p.Kind != states.Any {
			fmt.Fprintf(&b, " (%s)", p.Kind)
		}
		if p.Required {
			b.WriteString(", required")
		}
	}
	return b.String()
}

func argspec(params []Param) []any {
	out := make([]any, len(params))
	for i, p := range params {
		aliases := make([]any, len(p.Aliases))
		for j, alias := range p.Aliases {
			aliases[j] = alias
		}
		out[i] = map[string]any{
			"name": p.Name, "aliases": aliases, "kind": p.Kind.String(), "required": p.Required, "default": p.Default, "doc": p.Doc,
		}
	}
	return out
}
