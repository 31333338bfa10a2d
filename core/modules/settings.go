package modules

import (
	"context"
	"fmt"
	"slices"

	"github.com/ptorbus/zester/core/config"
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

var settingsEnv = []Param{
	{Name: "pillarenv", Kind: states.Text, Doc: "base: settings have one environment"},
	{Name: "saltenv", Kind: states.Text, Doc: "as Salt takes it; settings are those of every environment"},
	{Name: "unmask", Kind: states.Bool, Doc: "as Salt takes it; settings are never masked"},
}

func checkPillarenv(args Args) error {
	if env := args.Text("pillarenv"); env != "" && env != "base" {
		return fmt.Errorf("pillarenv %q: settings have one environment, base; leave it out", env)
	}
	return nil
}

func registerSettings(r *Registry) {
	r.Register(
		&Function{Name: "settings.items", Doc: "Return all settings, or the named ones.", Rest: "names",
			Params: append([]Param{{Name: "names", Kind: states.List, Doc: "names; all by default"}}, settingsEnv...),
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if err := checkPillarenv(args); err != nil {
					return nil, named("settings.items", err)
				}
				if len(args.Strings("names")) == 0 {
					return env.pillar(), nil
				}
				args["default"] = "" // as settings.item has it
				return items(args, func(name string) (any, bool) { return dig(env.pillar(), name, ":") }), nil
			}},
		&Function{Name: "settings.raw", Doc: "Return all settings, or one of the first level.",
			Params: []Param{{Name: "key", Kind: states.Text, Doc: "name"}, settingsEnv[2]},
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if args.Text("key") == "" {
					return env.pillar(), nil
				}
				if v, ok := env.pillar().Get(args.Text("key")); ok {
					return v, nil
				}
				return settings.NewMap(0), nil
			}},
		&Function{Name: "settings.keys", Doc: "Return the names of all settings, or of those in one.", Run: settingNames,
			Params: []Param{{Name: "key", Kind: states.Text, Doc: "name of a mapping"}, getParams[2], settingsEnv[2]}},
		&Function{Name: "settings.item", Doc: "Return the named settings.", Rest: "names", ordered: true,
			Params: append([]Param{{Name: "names", Kind: states.List, Doc: "names"}, getParams[1], getParams[2]}, settingsEnv...),
			Run: func(_ context.Context, env *Env, args Args) (any, error) {
				if err := checkPillarenv(args); err != nil {
					return nil, named("settings.item", err)
				}
				if args["default"] == nil { // unlike grains.item, as in Salt
					args["default"] = ""
				}
				return items(args, func(name string) (any, bool) { return dig(env.pillar(), name, args.Text("delimiter")) }), nil
			}},
		&Function{Name: "settings.get", Doc: "Return one setting.", Run: getSetting, ordered: true, Params: append([]Param{
			getParams[0], getParams[1],
			{Name: "merge", Kind: states.Bool, Doc: "merge the setting over the default"},
			{Name: "merge_nested_lists", Kind: states.Bool, Doc: "append to the lists inside the default instead of replacing them"},
			getParams[2],
		}, settingsEnv...)},
	)
	for _, name := range []string{"items", "keys", "get", "item", "raw"} {
		r.Alias("pillar."+name, "settings."+name)
	}
	r.Alias("pillar.data", "settings.items")
	registerConfig(r)
	registerMerge(r)
}

func settingNames(_ context.Context, env *Env, args Args) (any, error) {
	data := env.pillar()
	if key := args.Text("key"); args.Has("key") {
		value, ok := dig(data, key, args.Text("delimiter"))
		if !ok {
			return nil, fmt.Errorf("settings.keys: there is no setting %q", key)
		}
		if data, ok = value.(*settings.Map); !ok {
			return nil, fmt.Errorf("settings.keys: the setting %q is not a mapping", key)
		}
	}
	names := []any{}
	for name := range data.All() {
		names = append(names, name)
	}
	return names, nil
}

// items returns what names stand for, in their order.
func items(args Args, find func(name string) (any, bool)) *settings.Map {
	out := settings.NewMap(0)
	for _, name := range args.Strings("names") {
		value, ok := find(name)
		if !ok {
			value = args["default"]
		}
		out.Set(name, value)
	}
	return out
}

func getSetting(_ context.Context, env *Env, args Args) (any, error) {
	if err := checkPillarenv(args); err != nil {
		return nil, named("settings.get", err)
	}
	value, found := dig(env.pillar(), args.Text("key"), args.Text("delimiter"))
	if !found {
		return args["default"], nil
	}
	if !args.Bool("merge") {
		return value, nil
	}
	switch base := args["default"].(type) {
	case map[string]any, *settings.Map, *anyKeys:
		if above, ok := value.(*settings.Map); ok {
			below, isText := mapping(base)
			if !isText {
				if above.Len() == 0 {
					return base, nil
				}
				return nil, named("settings.get", errAnyKeys)
			}
			merged, err := overlay{lists: args.Bool("merge_nested_lists")}.over(below, above)
			return merged, named("settings.get", err)
		}
	case []any:
		if more, ok := value.([]any); ok {
			return extend(base, more), nil
		}
	}
	return value, nil // of another kind than the default: nothing to merge
}

func registerConfig(r *Registry) {
	omit := []Param{
		{Name: "omit_opts", Kind: states.Bool, Doc: "leave out the configuration"},
		{Name: "omit_grains", Kind: states.Bool, Doc: "leave out the facts"},
		{Name: "omit_pillar", Kind: states.Bool, Doc: "leave out the settings"},
		{Name: "omit_master", Kind: states.Bool, Doc: "leave out what the setting master holds"},
	}
	r.Register(
		&Function{Name: "config.get", Doc: "Return a value of the configuration, the facts or the settings, the first that has it.",
			Run: configGet, ordered: true, Params: []Param{
				getParams[0], getParams[1], getParams[2],
				{Name: "merge", Kind: states.Text, Doc: "recurse or overwrite: merge the three and search that"},
				omit[0], omit[2], omit[3], omit[1],
			}},
		&Function{Name: "config.option", Doc: "Return a value of the first level of the configuration, the facts or the settings.",
			Run: configOption, ordered: true, Params: append([]Param{
				{Name: "value", Kind: states.Text, Required: true, Doc: "name"}, getParams[1],
			}, omit...)},
	)
}

// sources are what config functions search, the first to win first.
func sources(env *Env, args Args) []any {
	var out []any
	if !args.Bool("omit_opts") {
		out = append(out, env.config())
	}
	if !args.Bool("omit_grains") {
		out = append(out, env.grains())
	}
	if !args.Bool("omit_pillar") {
		out = append(out, env.pillar())
	}
	if master, ok := env.pillar().Get("master"); ok && !args.Bool("omit_master") {
		out = append(out, master)
	}
	return out
}

func configGet(_ context.Context, env *Env, args Args) (any, error) {
	key, delimiter := args.Text("key"), args.Text("delimiter")
	if !args.Has("merge") {
		for _, data := range sources(env, args) {
			if v, ok := dig(data, key, delimiter); ok {
				return v, nil
			}
		}
		return args["default"], nil
	}
	strategy := args.Text("merge")
	if strategy != "recurse" && strategy != "overwrite" {
		return nil, fmt.Errorf("config.get: unknown merge %q%s", strategy, config.DidYouMean(strategy, []string{"recurse", "overwrite"}))
	}
	var all any = settings.NewMap(0)
	for _, data := range slices.Backward(sources(env, Args{})) { // as in Salt, merging takes all of them
		data, ok := mapping(data)
		if !ok {
			continue
		}
		merged, err := overlay{flat: strategy == "overwrite"}.over(all, data)
		if err != nil {
			return nil, named("config.get", err)
		}
		all = merged
	}
	if v, ok := dig(all, key, delimiter); ok {
		return v, nil
	}
	return args["default"], nil
}

func configOption(_ context.Context, env *Env, args Args) (any, error) {
	for _, data := range sources(env, args) {
		if v, ok := entry(data, args.Text("value")); ok {
			return v, nil
		}
	}
	if args["default"] == nil {
		return "", nil
	}
	return args["default"], nil
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
