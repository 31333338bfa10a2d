package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// TemplateVars returns the variables that every template sees: facts, grains, settings and pillar (the same), basket,
// salt, opts, id, env and saltenv, and those of extra. What they read is read when TemplateVars is called.
func TemplateVars(env *Env, extra map[string]any) map[string]any {
	pillar, saltenv := env.pillar(), cmp.Or(env.Saltenv, files.Base)
	vars := map[string]any{
		"facts": env.facts(), "grains": env.grains(), "settings": pillar, "pillar": pillar,
		"id": env.PeelID, "env": saltenv, "saltenv": saltenv,
		"opts":   map[string]any{"id": env.PeelID, "test": false, "saltenv": saltenv},
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
		Name: "mine.get", Run: mineGet,
		Doc: "Return what peels share, as Salt's mine does: a mapping of peel to value, of several functions one of function to that.",
		Params: []Param{
			{Name: "tgt", Kind: states.Text, Required: true, Doc: "which peels"},
			{Name: "fun", Required: true, Doc: "the function or alias they share, or several: a list, or with commas"},
			{Name: "tgt_type", Aliases: []string{"expr_form"}, Kind: states.Text, Default: "glob", Doc: "glob, compound, grain, pcre, list, ..."},
			{Name: "exclude_minion", Kind: states.Bool, Default: false, Doc: "leave out this peel"},
		},
	})
}

func mineGet(ctx context.Context, env *Env, args Args) (any, error) {
	prefix, err := targetPrefix("mine.get", args.Text("tgt_type"))
	if err != nil {
		return nil, err
	}
	functions, several := args["fun"].([]any)
	if text, ok := args["fun"].(string); ok {
		for function := range strings.SplitSeq(text, ",") {
			functions = append(functions, strings.TrimSpace(function))
		}
		several = len(functions) > 1
	}
	all := map[string]any{}
	for _, function := range functions {
		name, ok := function.(string)
		if !ok {
			return nil, fmt.Errorf("mine.get: fun takes names of functions, not %v", function)
		}
		list, err := env.basketFunc(ctx, []any{prefix + args.Text("tgt"), name}, nil)
		if err != nil {
			return nil, err
		}
		of := map[string]any{}
		for _, item := range list.([]any) {
			entry := item.(map[string]any)
			if id, ok := entry["peel_id"].(string); ok && !(args.Bool("exclude_minion") && id == env.PeelID) {
				of[id] = entry["value"]
			}
		}
		if !several {
			return of, nil
		}
		if len(of) > 0 {
			all[name] = of
		}
	}
	if len(functions) == 0 {
		return nil, fmt.Errorf("mine.get: fun takes the name of a function, or a list of them, not %v", args["fun"])
	}
	return all, nil
}

func targetPrefix(function, kind string) (string, error) {
	prefix, ok := targetPrefixes[kind]
	if !ok {
		return "", fmt.Errorf("%s: unknown tgt_type %q%s", function, kind, config.DidYouMean(kind, sortedKeys(targetPrefixes)))
	}
	return prefix, nil
}

var matchParams = []Param{
	{Name: "minion_id", Kind: states.Text, Doc: "this peel's id: targets are matched against no other"},
	{Name: "delimiter", Kind: states.Text, Default: ":", Doc: "what separates nested names, always a colon"},
}

// matches reports whether a target means this peel.
func (env *Env) matches(function, target string, args Args) (bool, error) {
	if env.Match == nil {
		return false, errors.New("targets cannot be matched here")
	}
	if id := args.Text("minion_id"); id != "" && id != env.PeelID {
		return false, fmt.Errorf("%s: minion_id %q: only this peel, %q, can be matched; leave it out", function, id, env.PeelID)
	}
	if d := args.Text("delimiter"); d != "" && d != ":" {
		return false, fmt.Errorf("%s: delimiter %q: nested names of targets are separated by colons", function, d)
	}
	return env.Match(target)
}

// registerMatch adds match.compound and its like: whether a target means this peel.
func registerMatch(r *Registry) {
	for kind, prefix := range targetPrefixes {
		r.Register(&Function{
			Name: "match." + kind, Doc: "Return whether a target of this kind means this peel.",
			Params: append([]Param{{Name: "tgt", Kind: states.Text, Required: true, Doc: "the target"}}, matchOptions(kind)...),
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				return env.matches("match."+kind, prefix+args.Text("tgt"), args)
			},
		})
	}
	r.Register(&Function{
		Name: "match.filter_by", Doc: "Return the first entry of a mapping of targets that means this peel.", Run: matchFilter, ordered: true,
		Params: []Param{
			{Name: "lookup", Required: true, Ordered: true, Doc: "mapping of targets to values"},
			{Name: "tgt_type", Kind: states.Text, Default: "compound", Doc: "glob, compound, grain, pcre, list, ..."},
			matchParams[0],
			{Name: "merge", Ordered: true, Doc: "mapping to merge over the found one"},
			{Name: "merge_lists", Kind: states.Bool, Default: false, Doc: "append what a list does not have instead of replacing it"},
			{Name: "default", Kind: states.Text, Default: "default", Doc: "the entry to use where none fits"},
		},
	})
}

func matchOptions(kind string) []Param {
	switch kind {
	case "glob", "compound", "list", "pcre":
		return matchParams[:1]
	case "grain", "grain_pcre", "pillar", "pillar_pcre":
		return matchParams[1:]
	}
	return nil
}

func matchFilter(_ context.Context, env *Env, args Args) (any, error) {
	const name = "match.filter_by"
	prefix, err := targetPrefix(name, args.Text("tgt_type"))
	if err != nil {
		return nil, err
	}
	lookup, ok := args["lookup"].(*settings.Map)
	if !ok {
		return nil, errors.New("match.filter_by: lookup takes a mapping of targets to values")
	}
	for key, value := range lookup.All() {
		fits, err := env.matches(name, prefix+key, args)
		if err != nil {
			return nil, err
		}
		if !fits {
			continue
		}
		if over := args["merge"]; truthy(over) {
			if value == nil {
				return over, nil
			}
			value, err = overlay{lists: args.Bool("merge_lists")}.over(value, over)
		}
		return value, named(name, err)
	}
	found, _ := lookup.Get(args.Text("default")) // nothing is merged over the default, as in Salt
	return found, nil
}

// targetPrefixes translates Salt's tgt_type into the target grammar.
var targetPrefixes = map[string]string{
	"glob": "", "compound": "", "pcre": "E@", "grain": "G@", "grain_pcre": "P@", "list": "L@", "pillar": "I@", "pillar_pcre": "J@",
	"nodegroup": "N@", "ipcidr": "S@",
}
