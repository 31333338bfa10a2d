package modules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// pillar is the settings in the order of their files.
func (env *Env) pillar() *settings.Map {
	if env.Settings == nil {
		return nil
	}
	return env.Settings()
}

// settings is the same without the order, read only.
func (env *Env) settings() map[string]any { return env.pillar().Plain() }

func registerSettings(r *Registry) {
	r.Register(
		&Function{Name: "settings.items", Doc: "Return all settings.",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) { return env.pillar(), nil }},
		&Function{Name: "settings.keys", Doc: "Return the names of all settings.",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) {
				names := []any{}
				for name := range env.pillar().All() {
					names = append(names, name)
				}
				return names, nil
			}},
		&Function{Name: "settings.item", Doc: "Return the named settings.", Rest: "names",
			Params: []Param{{Name: "names", Kind: states.List, Doc: "names"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				out := settings.NewMap(0)
				for _, name := range args.Strings("names") {
					v, _ := dig(env.pillar(), name, ":")
					if v == nil {
						v = ""
					}
					out.Set(name, v)
				}
				return out, nil
			}},
		&Function{Name: "settings.get", Doc: "Return one setting.", Run: getSetting, ordered: true,
			Params: append(slices.Clone(getParams), Param{Name: "merge", Kind: states.Bool, Doc: "merge the setting over the default"})},
		&Function{Name: "config.get", Doc: "Return a value of the configuration, the facts or the settings, the first that has it.",
			Params: getParams, ordered: true,
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				for _, data := range []any{env.config(), env.grains(), env.pillar()} {
					if v, ok := dig(data, args.Text("key"), args.Text("delimiter")); ok {
						return v, nil
					}
				}
				return args["default"], nil
			}},
		&Function{Name: "grains.filter_by", Doc: "Return the entry of a mapping that fits a fact.", Run: filterBy, ordered: true, Params: []Param{
			{Name: "lookup_dict", Required: true, Doc: "mapping of patterns to values"},
			{Name: "grain", Kind: states.Text, Default: "os_family", Doc: "the fact to look at"},
			{Name: "merge", Doc: "mapping to merge over the found one"},
			{Name: "default", Kind: states.Text, Default: "default", Doc: "the entry to use where none fits"},
			{Name: "base", Kind: states.Text, Doc: "the entry to merge the found one over"},
		}},
	)
	for _, name := range []string{"items", "keys", "get", "item"} {
		r.Alias("pillar."+name, "settings."+name)
	}
	r.Alias("facts.filter_by", "grains.filter_by")
}

func getSetting(_ context.Context, env *Env, args Args) (any, error) {
	v, ok := dig(env.pillar(), args.Text("key"), args.Text("delimiter"))
	if !ok {
		return args["default"], nil
	}
	below, isMap := mapping(args["default"])
	if above, ok := v.(*settings.Map); ok && isMap && args.Bool("merge") {
		return settings.Merge(below, above), nil
	}
	return v, nil
}

func filterBy(_ context.Context, env *Env, args Args) (any, error) {
	lookup, ok := mapping(args["lookup_dict"])
	if !ok {
		return nil, errors.New("grains.filter_by: lookup_dict takes a mapping")
	}
	value, _ := digFact(env.grains(), args.Text("grain"), ":")
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	found, _ := lookup.Get(args.Text("default"))
	for _, v := range values {
		if text, ok := v.(string); ok {
			if key, ok := fitting(lookup, text); ok {
				found, _ = lookup.Get(key)
				break
			}
		}
	}
	if base, _ := lookup.Get(args.Text("base")); base != nil {
		if merged, ok := merge(base, found); ok {
			found = merged
		}
	}
	if over := args["merge"]; over != nil {
		if found, ok = merge(found, over); !ok {
			return nil, errors.New("grains.filter_by: merge takes a mapping, and needs the found entry to be one")
		}
	}
	return found, nil
}

// fitting returns the key that is the text, or the first pattern that matches it.
func fitting(lookup *settings.Map, text string) (string, bool) {
	if _, ok := lookup.Get(text); ok {
		return text, true
	}
	for key := range lookup.All() {
		if ok, err := path.Match(key, text); ok && err == nil {
			return key, true
		}
	}
	return "", false
}

// merge lays over on top of base where both are mappings or null.
func merge(base, over any) (any, bool) {
	below, ok := mapping(base)
	above, both := mapping(over)
	if !ok && base != nil || !both && over != nil {
		return nil, false
	}
	return settings.Merge(below, above), true
}

// mapping gives a mapping its order, if it has one to be found.
func mapping(v any) (*settings.Map, bool) {
	switch v := v.(type) {
	case *settings.Map:
		return v, true
	case map[string]any:
		return settings.FromPlain(v), true
	}
	return nil, false
}

// fromTemplate turns a template's value into data as settings are: mappings keep the order of their keys.
func fromTemplate(v any, depth int) (any, error) {
	const deepest = 50
	switch d := v.(type) {
	case *render.Dict:
		m := settings.NewMap(d.Len())
		for k, e := range d.All() {
			key, ok := k.(string)
			if !ok || depth > deepest {
				return plainOf(v)
			}
			e, err := fromTemplate(e, depth+1)
			if err != nil {
				return nil, err
			}
			m.Set(key, e)
		}
		return m, nil
	case *render.List:
		list := make([]any, len(d.Items()))
		for i, e := range d.Items() {
			if depth > deepest {
				return plainOf(v)
			}
			var err error
			if list[i], err = fromTemplate(e, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return plainOf(v)
}

// plainOf is for what has keys that are no text, or is too deep or no data at all, which is an error.
func plainOf(v any) (any, error) {
	p, err := render.Plain(v)
	if m, ok := p.(map[string]any); ok {
		return settings.FromPlain(m), err
	}
	return p, err
}

// call is a template's call of an execution function; the values of settings keep their order.
func (t *saltTable) call(ctx context.Context, f *Function, args []any, kwargs map[string]any) (any, error) {
	value, err := t.env.registry().call(ctx, t.env, f.Name, args, kwargs)
	// As in Salt, a template sees the output of a command whatever its exit code.
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Value, nil
	}
	return value, err
}

// callOrdered is call with arguments in order.
func (t *saltTable) callOrdered(ctx context.Context, f *Function, args []any, kwargs *render.Dict) (any, error) {
	var err error
	for i := range args {
		if args[i], err = fromTemplate(args[i], 0); err != nil {
			return nil, err
		}
	}
	named := map[string]any{}
	for k, v := range kwargs.All() {
		if named[fmt.Sprint(k)], err = fromTemplate(v, 0); err != nil {
			return nil, err
		}
	}
	return t.call(ctx, f, args, named)
}
