package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/states"
)

// TemplateVars returns the variables that every template sees: facts, grains, settings and pillar (the same), basket,
// salt, opts, id, env and saltenv, and those of extra. What they read is read when TemplateVars is called.
func TemplateVars(env *Env, extra map[string]any) map[string]any {
	settings := env.pillar()
	vars := map[string]any{
		"facts": env.facts(), "grains": env.grains(), "settings": settings, "pillar": settings,
		"id": env.PeelID, "env": "base", "saltenv": "base",
		"opts":   map[string]any{"id": env.PeelID, "test": false, "saltenv": "base"},
		"salt":   &saltTable{env: env},
		"basket": render.Func(env.basketFunc),
	}
	maps.Copy(vars, extra)
	return vars
}

// saltTable is salt in templates: salt['module.function'] calls an execution function.
type saltTable struct{ env *Env }

var _ render.Keyed = (*saltTable)(nil)

// Lookup returns the execution function of that name.
func (t *saltTable) Lookup(name string) (any, bool) {
	f, err := t.env.registry().Lookup(name)
	if err != nil {
		return nil, false
	}
	if f.ordered {
		return render.ValueFunc(func(ctx context.Context, args []any, kwargs *render.Dict) (any, error) {
			return t.callOrdered(ctx, f, args, kwargs)
		}), true
	}
	return render.Func(func(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
		return t.call(ctx, f, args, kwargs)
	}), true
}

// Keys lists the execution functions.
func (t *saltTable) Keys() []string { return t.env.registry().Names() }

func (env *Env) registry() *Registry {
	if env.functions != nil {
		return env.functions
	}
	return Builtin()
}

var basketFunction = &Function{
	Name: "basket.get", Doc: "Return what peels share: entries with peel_id, value, updated and age, in peel order.",
	Params: []Param{
		{Name: "target", Kind: states.Text, Required: true, Doc: "which peels"},
		{Name: "function", Kind: states.Text, Required: true, Doc: "the function or alias they share"},
		{Name: "live", Kind: states.Bool, Default: false, Doc: "leave out peels that are not connected"},
	},
	Run: func(ctx context.Context, env *Env, args Args) (any, error) {
		if env.Basket == nil {
			return nil, errors.New("basket: there is no bus to read it from")
		}
		entries, err := env.Basket(ctx, args.Text("target"), args.Text("function"), args.Bool("live"))
		if err != nil {
			return nil, fmt.Errorf("basket(%q, %q): %w", args.Text("target"), args.Text("function"), err)
		}
		list := make([]any, len(entries))
		for i, entry := range entries {
			list[i] = entry
		}
		return list, nil
	},
}

func (env *Env) basketFunc(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
	bound, err := basketFunction.Bind(args, kwargs)
	if err != nil {
		return nil, err
	}
	return basketFunction.Run(ctx, env, bound)
}

func registerBasket(r *Registry) {
	r.Register(basketFunction, &Function{
		Name: "mine.get", Doc: "Return what peels share, as Salt's mine does: a mapping of peel to value.",
		Params: []Param{
			{Name: "tgt", Kind: states.Text, Required: true, Doc: "which peels"},
			{Name: "fun", Kind: states.Text, Required: true, Doc: "the function or alias they share"},
			{Name: "tgt_type", Aliases: []string{"expr_form"}, Kind: states.Text, Default: "glob", Doc: "glob, compound, grain, pcre, list, ..."},
		},
		Run: func(ctx context.Context, env *Env, args Args) (any, error) {
			prefix, ok := targetPrefixes[args.Text("tgt_type")]
			if !ok {
				return nil, fmt.Errorf("mine.get: unknown tgt_type %q%s", args.Text("tgt_type"),
					config.DidYouMean(args.Text("tgt_type"), sortedKeys(targetPrefixes)))
			}
			list, err := env.basketFunc(ctx, []any{prefix + args.Text("tgt"), args.Text("fun")}, nil)
			if err != nil {
				return nil, err
			}
			out := map[string]any{}
			for _, item := range list.([]any) {
				entry := item.(map[string]any)
				if id, ok := entry["peel_id"].(string); ok {
					out[id] = entry["value"]
				}
			}
			return out, nil
		},
	})
}

// registerMatch adds match.compound and its like: whether a target means this peel.
func registerMatch(r *Registry) {
	for kind, prefix := range targetPrefixes {
		r.Register(&Function{
			Name: "match." + kind, Doc: "Return whether a target of this kind means this peel.",
			Params: []Param{{Name: "tgt", Kind: states.Text, Required: true, Doc: "the target"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if env.Match == nil {
					return nil, errors.New("targets cannot be matched here")
				}
				return env.Match(prefix + args.Text("tgt"))
			},
		})
	}
}

// targetPrefixes translates Salt's tgt_type into the target grammar.
var targetPrefixes = map[string]string{
	"glob": "", "compound": "", "pcre": "E@", "grain": "G@", "grain_pcre": "P@", "list": "L@", "pillar": "I@",
	"nodegroup": "N@", "ipcidr": "S@",
}
