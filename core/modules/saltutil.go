package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/states"
)

// synced are the kinds of Python modules that Salt has in the tree, each in a directory _KIND.
var synced = []string{
	"beacons", "clouds", "engines", "executors", "grains", "log_handlers", "matchers", "modules", "output", "pillar", "proxymodules",
	"renderers", "resources", "returners", "sdb", "serializers", "states", "thorium", "tops", "utils", "wrapper",
}

var syncParams = []Param{
	{Name: "saltenv", Kind: states.Text, Doc: "environments to look at, separated by commas; all by default"},
	{Name: "refresh", Kind: states.Bool, Doc: "as Salt takes it; there is nothing to reload"},
	{Name: "extmod_whitelist", Doc: "as Salt takes it"},
	{Name: "extmod_blacklist", Doc: "as Salt takes it"},
}

// registerSync adds what Salt's users call out of habit before they look at a change.
func registerSync(r *Registry) {
	r.Register(
		&Function{Name: "settings.refresh", Doc: "Read the settings anew, which comes by itself soon after they change.",
			Params: []Param{
				{Name: "wait", Kind: states.Bool, Doc: "as Salt takes it; they have been read when this returns"},
				{Name: "timeout", Kind: states.Number, Doc: "as Salt takes it; a job has a time of its own"},
				{Name: "clean_cache", Kind: states.Bool, Doc: "as Salt takes it"},
			}, Run: refreshSettings},
		&Function{Name: "saltutil.refresh_grains", Doc: "Collect and publish the facts anew.",
			Params: []Param{
				{Name: "refresh_pillar", Kind: states.Bool, Doc: "as Salt takes it; settings follow the facts by themselves"},
				{Name: "clean_pillar_cache", Kind: states.Bool, Doc: "as Salt takes it"},
			}, Run: refreshFacts},
		&Function{Name: "saltutil.refresh_modules", Doc: "Return true: functions are part of the peel, and there is nothing to load.",
			Params: []Param{{Name: "async", Kind: states.Bool, Doc: "as Salt takes it"}},
			Run:    func(context.Context, *Env, Args) (any, error) { return true, nil }},
		&Function{Name: "saltutil.sync_all", Doc: "Return that there is nothing to sync; Python modules in the tree are an error, since none are run.",
			Params: append([]Param{{Name: "clean_pillar_cache", Kind: states.Bool, Doc: "as Salt takes it"}}, syncParams...),
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				out := map[string]any{}
				for _, kind := range synced {
					out[kind] = []any{}
				}
				if err := nothingToSync(ctx, env, args, synced...); err != nil {
					return nil, named("saltutil.sync_all", err)
				}
				return out, nil
			}},
	)
	for _, kind := range synced {
		name := "saltutil.sync_" + kind
		r.Register(&Function{Name: name, Doc: "Return that there is nothing to sync; Python modules in _" + kind + " are an error, since none are run.",
			Params: syncParams,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				if err := nothingToSync(ctx, env, args, kind); err != nil {
					return nil, named(name, err)
				}
				return []any{}, nil
			}})
	}
	r.Alias("saltutil.refresh_pillar", "settings.refresh")
}

func refreshSettings(ctx context.Context, env *Env, _ Args) (any, error) {
	if env.RefreshSettings == nil {
		return nil, errors.New("settings.refresh: settings cannot be read anew here")
	}
	if err := env.RefreshSettings(ctx); err != nil {
		return nil, named("settings.refresh", err)
	}
	return true, nil
}

// nothingToSync says that the tree holds modules of these kinds: who syncs them would take them for loaded.
func nothingToSync(ctx context.Context, env *Env, args Args, kinds ...string) error {
	tree, ok := listed(env.Tree).(states.Lister)
	if !ok {
		return nil
	}
	environments := []string{files.Base}
	if given := args.Text("saltenv"); given != "" {
		environments = strings.Split(given, ",")
	} else if all, ok := tree.(states.Environmental); ok {
		known, err := all.Environments(ctx)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			environments = known
		}
	}
	for _, environment := range environments {
		names, err := tree.Names(files.InEnvironment(ctx, environment))
		if err != nil {
			return err
		}
		for _, name := range names {
			for _, kind := range kinds {
				if strings.HasPrefix(name, "_"+kind+"/") {
					return fmt.Errorf("%q of environment %s: Python modules are not run here; call what it does with cmd.script, and take it out of the tree",
						name, environment)
				}
			}
		}
	}
	return nil
}
