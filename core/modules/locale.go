package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

const zoneInfo = "/usr/share/zoneinfo"

// localeStates are timezone.system, locale.present and locale.system.
func localeStates(env *Env) []*states.Function {
	name := func(doc string) Param { return Param{Name: "name", Kind: states.Text, Doc: doc} }
	return []*states.Function{
		hostState(env, states.Function{Name: "timezone.system", Doc: "Set the time zone of the host.", Mutex: "timezone", Params: []Param{
			name("the zone, such as Europe/Berlin"),
			{Name: "utc", Kind: states.Bool, Default: true, Doc: "accepted; the clock of the machine is left alone"},
		}}, func(_ context.Context, call *states.Call) (states.Result, error) { return setZone(env, call) }),
		hostState(env, states.Function{Name: "locale.present", Doc: "Make a locale be generated.", Mutex: "locale", Params: []Param{
			name("the locale, such as de_DE.UTF-8"),
		}}, func(ctx context.Context, call *states.Call) (states.Result, error) { return addLocale(ctx, env, call) }),
		hostState(env, states.Function{Name: "locale.system", Doc: "Set the locale of the host.", Mutex: "locale", Params: []Param{
			name("the locale, such as de_DE.UTF-8"),
		}}, func(_ context.Context, call *states.Call) (states.Result, error) { return setLocale(env, call) }),
	}
}

// zone is the time zone of the host: where /etc/localtime leads, or what /etc/timezone says.
func zone() (string, error) {
	link, err := os.Readlink("/etc/localtime")
	if err == nil {
		if _, name, ok := strings.Cut(link, "zoneinfo/"); ok {
			return name, nil
		}
	}
	data, err := os.ReadFile("/etc/timezone")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

func setZone(env *Env, call *states.Call) (states.Result, error) {
	have, err := zone()
	if err != nil {
		return states.Result{}, err
	}
	if !fs.ValidPath(call.Name) {
		return states.Result{}, fmt.Errorf("%q is not a time zone such as Europe/Berlin", call.Name)
	}
	if _, err := os.Stat(filepath.Join(zoneInfo, call.Name)); err != nil && !call.Test {
		return states.Result{}, fmt.Errorf("there is no time zone %q: look at its name, or install tzdata", call.Name)
	}
	changes := map[string]any{}
	if have != call.Name {
		changes["timezone"] = was(have, call.Name)
	}
	return settle(call, changes, "The time zone", func() error {
		at, err := env.locate("/etc/localtime", false)
		if err != nil {
			return err
		}
		one := *call
		one.Args = Args{}
		files := &fileStates{env: env}
		if err := files.link(&one, at, filepath.Join(zoneInfo, call.Name), attributes{}); err != nil {
			return err
		}
		file, before, err := env.textFile("/etc/timezone")
		if err != nil || file.info == nil {
			return err
		}
		return env.saveText(file, before, call.Name+"\n", 0o644)
	})
}

// plainLocale spells a locale as locale -a lists it: de_DE.utf8.
func plainLocale(name string) string {
	base, set, ok := strings.Cut(name, ".")
	if !ok {
		return name
	}
	return base + "." + strings.ToLower(strings.ReplaceAll(set, "-", ""))
}

func addLocale(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	if strings.ContainsAny(call.Name, " \n/#") || call.Name == "" {
		return states.Result{}, fmt.Errorf("%q is not a locale such as de_DE.UTF-8", call.Name)
	}
	text, err := env.must(ctx, "locale", "-a")
	if err != nil {
		return states.Result{}, err
	}
	for line := range strings.Lines(text) {
		if plainLocale(strings.TrimSpace(line)) == plainLocale(call.Name) {
			return settled("Locale %s is there", call.Name)
		}
	}
	return settle(call, map[string]any{"locale": call.Name}, "Locale "+call.Name, func() error {
		if !hasTool("locale-gen") {
			return errors.New("there is no locale-gen on this host: install locales, with a pkg.installed that this state requires")
		}
		at, before, err := env.textFile("/etc/locale.gen")
		if err != nil {
			return err
		}
		_, set, ok := strings.Cut(call.Name, ".")
		if !ok {
			set = "ISO-8859-1"
		}
		want := call.Name + " " + strings.ToUpper(strings.Replace(strings.ToUpper(set), "UTF8", "UTF-8", 1))
		if strings.Contains("\n"+before, "\n"+want+"\n") {
			_, err = env.must(ctx, "locale-gen")
			return err
		}
		if err := env.saveText(at, before, appended(before, want+"\n"), 0o644); err != nil {
			return err
		}
		_, err = env.must(ctx, "locale-gen")
		return err
	})
}

func setLocale(env *Env, call *states.Call) (states.Result, error) {
	path := "/etc/locale.conf"
	if _, err := os.Stat("/etc/default"); err == nil {
		path = "/etc/default/locale"
	}
	if link, err := filepath.EvalSymlinks("/etc/default/locale"); err == nil {
		path = link
	}
	at, before, err := env.textFile(path)
	if err != nil {
		return states.Result{}, err
	}
	var out strings.Builder
	have := ""
	for line := range strings.Lines(before) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "LANG="); ok {
			have = strings.Trim(value, `"'`)
			continue
		}
		out.WriteString(line)
	}
	changes := map[string]any{}
	if have != call.Name {
		changes["locale"] = was(have, call.Name)
	}
	if strings.ContainsAny(call.Name, "\n\"' ") {
		return states.Result{}, fmt.Errorf("%q is not a locale such as de_DE.UTF-8", call.Name)
	}
	return settle(call, changes, "The locale of the host", func() error {
		return env.saveText(at, before, appended(out.String(), "LANG="+call.Name+"\n"), 0o644)
	})
}
