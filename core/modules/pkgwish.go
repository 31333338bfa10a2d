package modules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// wish is a package and the version that is asked for, "" for any.
type wish struct{ name, version string }

// wishes reads name, version and pkgs.
func wishes(call *states.Call) ([]wish, error) {
	if !call.Args.Has("pkgs") {
		return []wish{{call.Name, call.Args.Text("version")}}, nil
	}
	if call.Args.Has("version") {
		return nil, errors.New("version cannot be used together with pkgs: write - NAME: VERSION in pkgs")
	}
	var out []wish
	for _, item := range call.Args.List("pkgs") {
		one, ok := item.(map[string]any)
		if !ok {
			out = append(out, wish{name: fmt.Sprint(item)})
			continue
		}
		for _, name := range sortedKeys(one) {
			version := ""
			if one[name] != nil {
				version = fmt.Sprint(one[name])
			}
			out = append(out, wish{name, version})
		}
	}
	return out, nil
}

// target is what a package is to become.
type target struct {
	wish
	have, want string // want is the version to ask APT for, "" for its choice
}

// targets are the wishes that are not fulfilled.
func (p *packages) targets(ctx context.Context, call *states.Call, wishes []wish) ([]target, error) {
	known, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	var out []target
	for _, w := range wishes {
		have := known.has(w.name)
		fits, err := p.fits(ctx, have, w.version, call.Args)
		if err != nil {
			return nil, err
		}
		if fits && !call.Args.Bool("reinstall") || have == "" && call.Args.Bool("only_upgrade") {
			continue
		}
		out = append(out, target{wish: w, have: have})
	}
	return out, nil
}

// fits reports whether an installed version is what is asked for.
func (p *packages) fits(ctx context.Context, have, want string, args Args) (bool, error) {
	switch {
	case have == "" || want == "" || want == "latest":
		return have != "", nil
	case args.Bool("ignore_epoch"):
		have, want = withoutEpoch(have), withoutEpoch(want)
	}
	for part := range strings.SplitSeq(want, ",") {
		operator, version := versionOperator(strings.TrimSpace(part))
		if operator == "" && args.Bool("allow_updates") {
			operator = "ge"
		}
		if operator == "" {
			if ok, err := path.Match(version, have); !ok || err != nil {
				return false, err
			}
			continue
		}
		if ok, err := p.compare(ctx, have, operator, version); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// versionOperator takes a version and what is before it apart, "" for an exact version or one with stars.
func versionOperator(text string) (operator, version string) {
	for _, o := range [][2]string{{">=", "ge"}, {"<=", "le"}, {"==", "eq"}, {"!=", "ne"}, {"<>", "ne"}, {">", "gt"}, {"<", "lt"}, {"=", "eq"}} {
		if rest, ok := strings.CutPrefix(text, o[0]); ok {
			return o[1], strings.TrimSpace(rest)
		}
	}
	return "", text
}

func withoutEpoch(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		return rest
	}
	return version
}

// choose finds for each target the version to ask APT for.
func (p *packages) choose(ctx context.Context, call *states.Call, list []target) error {
	for i, t := range list {
		if t.version == "" || t.version == "latest" {
			continue
		}
		versions, err := p.available(ctx, t.name)
		if err != nil {
			return err
		}
		for _, version := range versions {
			fits, err := p.fits(ctx, version, t.version, call.Args)
			if err != nil {
				return err
			}
			if fits {
				list[i].want = version
				break
			}
		}
		if list[i].want == "" {
			return fmt.Errorf("there is no version %q of %q, only %s", t.version, t.name, strings.Join(versions, ", "))
		}
	}
	return nil
}
