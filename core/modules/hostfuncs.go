package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// registerHost adds the execution functions for users, groups, packages and services.
func registerHost(r *Registry) {
	name := []Param{{Name: "name", Kind: states.Text, Required: true, Doc: "the name"}}
	r.Register(
		&Function{Name: "user.info", Doc: "Return what there is to know of a user; an empty mapping if there is none.", Params: name, Run: userInfo},
		&Function{Name: "user.list_users", Doc: "Return the names of the users.", Run: userNames},
		&Function{Name: "user.list_groups", Doc: "Return the groups of a user.", Params: name,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				info, err := userInfo(ctx, env, args)
				if m, ok := info.(map[string]any); ok && m["groups"] != nil {
					return m["groups"], err
				}
				return []any{}, err
			}},
		&Function{Name: "user.getent", Doc: "Return what there is to know of all users.", Run: userAll},
		&Function{Name: "group.info", Doc: "Return what there is to know of a group; an empty mapping if there is none.", Params: name,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				g, err := env.usergroup(ctx, args.Text("name"))
				if err != nil || g == nil {
					return map[string]any{}, err
				}
				return g.describe(), nil
			}},
		&Function{Name: "group.getent", Doc: "Return what there is to know of all groups.",
			Run: func(ctx context.Context, env *Env, _ Args) (any, error) {
				groups, err := env.groups(ctx)
				out := make([]any, len(groups))
				for i, g := range groups {
					out[i] = g.describe()
				}
				return out, err
			}},
	)
	registerPkg(r)
	registerService(r)
}

func userInfo(ctx context.Context, env *Env, args Args) (any, error) {
	a, err := env.account(ctx, args.Text("name"))
	if err != nil || a == nil {
		return map[string]any{}, err
	}
	groups, own, err := env.memberships(ctx, a)
	return a.describe(groups, own), err
}

func userNames(ctx context.Context, env *Env, _ Args) (any, error) {
	entries, err := env.database(ctx, "passwd", "")
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry[0]
	}
	slices.Sort(names)
	return texts(names), err
}

func userAll(ctx context.Context, env *Env, _ Args) (any, error) {
	entries, err := env.database(ctx, "passwd", "")
	if err != nil {
		return nil, err
	}
	out := make([]any, len(entries))
	for i, entry := range entries {
		a := parseAccount(entry)
		groups, own, err := env.memberships(ctx, a)
		if err != nil {
			return nil, err
		}
		out[i] = a.describe(groups, own)
	}
	return out, nil
}

func registerPkg(r *Registry) {
	names := []Param{{Name: "names", Kind: states.List, Doc: "packages"}}
	version := func(value func(ctx context.Context, p *packages, names []string) (map[string]string, error)) func(context.Context, *Env, Args) (any, error) {
		return func(ctx context.Context, env *Env, args Args) (any, error) {
			list := args.Strings("names")
			versions, err := value(ctx, &packages{env: env}, list)
			if err != nil {
				return nil, err
			}
			if len(list) == 1 {
				return versions[list[0]], nil
			}
			out := map[string]any{}
			for _, name := range list {
				out[name] = versions[name]
			}
			return out, nil
		}
	}
	r.Register(
		&Function{Name: "pkg.list_pkgs", Doc: "Return the installed packages and their versions.",
			Params: []Param{{Name: "versions_as_list", Kind: states.Bool, Doc: "each version in a list"}},
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				known, err := (&packages{env: env}).list(ctx)
				if err != nil {
					return nil, err
				}
				all := known.all()
				if args.Bool("versions_as_list") {
					for name, version := range all {
						all[name] = []any{version}
					}
				}
				return all, nil
			}},
		&Function{Name: "pkg.version", Doc: "Return the installed version of packages; empty where one is not installed.", Params: names, Rest: "names",
			Run: version(func(ctx context.Context, p *packages, names []string) (map[string]string, error) {
				known, err := p.list(ctx)
				out := map[string]string{}
				if err == nil {
					for _, name := range names {
						out[name] = known.has(name)
					}
				}
				return out, err
			})},
		&Function{Name: "pkg.latest_version", Doc: "Return the newest version of packages that can be installed; empty where one is up to date.", Params: names, Rest: "names",
			Run: version(func(ctx context.Context, p *packages, names []string) (map[string]string, error) {
				known, err := p.list(ctx)
				if err != nil {
					return nil, err
				}
				best, err := p.candidates(ctx, names)
				for name, candidate := range best {
					newer, err := p.compare(ctx, candidate, "gt", known.has(name))
					if err != nil {
						return nil, err
					}
					if !newer && known.has(name) != "" {
						best[name] = ""
					}
				}
				return best, err
			})},
		&Function{Name: "pkg.list_upgrades", Doc: "Return the packages that can be upgraded, with their new versions.",
			Params: []Param{{Name: "dist_upgrade", Kind: states.Bool, Default: true, Doc: "also those that need others"}},
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				p := &packages{env: env}
				if err := p.usable(); err != nil {
					return nil, err
				}
				news, err := p.upgradable(ctx, args.Bool("dist_upgrade"))
				out := map[string]any{}
				for name, version := range news {
					out[name] = version
				}
				return out, err
			}},
		&Function{Name: "pkg.refresh_db", Doc: "Fetch the lists of packages.", Mutates: true,
			Run: func(ctx context.Context, env *Env, _ Args) (any, error) {
				p := &packages{env: env}
				if err := p.usable(); err != nil {
					return nil, err
				}
				return true, p.refresh(ctx, true)
			}},
	)
	for _, f := range []struct{ name, state, doc string }{
		{"install", "pkg.installed", "Install packages, and return what has changed."},
		{"remove", "pkg.removed", "Remove packages, and return what has changed."},
		{"purge", "pkg.purged", "Remove packages with their configuration files, and return what has changed."},
		{"upgrade", "pkg.uptodate", "Upgrade all packages, and return what has changed."},
	} {
		r.Register(&Function{Name: "pkg." + f.name, Doc: f.doc, Mutates: true, Open: true, Rest: "pkgs",
			Params: []Param{{Name: "pkgs", Aliases: []string{"name"}, Kind: states.List, Doc: "the packages"}},
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				return applyAs(ctx, env, f.state, "packages", args)
			}})
	}
}

// applyAs runs one state function and returns its changes.
func applyAs(ctx context.Context, env *Env, name, id string, args Args) (any, error) {
	function, err := States(env).Lookup(name)
	if err != nil {
		return nil, err
	}
	given := Args{}
	for key, value := range args {
		param, ok := states.FindParam(function.Params, key)
		if !ok {
			return nil, fmt.Errorf("%s: unknown argument %q", name, key)
		}
		if given[param.Name], err = param.Convert(value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, param := range function.Params {
		if given[param.Name] == nil && param.Default != nil {
			given[param.Name] = param.Default
		}
	}
	result, err := function.Apply(ctx, &states.Call{
		ID: id, Name: id, Function: name, Args: given, Required: func() []states.Reference { return nil }, Vars: func() map[string]any { return map[string]any{} },
	})
	if err != nil {
		return nil, err
	}
	if result.Outcome == states.Failed {
		return nil, &Failure{Value: result.Changes, Code: 1, Msg: result.Comment}
	}
	if result.Changes == nil {
		return map[string]any{}, nil
	}
	return result.Changes, nil
}

func registerService(r *Registry) {
	params := []Param{{Name: "name", Kind: states.Text, Required: true, Doc: "the service"}}
	ask := func(name, doc string, answer func(ctx context.Context, env *Env, u *unit) (any, error)) {
		r.Register(&Function{Name: "service." + name, Doc: doc, Params: params, Run: func(ctx context.Context, env *Env, args Args) (any, error) {
			u, err := env.unit(ctx, args.Text("name"))
			if err != nil {
				return nil, err
			}
			return answer(ctx, env, u)
		}})
	}
	simple := func(value func(*unit) any) func(context.Context, *Env, *unit) (any, error) {
		return func(_ context.Context, _ *Env, u *unit) (any, error) { return value(u), nil }
	}
	ask("status", "Return whether a service runs.", simple(func(u *unit) any { return u.running() }))
	ask("available", "Return whether there is such a service.", simple(func(u *unit) any { return u.exists() }))
	ask("missing", "Return whether there is no such service.", simple(func(u *unit) any { return !u.exists() }))
	ask("masked", "Return whether a service is masked.", simple(func(u *unit) any { return u.masked() }))
	ask("enabled", "Return whether a service starts at boot.", func(ctx context.Context, env *Env, u *unit) (any, error) { return env.enabled(ctx, u) })
	ask("disabled", "Return whether a service does not start at boot.", func(ctx context.Context, env *Env, u *unit) (any, error) {
		on, err := env.enabled(ctx, u)
		return !on, err
	})
	r.Register(&Function{Name: "service.get_all", Doc: "Return the names of the services.",
		Run: func(ctx context.Context, env *Env, _ Args) (any, error) {
			text, err := env.must(ctx, "systemctl", "list-unit-files", "--type=service", "--no-legend", "--plain", "--no-pager")
			names := []any{}
			for line := range strings.Lines(text) {
				if fields := strings.Fields(line); len(fields) > 0 {
					names = append(names, strings.TrimSuffix(fields[0], ".service"))
				}
			}
			return names, err
		}})
	for _, verb := range []string{"start", "stop", "restart", "reload", "enable", "disable", "mask", "unmask"} {
		r.Register(&Function{Name: "service." + verb, Doc: "Tell systemd to " + verb + " a service, and return true.", Params: params, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				u, err := env.unit(ctx, args.Text("name"))
				if err != nil {
					return nil, err
				}
				if err := env.fresh(ctx, u); err != nil {
					return nil, err
				}
				return env.last(ctx, "systemctl", "--no-ask-password", verb, "--", u.name)
			}})
	}
	r.Register(&Function{Name: "service.systemctl_reload", Doc: "Make systemd read its unit files again.", Mutates: true,
		Run: func(ctx context.Context, env *Env, _ Args) (any, error) {
			return true, env.systemctl(ctx, "daemon-reload")
		}})
}
