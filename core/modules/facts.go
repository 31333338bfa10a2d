package modules

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

func (env *Env) facts() map[string]any {
	if env.Facts == nil {
		return map[string]any{}
	}
	return env.Facts()
}

func (env *Env) grains() map[string]any {
	if env.Grains == nil {
		return facts.Grains(env.facts())
	}
	return env.Grains()
}

func (env *Env) config() map[string]any {
	if env.Config == nil {
		return map[string]any{}
	}
	return env.Config()
}

// dig finds a key in data: the key as it is, else its parts between the delimiter, list elements by number.
func dig(data any, key, delimiter string) (any, bool) {
	if v, ok := entry(data, key); ok {
		return v, true
	}
	if delimiter == "" || !strings.Contains(key, delimiter) {
		return nil, false
	}
	for part := range strings.SplitSeq(key, delimiter) {
		if list, ok := data.([]any); ok {
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(list) {
				return nil, false
			}
			data = list[i]
			continue
		}
		v, ok := entry(data, part)
		if !ok {
			return nil, false
		}
		data = v
	}
	return data, true
}

// entry looks a key up in a mapping of either kind.
func entry(data any, key string) (any, bool) {
	switch m := data.(type) {
	case map[string]any:
		v, ok := m[key]
		return v, ok
	case *settings.Map:
		return m.Get(key)
	}
	return nil, false
}

// digFact takes dots as well as colons between the parts, as facts are written: network.default_ipv4.
func digFact(data map[string]any, key, delimiter string) (any, bool) {
	if delimiter != ":" {
		return dig(data, key, delimiter)
	}
	return facts.Get(data, key)
}

var getParams = []Param{
	{Name: "key", Kind: states.Text, Required: true, Doc: "name, nested ones with colons: a:b"},
	{Name: "default", Default: "", Doc: "what to return where there is no such key"},
	{Name: "delimiter", Kind: states.Text, Default: ":", Doc: "what separates nested names"},
}

func sortedNames(m map[string]any) []any {
	names := make([]any, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		names = append(names, key)
	}
	return names
}

// registerData adds items, keys and item for facts, however they are spelled.
func registerData(r *Registry, module, what string, data func(*Env) map[string]any) {
	r.Register(
		&Function{Name: module + ".items", Doc: "Return all " + what + ".",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) { return data(env), nil }},
		&Function{Name: module + ".keys", Doc: "Return the names of all " + what + ".",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) { return sortedNames(data(env)), nil }},
		&Function{Name: module + ".item", Doc: "Return the named " + what + ".", Rest: "names",
			Params: []Param{{Name: "names", Kind: states.List, Required: false, Doc: "names"}},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				out := map[string]any{}
				for _, name := range args.Strings("names") {
					if out[name], _ = digFact(data(env), name, ":"); out[name] == nil {
						out[name] = ""
					}
				}
				return out, nil
			}},
	)
}

func registerFacts(r *Registry) {
	registerData(r, "facts", "facts", (*Env).facts)
	registerData(r, "grains", "facts as Salt spells them", (*Env).grains)
	get := func(data func(*Env) map[string]any) func(context.Context, *Env, Args) (any, error) {
		return func(_ context.Context, env *Env, args Args) (any, error) {
			if v, ok := digFact(data(env), args.Text("key"), args.Text("delimiter")); ok {
				return v, nil
			}
			return args["default"], nil
		}
	}
	r.Register(
		&Function{Name: "facts.get", Doc: "Return one fact.", Params: getParams, Run: get((*Env).facts)},
		&Function{Name: "grains.get", Doc: "Return one fact as Salt spells it.", Params: getParams, Run: get((*Env).grains)},
		&Function{Name: "facts.refresh", Doc: "Collect and publish the facts anew.",
			Run: func(ctx context.Context, env *Env, _ Args) (any, error) {
				if env.RefreshFacts == nil {
					return nil, errors.New("facts.refresh: facts cannot be collected here")
				}
				return true, env.RefreshFacts(ctx)
			}},
	)
	r.Alias("saltutil.refresh_grains", "facts.refresh")
}
