package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// unit is what systemd knows of a service.
type unit struct {
	name                     string
	load, active, kind, file string
	stale                    bool // its file has changed since systemd read it
}

func (u *unit) exists() bool { return u.load != "not-found" && u.load != "" }
func (u *unit) masked() bool { return u.load == "masked" || strings.HasPrefix(u.file, "masked") }

// running counts a unit that is about to run, as systemctl is-active does not.
func (u *unit) running() bool {
	return slices.Contains([]string{"active", "activating", "reloading", "refreshing"}, u.active)
}

// unitName completes a service's name.
func unitName(name string) string {
	for _, kind := range []string{".service", ".socket", ".timer", ".target", ".mount", ".automount", ".path", ".swap", ".slice", ".scope", ".device"} {
		if strings.HasSuffix(name, kind) {
			return name
		}
	}
	return name + ".service"
}

// systemctl runs systemctl and fails where it does.
func (env *Env) systemctl(ctx context.Context, words ...string) error {
	_, err := env.must(ctx, append([]string{"systemctl", "--no-ask-password"}, words...)...)
	return err
}

// unit looks at a service.
func (env *Env) unit(ctx context.Context, name string) (*unit, error) {
	if !hasTool("systemctl") {
		return nil, errors.New("this host has no systemd: service states and functions need it")
	}
	if strings.HasPrefix(name, "-") || name == "" || strings.ContainsAny(name, "/ \n") {
		return nil, fmt.Errorf("%q cannot be the name of a service", name)
	}
	name = unitName(name)
	text, err := env.must(ctx, "systemctl", "show", "--property=LoadState,ActiveState,Type,UnitFileState,NeedDaemonReload", "--", name)
	if err != nil {
		return nil, err
	}
	u := &unit{name: name}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "LoadState":
			u.load = value
		case "ActiveState":
			u.active = value
		case "Type":
			u.kind = value
		case "UnitFileState":
			u.file = value
		case "NeedDaemonReload":
			u.stale = value == "yes"
		}
	}
	if u.load == "not-found" {
		// A unit file that has come since systemd looked, or that is only the template of an instance.
		out, err := env.tool(ctx, "", "systemctl", "cat", "--", name)
		if err != nil {
			return nil, err
		}
		if out.code == 0 {
			u.load, u.stale = "loaded", true
		}
	}
	return u, nil
}

// enabled asks whether a service starts at boot, in any way that systemctl counts as such.
func (env *Env) enabled(ctx context.Context, u *unit) (bool, error) {
	if !u.exists() {
		return false, nil
	}
	out, err := env.tool(ctx, "", "systemctl", "is-enabled", "--", u.name)
	if err != nil || out.code == 0 {
		return err == nil, err
	}
	switch state := out.stdout; {
	case state == "bad":
		return false, fmt.Errorf("systemctl cannot tell whether %s is enabled: its unit file is not valid", u.name)
	case state != "" && strings.Trim(state, "abcdefghijklmnopqrstuvwxyz-") == "": // disabled, masked, linked, not-found...
		return false, nil
	case strings.Contains(out.stderr, "No such file or directory"): // what was made without a file, as older systemd says it
		return false, nil
	}
	return false, toolError("systemctl is-enabled", out)
}

// fresh makes systemd read its files again where one has changed.
func (env *Env) fresh(ctx context.Context, u *unit) error {
	if !u.stale {
		return nil
	}
	return env.systemctl(ctx, "daemon-reload")
}
