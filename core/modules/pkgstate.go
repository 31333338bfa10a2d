package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// pkgStates are the pkg.* state functions.
func pkgStates(env *Env) []*states.Function {
	p := &packages{env: env}
	name := Param{Name: "name", Kind: states.Text, Doc: "the package"}
	list := Param{Name: "pkgs", Kind: states.List, Doc: "several packages, each a name or a mapping of name to version"}
	version := Param{Name: "version", Kind: states.Text, Doc: "version: exact, with stars, or after >=, <=, >, <, =, !="}
	refresh := Param{Name: "refresh", Kind: states.Bool, Doc: "fetch the lists of packages first; once a run by default, if anything is to be installed"}
	install := []Param{
		name, list, version, refresh,
		{Name: "sources", Kind: states.List, Doc: "packages to install from files: mappings of name to salt://, https:// or absolute path"},
		{Name: "fromrepo", Kind: states.Text, Doc: "release to take the packages from"},
		{Name: "skip_verify", Kind: states.Bool, Doc: "take packages that nobody has signed"},
		{Name: "install_recommends", Kind: states.Bool, Default: true, Doc: "also install what the packages recommend"},
		{Name: "only_upgrade", Kind: states.Bool, Doc: "only upgrade what is installed"},
		{Name: "hold", Kind: states.Bool, Doc: "hold the packages at their version, or release them"},
		{Name: "update_holds", Kind: states.Bool, Doc: "change packages that are held"},
		{Name: "reinstall", Kind: states.Bool, Doc: "install again what is installed"},
		{Name: "ignore_epoch", Kind: states.Bool, Doc: "the epoch of a version is no difference"},
		{Name: "cache_valid_time", Kind: states.Int, Doc: "accepted; lists are fetched at most once a run"},
		{Name: "allow_updates", Kind: states.Bool, Doc: "a newer version than the wanted one is right too"},
		{Name: "skip_suggestions", Kind: states.Bool, Doc: "accepted"},
		{Name: "normalize", Kind: states.Bool, Doc: "accepted"},
		{Name: "resolve_capabilities", Kind: states.Bool, Doc: "accepted; packages that provide a name count"},
		{Name: "pkg_verify", Doc: "accepted; use cmd.run with dpkg --verify"},
		{Name: "dist_upgrade", Kind: states.Bool, Doc: "also remove what is in the way of an upgrade"},
		{Name: "test_repo", Kind: states.Bool, Doc: "accepted"},
		{Name: "downloadonly", Kind: states.Bool, Doc: "only download the packages"},
	}
	function := func(name, doc string, params []Param, apply func(context.Context, *states.Call) (states.Result, error)) *states.Function {
		guarded := func(ctx context.Context, call *states.Call) (states.Result, error) {
			if err := p.usable(); err != nil {
				return states.Result{}, err
			}
			return apply(ctx, call)
		}
		return hostState(env, states.Function{Name: "pkg." + name, Doc: doc, Params: params, Mutex: "pkg"}, guarded)
	}
	gone := []Param{name, list, version, {Name: "normalize", Kind: states.Bool, Doc: "accepted"}, {Name: "ignore_epoch", Kind: states.Bool, Doc: "accepted"}}
	return []*states.Function{
		function("installed", "Make packages be installed.", install, p.installedState),
		function("latest", "Make packages be installed in the newest version.", install, p.latestState),
		function("removed", "Make packages not be installed.", gone, p.removedState),
		function("purged", "Make packages and their configuration files not be there.", gone, p.purgedState),
		function("uptodate", "Upgrade all packages.", []Param{name, refresh, list,
			{Name: "dist_upgrade", Kind: states.Bool, Default: true, Doc: "also install and remove what the upgrade needs"}}, p.uptodateState),
		function("held", "Hold packages at their version.", []Param{name, list,
			{Name: "replace", Kind: states.Bool, Doc: "release all others"}}, p.heldState),
		function("unheld", "Release packages that are held.", []Param{name, list,
			{Name: "all", Kind: states.Bool, Doc: "release all that are held"}}, p.unheldState),
	}
}

func (p *packages) installedState(ctx context.Context, call *states.Call) (states.Result, error) {
	if call.Args.Has("sources") {
		return p.fromFiles(ctx, call)
	}
	wanted, err := wishes(call)
	if err != nil {
		return states.Result{}, err
	}
	list, err := p.targets(ctx, call, wanted)
	if err != nil {
		return states.Result{}, err
	}
	return p.install(ctx, call, wanted, list)
}

// install brings the targets in, and holds or releases all that were asked for.
func (p *packages) install(ctx context.Context, call *states.Call, wanted []wish, list []target) (states.Result, error) {
	holds, err := p.holdChanges(ctx, call, wanted)
	if err != nil {
		return states.Result{}, err
	}
	if len(list) == 0 && len(holds) == 0 {
		return settled("All specified packages are installed in the right version")
	}
	if call.Test {
		changes := map[string]any{}
		for _, t := range list {
			changes[t.name] = was(t.have, orElse(t.version, "installed"))
		}
		for name, change := range holds {
			changes[name] = change
		}
		return call.Changed(changes, fmt.Sprintf("%s would be installed, updated, held or released: %s", count(len(changes), "package"), strings.Join(sortedKeys(changes), ", "))), nil
	}
	changes := map[string]any{}
	var warnings []string
	if len(list) > 0 {
		if force := call.Args.Bool("refresh"); force || !call.Args.Has("refresh") {
			if err := p.refresh(ctx, force); err != nil {
				warnings = append(warnings, err.Error())
			}
		}
		if changes, err = p.installTargets(ctx, call, list); err != nil {
			return states.Result{Changes: changes, Warnings: warnings}, err
		}
	}
	if err := p.setHolds(ctx, holds); err != nil {
		return states.Result{Changes: changes, Warnings: warnings}, err
	}
	for name, change := range holds {
		if changes[name] == nil {
			changes[name] = change
		}
	}
	if left, err := p.targets(ctx, call, wanted); err != nil || len(left) > 0 && !call.Args.Bool("reinstall") && !call.Args.Bool("downloadonly") {
		names := make([]string, len(left))
		for i, t := range left {
			names[i] = t.name
		}
		return states.Result{Changes: changes, Warnings: warnings}, errors.Join(err, fmt.Errorf("APT has not installed what was asked for of %s", strings.Join(names, ", ")))
	}
	result := call.Changed(changes, fmt.Sprintf("%s installed, updated, held or released", count(len(changes), "package")))
	result.Warnings = warnings
	return result, nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (p *packages) installTargets(ctx context.Context, call *states.Call, list []target) (map[string]any, error) {
	if err := p.choose(ctx, call, list); err != nil {
		return nil, err
	}
	args := call.Args
	words := []string{"install"}
	for flag, on := range map[string]bool{
		"--no-install-recommends": !args.Bool("install_recommends"), "--allow-unauthenticated": args.Bool("skip_verify"),
		"--only-upgrade": args.Bool("only_upgrade"), "--allow-change-held-packages": args.Bool("update_holds"), "--reinstall": args.Bool("reinstall"),
		"--download-only": args.Bool("downloadonly"),
	} {
		if on {
			words = append(words, flag)
		}
	}
	if release := args.Text("fromrepo"); release != "" {
		words = append(words, "-t", release)
	}
	for _, t := range list {
		if t.want != "" {
			words = append(words, "--allow-downgrades")
			break
		}
	}
	words = append(words, "--")
	for _, t := range list {
		if strings.HasPrefix(t.name, "-") || strings.ContainsAny(t.name, " /=") {
			return nil, fmt.Errorf("%q cannot be the name of a package", t.name)
		}
		if t.want != "" {
			words = append(words, t.name+"="+t.want)
		} else {
			words = append(words, t.name)
		}
	}
	return p.apt(ctx, words...)
}

// fromFiles installs the packages of sources that are not installed.
func (p *packages) fromFiles(ctx context.Context, call *states.Call) (states.Result, error) {
	known, err := p.list(ctx)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	files := &fileStates{env: p.env}
	words := []string{"install", "--allow-downgrades"}
	if !call.Args.Bool("install_recommends") {
		words = append(words, "--no-install-recommends")
	}
	for _, item := range call.Args.List("sources") {
		one, ok := item.(map[string]any)
		if !ok || len(one) != 1 {
			return states.Result{}, fmt.Errorf("sources takes mappings of a package's name to its file, not %v", item)
		}
		if len(one) != 1 {
			return states.Result{}, fmt.Errorf("sources takes mappings of one package's name to its file, not %v", item)
		}
		name := sortedKeys(one)[0]
		source := fmt.Sprint(one[name])
		if known.has(name) != "" && !call.Args.Bool("reinstall") {
			continue
		}
		if changes[name] = was(known.has(name), "installed"); call.Test {
			continue
		}
		file, clean, err := files.localCopy(ctx, source, "*.deb", Args{"skip_verify": true})
		if err != nil {
			return states.Result{}, fmt.Errorf("source %q: %w", public(source), err)
		}
		defer clean()
		// apt gives up its rights to read it.
		if err := os.Chmod(file, 0o644); err != nil {
			return states.Result{}, err
		}
		words = append(words, file)
	}
	if len(changes) == 0 {
		return settled("All specified packages are installed")
	}
	return p.change(ctx, call, changes, "installed", words...)
}

// change runs apt-get, unless this is a test run, and says what has become of the packages.
func (p *packages) change(ctx context.Context, call *states.Call, changes map[string]any, what string, words ...string) (states.Result, error) {
	if call.Test {
		return call.Changed(changes, fmt.Sprintf("%s would be %s", count(len(changes), "package"), what)), nil
	}
	done, err := p.apt(ctx, words...)
	if err != nil {
		return states.Result{Changes: done}, err
	}
	return call.Changed(done, fmt.Sprintf("%s %s", count(len(done), "package"), what)), nil
}

func (p *packages) latestState(ctx context.Context, call *states.Call) (states.Result, error) {
	wanted, err := wishes(call)
	if err != nil {
		return states.Result{}, err
	}
	known, err := p.list(ctx)
	if err != nil {
		return states.Result{}, err
	}
	var warnings []string
	if force := call.Args.Bool("refresh"); !call.Test && (force || !call.Args.Has("refresh")) {
		if err := p.refresh(ctx, force); err != nil {
			warnings = append(warnings, err.Error())
		}
	}
	names := make([]string, len(wanted))
	for i, w := range wanted {
		names[i] = w.name
	}
	best, err := p.candidates(ctx, names)
	if err != nil {
		return states.Result{}, err
	}
	var list []target
	for _, w := range wanted {
		have, candidate := known.has(w.name), best[w.name]
		switch {
		case candidate == "" && have == "":
			return states.Result{Warnings: warnings}, fmt.Errorf("there is no package %q: look at its name, and at the lists with apt-get update", w.name)
		case candidate == "" || candidate == have || have == "" && call.Args.Bool("only_upgrade"):
			continue
		}
		if have != "" {
			if newer, err := p.compare(ctx, candidate, "gt", have); err != nil || !newer {
				if err != nil {
					return states.Result{}, err
				}
				continue
			}
		}
		list = append(list, target{wish: wish{w.name, candidate}, have: have, want: candidate})
	}
	if len(list) == 0 {
		result, err := settled("All specified packages are up to date")
		result.Warnings = warnings
		return result, err
	}
	changes := map[string]any{}
	for _, t := range list {
		changes[t.name] = was(t.have, t.want)
	}
	if call.Test {
		return call.Changed(changes, fmt.Sprintf("%s would be installed or upgraded: %s", count(len(list), "package"), strings.Join(sortedKeys(changes), ", "))), nil
	}
	if changes, err = p.installTargets(ctx, call, list); err != nil {
		return states.Result{Changes: changes, Warnings: warnings}, err
	}
	result := call.Changed(changes, fmt.Sprintf("%s installed or upgraded", count(len(changes), "package")))
	result.Warnings = warnings
	return result, nil
}

func (p *packages) removedState(ctx context.Context, call *states.Call) (states.Result, error) {
	return p.take(ctx, call, "remove")
}

func (p *packages) purgedState(ctx context.Context, call *states.Call) (states.Result, error) {
	return p.take(ctx, call, "purge")
}

func (p *packages) take(ctx context.Context, call *states.Call, how string) (states.Result, error) {
	wanted, err := wishes(call)
	if err != nil {
		return states.Result{}, err
	}
	known, err := p.list(ctx)
	if err != nil {
		return states.Result{}, err
	}
	changes, words := map[string]any{}, []string{how, "--"}
	for _, w := range wanted {
		name := known.plain(w.name)
		have := known.versions[name]
		fits, err := p.fits(ctx, have, w.version, call.Args)
		if err != nil {
			return states.Result{}, err
		}
		if fits {
			changes[w.name] = was(have, "")
		} else if how == "purge" && known.removed[name] {
			changes[w.name] = was("configuration files", "")
		} else {
			continue
		}
		words = append(words, w.name)
	}
	if len(changes) == 0 {
		return settled("None of the specified packages is there")
	}
	return p.change(ctx, call, changes, "removed", words...)
}

func (p *packages) uptodateState(ctx context.Context, call *states.Call) (states.Result, error) {
	if force := call.Args.Bool("refresh"); !call.Test && (force || !call.Args.Has("refresh")) {
		if err := p.refresh(ctx, force); err != nil {
			return states.Result{}, err
		}
	}
	dist := call.Args.Bool("dist_upgrade")
	news, err := p.upgradable(ctx, dist)
	if err != nil {
		return states.Result{}, err
	}
	known, err := p.list(ctx)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	for name, version := range news {
		changes[name] = was(known.has(name), version)
	}
	if len(changes) == 0 {
		return settled("The system is up to date")
	}
	word := "upgrade"
	if dist {
		word = "dist-upgrade"
	}
	return p.change(ctx, call, changes, "upgraded", word)
}
