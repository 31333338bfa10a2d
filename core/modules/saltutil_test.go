package modules_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSyncs: there is nothing to sync, and what somebody means to be synced is an error, in whatever environment it is.
func TestSyncs(t *testing.T) {
	env, _ := newEnv(t, map[string]string{"top.zy": "", "@dev/_modules/mine.py": "", "@dev/web.zy": "", "_grains/rack.py": "", "a/_states/x.py": ""})
	for _, c := range []struct {
		function string
		kwargs   map[string]any
		want     string
	}{
		{"saltutil.sync_states", nil, "[] <nil>"},
		{"saltutil.sync_modules", map[string]any{"saltenv": "base", "refresh": true}, "[] <nil>"},
		{"saltutil.sync_modules", nil, `<nil> saltutil.sync_modules: "_modules/mine.py" of environment dev: Python modules are not run here; call what it does with cmd.script, and take it out of the tree`},
		{"saltutil.sync_modules", map[string]any{"saltenv": "base,dev"}, `<nil> saltutil.sync_modules: "_modules/mine.py" of environment dev: Python modules are not run here; call what it does with cmd.script, and take it out of the tree`},
		{"saltutil.sync_all", map[string]any{"saltenv": "base"}, `<nil> saltutil.sync_all: "_grains/rack.py" of environment base: Python modules are not run here; call what it does with cmd.script, and take it out of the tree`},
		{"saltutil.sync_module", nil, `<nil> unknown function "saltutil.sync_module" (did you mean "saltutil.sync_modules"?)`},
		{"saltutil.refresh_modules", nil, "true <nil>"},
	} {
		value, err := call(t, env, c.function, nil, c.kwargs)
		if got := fmt.Sprint(value, " ", err); got != c.want {
			t.Errorf("%s %v: %s\nwant %s", c.function, c.kwargs, got, c.want)
		}
	}
	clean, _ := newEnv(t, map[string]string{"web.zy": ""})
	value, err := call(t, clean, "saltutil.sync_all", nil, nil)
	all, _ := value.(map[string]any)
	if err != nil || len(all) != 21 || fmt.Sprint(all["modules"]) != "[]" || fmt.Sprint(all["grains"]) != "[]" {
		t.Errorf("saltutil.sync_all returned %v (%v)", value, err)
	}
}

// TestRefreshes: each asks for what it is named after, and tells what came of it.
func TestRefreshes(t *testing.T) {
	env, _ := newEnv(t, nil)
	if _, err := call(t, env, "saltutil.refresh_pillar", nil, nil); err == nil || err.Error() != "settings.refresh: settings cannot be read anew here" {
		t.Errorf("without a store: %v", err)
	}
	var asked []string
	var failure error
	env.RefreshFacts = func(context.Context) error { asked = append(asked, "facts"); return failure }
	env.RefreshSettings = func(context.Context) error { asked = append(asked, "settings"); return failure }
	for _, c := range []struct{ function, want string }{
		{"saltutil.refresh_grains", "facts"}, {"facts.refresh", "facts"}, {"saltutil.refresh_pillar", "settings"}, {"settings.refresh", "settings"},
	} {
		asked, failure = nil, nil
		if value, err := call(t, env, c.function, nil, nil); value != true || err != nil || fmt.Sprint(asked) != "["+c.want+"]" {
			t.Errorf("%s returned %v (%v) and asked for %v", c.function, value, err, asked)
		}
		failure = errors.New("the bus is away")
		if _, err := call(t, env, c.function, nil, nil); !errors.Is(err, failure) {
			t.Errorf("%s: %v, want %v", c.function, err, failure)
		}
	}
	failure = nil
	if value, err := call(t, env, "saltutil.refresh_pillar", nil, map[string]any{"wait": true, "timeout": int64(60)}); value != true || err != nil {
		t.Errorf("with Salt's arguments: %v (%v)", value, err)
	}
}

// TestStatus: what a host says of itself has the names that Salt gives it, and makes sense.
func TestStatus(t *testing.T) {
	env, _ := newEnv(t, nil)
	before := time.Now().Unix()
	value, err := call(t, env, "status.uptime", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	up := value.(map[string]any)
	want := []string{"days", "seconds", "since_iso", "since_t", "time"}
	if _, err := exec.LookPath("who"); err == nil {
		want = append(want, "users")
	}
	if got := slices.Sorted(maps.Keys(up)); !slices.Equal(got, want) {
		t.Errorf("status.uptime has %v, want %v", got, want)
	}
	seconds, since := up["seconds"].(int64), up["since_t"].(int64)
	if now := time.Now().Unix(); seconds <= 0 || seconds+since < before-1 || seconds+since > now+1 {
		t.Errorf("up %d seconds since %d, and it is %d", seconds, since, now)
	}
	minutes := seconds / 60
	if up["days"] != minutes/1440 || up["time"] != fmt.Sprintf("%d:%d", minutes/60%24, minutes%60) {
		t.Errorf("%d seconds are %v days and %v", seconds, up["days"], up["time"])
	}
	if iso, err := time.Parse("2006-01-02T15:04:05.000000", up["since_iso"].(string)); err != nil || iso.Unix() != since {
		t.Errorf("since_iso is %v and since_t %d (%v)", up["since_iso"], since, err)
	}
	value, err = call(t, env, "status.loadavg", nil, nil)
	load, _ := value.(map[string]any)
	for _, name := range []string{"1-min", "5-min", "15-min"} {
		if n, ok := load[name].(float64); !ok || n < 0 || len(load) != 3 {
			t.Errorf("status.loadavg returned %v (%v)", value, err)
		}
	}
}

// TestSettingsTakeSaltsArguments: pillar.items has names and environments as Salt's has, one of which there is.
func TestSettingsTakeSaltsArguments(t *testing.T) {
	env, _ := newEnv(t, nil)
	const all = "map[app:map[motd:from the settings port:8080]]"
	for _, c := range []struct {
		function string
		args     []any
		kwargs   map[string]any
		want     string
	}{
		{"pillar.items", nil, nil, all},
		{"pillar.items", nil, map[string]any{"pillarenv": "base", "saltenv": "dev", "unmask": true}, all},
		{"pillar.data", nil, map[string]any{"pillarenv": "base"}, all},
		{"pillar.items", []any{"app:port", "none"}, map[string]any{"pillarenv": "base"}, "map[app:port:8080 none:]"},
		{"pillar.items", nil, map[string]any{"pillarenv": "dev"}, `settings.items: pillarenv "dev": settings have one environment, base; leave it out`},
		{"pillar.items", nil, map[string]any{"pilarenv": "base"}, `pillar.items: unknown argument "pilarenv" (did you mean "pillarenv"?)`},
	} {
		value, err := call(t, env, c.function, c.args, c.kwargs)
		got := fmt.Sprint(value)
		if err != nil {
			got = strings.TrimPrefix(got, "<nil>") + err.Error()
		}
		if got != c.want {
			t.Errorf("%s %v %v: %s, want %s", c.function, c.args, c.kwargs, got, c.want)
		}
	}
}
