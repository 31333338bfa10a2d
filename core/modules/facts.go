package modules

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/facts"
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

func (env *Env) settings() map[string]any {
	if env.Settings == nil {
		return map[string]any{}
	}
	return env.Settings()
}

func (env *Env) config() map[string]any {
	if env.Config == nil {
		return map[string]any{}
	}
	return env.Config()
}

// dig finds a key in data: the key as it is, else its parts between the delimiter, list elements by number.
func dig(data any, key, delimiter string) (any, bool) {
	if m, ok := data.(map[string]any); ok {
		if v, ok := m[key]; ok {
			return v, true
		}
	}
	if delimiter == "" || !strings.Contains(key, delimiter) {
		return nil, false
	}
	for part := range strings.SplitSeq(key, delimiter) {
		switch at := data.(type) {
		case map[string]any:
			v, ok := at[part]
			if !ok {
				return nil, false
			}
			data = v
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			data = at[i]
		default:
			return nil, false
		}
	}
	return data, true
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

// registerData adds items, keys, get and item for one set of data.
func registerData(r *Registry, module, what string, data func(*Env) map[string]any, find func(map[string]any, string, string) (any, bool)) {
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
					if out[name], _ = find(data(env), name, ":"); out[name] == nil {
						out[name] = ""
					}
				}
				return out, nil
			}},
	)
}

func registerFacts(r *Registry) {
	registerData(r, "facts", "facts", (*Env).facts, digFact)
	registerData(r, "grains", "facts as Salt spells them", (*Env).grains, digFact)
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
		&Function{Name: "grains.filter_by", Doc: "Return the entry of a mapping that fits a fact.", Run: filterBy, Params: []Param{
			{Name: "lookup_dict", Kind: states.Map, Required: true, Doc: "mapping of patterns to values"},
			{Name: "grain", Kind: states.Text, Default: "os_family", Doc: "the fact to look at"},
			{Name: "merge", Kind: states.Map, Doc: "mapping to merge over the found one"},
			{Name: "default", Kind: states.Text, Default: "default", Doc: "the entry to use where none fits"},
			{Name: "base", Kind: states.Text, Doc: "the entry to merge the found one over"},
		}},
	)
	r.Alias("facts.filter_by", "grains.filter_by")
	r.Alias("saltutil.refresh_grains", "facts.refresh")
}

func filterBy(_ context.Context, env *Env, args Args) (any, error) {
	lookup := args.Map("lookup_dict")
	value, _ := digFact(env.grains(), args.Text("grain"), ":")
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	found := lookup[args.Text("default")]
	for _, v := range values {
		text, ok := v.(string)
		if !ok {
			continue
		}
		if key, ok := fitting(lookup, text); ok {
			found = lookup[key]
			break
		}
	}
	if base, ok := lookup[args.Text("base")].(map[string]any); ok {
		if m, ok := found.(map[string]any); ok || found == nil {
			found = Merge(base, m)
		}
	}
	if over := args.Map("merge"); over != nil {
		m, ok := found.(map[string]any)
		if !ok && found != nil {
			return nil, errors.New("grains.filter_by: merge needs the found entry to be a mapping")
		}
		found = Merge(m, over)
	}
	return found, nil
}

// fitting returns the key that is the text, or the first pattern, by name, that matches it.
func fitting(lookup map[string]any, text string) (string, bool) {
	if _, ok := lookup[text]; ok {
		return text, true
	}
	for _, key := range slices.Sorted(maps.Keys(lookup)) {
		if ok, err := path.Match(key, text); ok && err == nil {
			return key, true
		}
	}
	return "", false
}

// Merge returns base with over laid on top of it, mappings merged, anything else replaced. Neither is changed.
func Merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		below, ok := out[key].(map[string]any)
		above, isMap := value.(map[string]any)
		if ok && isMap {
			out[key] = Merge(below, above)
			continue
		}
		out[key] = value
	}
	return out
}

func registerSettings(r *Registry) {
	registerData(r, "settings", "settings", (*Env).settings, func(m map[string]any, key, delimiter string) (any, bool) {
		return dig(m, key, delimiter)
	})
	params := append(slices.Clone(getParams), Param{Name: "merge", Kind: states.Bool, Doc: "merge the setting over the default"})
	r.Register(
		&Function{Name: "settings.get", Doc: "Return one setting.", Params: params,
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				v, ok := dig(env.settings(), args.Text("key"), args.Text("delimiter"))
				if !ok {
					return args["default"], nil
				}
				below, isMap := args["default"].(map[string]any)
				if above, ok := v.(map[string]any); ok && isMap && args.Bool("merge") {
					return Merge(below, above), nil
				}
				return v, nil
			}},
		&Function{Name: "config.get", Doc: "Return a value of the configuration, the facts or the settings, the first that has it.", Params: getParams,
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				for _, data := range []map[string]any{env.config(), env.grains(), env.settings()} {
					if v, ok := dig(data, args.Text("key"), args.Text("delimiter")); ok {
						return v, nil
					}
				}
				return args["default"], nil
			}},
	)
	for _, name := range []string{"items", "keys", "get", "item"} {
		r.Alias("pillar."+name, "settings."+name)
	}
}
