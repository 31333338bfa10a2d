package modules

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"path"
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

// dig follows a key through data, its parts between the delimiter, as Salt's functions do: in a list, a number is an
// element, from the end if it is negative, and any other part is looked for in the mappings of the list.
func dig(data any, key, delimiter string) (any, bool) {
	if delimiter == "" {
		return entry(data, key)
	}
	for part := range strings.SplitSeq(key, delimiter) {
		var ok bool
		if list, isList := data.([]any); isList {
			data, ok = element(list, part)
		} else {
			data, ok = entry(data, part)
		}
		if !ok {
			return nil, false
		}
	}
	return data, true
}

func element(list []any, part string) (any, bool) {
	i, err := strconv.Atoi(part)
	if err != nil {
		for _, inner := range list {
			if v, ok := entry(inner, part); ok {
				return v, true
			}
		}
		return nil, false
	}
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// entry looks a key up in a mapping of either kind.
func entry(data any, key string) (any, bool) {
	switch m := data.(type) {
	case map[string]any:
		v, ok := m[key]
		return v, ok
	case *settings.Map:
		return m.Get(key)
	case *anyKeys:
		for i, k := range m.keys {
			if k == any(key) {
				return m.values[i], true
			}
		}
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

// registerData adds items, keys, item and get for facts, however they are spelled, which is what find is for.
func registerData(r *Registry, module, what string, data func(*Env) map[string]any, find finder) {
	r.Register(
		&Function{Name: module + ".items", Doc: "Return all " + what + ".",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) { return data(env), nil }},
		&Function{Name: module + ".keys", Doc: "Return the names of all " + what + ".",
			Run: func(_ context.Context, env *Env, _ Args) (any, error) { return sortedNames(data(env)), nil }},
		&Function{Name: module + ".item", Doc: "Return the named " + what + ".", Rest: "names", ordered: true,
			Params: []Param{{Name: "names", Kind: states.List, Required: false, Doc: "names"}, getParams[1], getParams[2]},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				return items(args, func(name string) (any, bool) { return find(data(env), name, args.Text("delimiter")) }), nil
			}},
		&Function{Name: module + ".get", Doc: "Return one of the " + what + ".", ordered: true,
			Params: append(slices.Clone(getParams), Param{Name: "ordered", Kind: states.Bool, Doc: "as Salt takes it; the order is the same"}),
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if v, ok := find(data(env), args.Text("key"), args.Text("delimiter")); ok {
					return v, nil
				}
				return args["default"], nil
			}},
		&Function{Name: module + ".has_value", Doc: "Return whether there is a name among the " + what + ".", Params: getParams[:1],
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				_, ok := find(data(env), args.Text("key"), ":")
				return ok, nil
			}},
		&Function{Name: module + ".filter_by", Doc: "Return the entry of a mapping that fits one of the " + what + ".",
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				value, err := filterBy(args, func(name string) (any, bool) { return find(env.grains(), name, ":") })
				return value, named(module+".filter_by", err)
			}, ordered: true, Params: filterParams},
	)
}

type finder func(data map[string]any, key, delimiter string) (any, bool)

func registerFacts(r *Registry) {
	registerData(r, "facts", "facts", (*Env).facts, digFact)
	registerData(r, "grains", "facts as Salt spells them", (*Env).grains,
		func(data map[string]any, key, delimiter string) (any, bool) { return dig(data, key, delimiter) })
	r.Register(
		&Function{Name: "facts.refresh", Doc: "Collect and publish the facts anew.",
			Run: refreshFacts},
	)
	r.Alias("grains.fetch", "grains.get")
	registerRead(r)
}

func refreshFacts(ctx context.Context, env *Env, _ Args) (any, error) {
	if env.RefreshFacts == nil {
		return nil, errors.New("facts.refresh: facts cannot be collected here")
	}
	return true, env.RefreshFacts(ctx)
}

var filterParams = []Param{
	{Name: "lookup_dict", Required: true, Doc: "mapping of patterns to values"},
	{Name: "grain", Kind: states.Text, Default: "os_family", Doc: "the fact to look at"},
	{Name: "merge", Doc: "mapping to merge over the found one"},
	{Name: "default", Kind: states.Text, Default: "default", Doc: "the entry to use where none fits"},
	{Name: "base", Kind: states.Text, Doc: "the entry to merge the found one over"},
}

func filterBy(args Args, fact func(string) (any, bool)) (any, error) {
	lookup := args["lookup_dict"]
	if m, ok := mapping(lookup); ok {
		lookup = m
	}
	if !isMapping(lookup) {
		return nil, errors.New("lookup_dict takes a mapping")
	}
	value, ok := fact(args.Text("grain"))
	values, isList := value.([]any)
	if ok && !isList {
		values = []any{value}
	}
	found := fitting(lookup, values)
	if found == nil {
		for key, value := range entries(lookup) {
			if key == args["default"] {
				found = value
			}
		}
	}
	var err error
	base, _ := entry(lookup, args.Text("base"))
	switch {
	case found == nil && base != nil:
		found = base
	case isMapping(base) && !isMapping(found):
		return nil, errors.New("the entry of base is a mapping, and the found one has to be one too")
	case isMapping(base):
		if found, err = (overlay{}).over(base, found); err != nil {
			return nil, err
		}
	}
	over := args["merge"]
	if m, ok := mapping(over); ok {
		over = m
	}
	switch {
	case !truthy(over):
		return found, nil
	case !isMapping(over) || found != nil && !isMapping(found):
		return nil, errors.New("merge takes a mapping, and needs the found entry to be one")
	case found == nil:
		return over, nil
	}
	return overlay{}.over(found, over)
}

// fitting returns the value of the first key that matches one of the values, the first value that has one; null is none.
func fitting(lookup any, values []any) any {
	for _, value := range values {
		text := pythonText(value)
		for key, found := range entries(lookup) {
			if !fnmatch(pythonText(key), text) {
				continue
			}
			if found != nil {
				return found
			}
			break
		}
	}
	return nil
}

// entries walks a mapping of a template.
func entries(lookup any) iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		switch m := lookup.(type) {
		case *settings.Map:
			for key, value := range m.All() {
				if !yield(key, value) {
					return
				}
			}
		case *anyKeys:
			for i, key := range m.keys {
				if !yield(key, m.values[i]) {
					return
				}
			}
		}
	}
}

// pythonText is Python's str() of what facts and keys are.
func pythonText(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
	}
	return fmt.Sprint(v)
}

// fnmatch is Python's: a star also matches slashes.
func fnmatch(pattern, text string) bool {
	apart := strings.NewReplacer("[!", "[^", "/", "\x00")
	ok, err := path.Match(apart.Replace(strings.ReplaceAll(pattern, `\`, `\\`)), strings.ReplaceAll(text, "/", "\x00"))
	return ok && err == nil || pattern == text
}
