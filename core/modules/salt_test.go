package modules_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/target"
)

// TestSalt runs the cases of testdata/salt and holds them to what Salt did, or to the zester section of a case where that
// is not the same on purpose. testdata/salt/compare.py says how Salt's side was made.
func TestSalt(t *testing.T) {
	cases, err := filepath.Glob("testdata/salt/*.txtar")
	if err != nil || len(cases) < 100 {
		t.Fatalf("testdata/salt has %d cases (%v)", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sections := map[string]string{"runs": "state.apply main\n"}
			for _, file := range archive.Files {
				sections[file.Name] = string(file.Data)
				if strings.Contains(string(file.Data), "-- salt --") {
					t.Fatalf("%s does not end with a newline: it swallows the section behind it", file.Name)
				}
			}
			want := sections["salt"]
			if own, ok := sections["zester"]; ok {
				_, want, _ = strings.Cut(own, "\n")
			}
			if got := saltRuns(t, sections); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// saltWord is a word of a line of runs.
var saltWord = regexp.MustCompile(`"[^"]*"|\S+`)

func saltRuns(t *testing.T, sections map[string]string) string {
	t.Helper()
	env, root := saltHost(t, sections)
	var out strings.Builder
	for _, run := range strings.Split(strings.TrimSpace(sections["runs"]), "\n") {
		fmt.Fprintf(&out, "> %s\n", run)
		if line, ok := strings.CutPrefix(run, "$ "); ok {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
			cmd.Dir = root
			if message, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", line, err, message)
			}
			continue
		}
		words := saltWord.FindAllString(strings.ReplaceAll(run, "$ROOT", root), -1)
		var args []any
		kwargs := map[string]any{}
		for _, word := range words[1:] {
			key, value, ok := strings.Cut(strings.Trim(word, `"`), "=")
			if !ok {
				args = append(args, key)
				continue
			}
			kwargs[key] = plainYAML(t, value)
		}
		value, err := modules.Builtin().Call(t.Context(), env, words[0], args, kwargs)
		if failure, ok := err.(*modules.Failure); ok {
			value = failure.Value
		}
		if shows := strings.HasPrefix(words[0], "state.show_") || strings.HasSuffix(words[0], "_exists"); shows && err == nil {
			out.WriteString(encode(t, settings.Plain(value)) + "\n")
			continue
		}
		out.WriteString(saltStates(value))
	}
	out.WriteString("> files\n" + saltListing(t, root))
	return strings.ReplaceAll(out.String(), root, "$ROOT")
}

// saltHost is web-01, as compare.py describes it.
func saltHost(t *testing.T, sections map[string]string) (*modules.Env, string) {
	t.Helper()
	tree := map[string]string{}
	for name, text := range sections {
		if !slices.Contains([]string{"runs", "salt", "zester", "settings.yaml", "conf.yaml"}, name) {
			tree[name] = text
		}
	}
	env, root := newEnv(t, tree)
	facts := map[string]any{
		"id": "web-01", "roles": []any{"web", "db"}, "os": "Debian", "os_family": "Debian", "osfinger": "Debian-12", "osrelease": "12",
		"oscodename": "bookworm", "kernel": "Linux", "fqdn": "web-01.example.org", "colour": map[string]any{"deep": "blue"},
		"ipv4": []any{"127.0.0.1"}, "root": root,
	}
	given, _ := plainYAML(t, sections["settings.yaml"]).(map[string]any)
	pillar := settings.FromPlain(given)
	env.PeelID, env.Confine = "web-01", ""
	conf, _ := plainYAML(t, sections["conf.yaml"]).(map[string]any)
	env.Saltenv, _ = conf["saltenv"].(string)
	env.Facts = func() map[string]any { return facts }
	env.Grains = func() map[string]any { return maps.Clone(facts) }
	env.Settings = func() *settings.Map { return pillar }
	env.Match = func(text string) (bool, error) {
		expression, err := target.Parse(text)
		return err == nil && expression.Match(target.Peel{ID: env.PeelID, Facts: facts, Settings: pillar.Plain()}), err
	}
	if dir, ok := env.Tree.(files.Directory); ok {
		env.Engine = render.New(render.Options{Loader: dir})
	}
	return env, root
}

func plainYAML(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return plainValue(value)
}

func plainValue(value any) any {
	switch value := value.(type) {
	case int:
		return int64(value)
	case []any:
		for i := range value {
			value[i] = plainValue(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = plainValue(value[key])
		}
	}
	return value
}

// saltStates prints a report as compare.py does.
func saltStates(value any) string {
	report, ok := value.(map[string]any)
	if !ok || report["states"] == nil {
		return "refused\n"
	}
	list := slices.Clone(report["states"].([]any))
	slices.SortFunc(list, func(a, b any) int {
		return int(a.(map[string]any)["run"].(int64) - b.(map[string]any)["run"].(int64))
	})
	var out strings.Builder
	for _, item := range list {
		state := item.(map[string]any)
		function, id := state["function"].(string), state["id"].(string)
		if strings.HasPrefix(id, "listener_") {
			module, _, _ := strings.Cut(function, ".")
			function = module + ".mod_watch"
		}
		out.WriteString(function + " " + id)
		if state["name"] != id {
			fmt.Fprintf(&out, " (%s)", state["name"])
		}
		result := "none"
		if state["result"] != nil {
			result = fmt.Sprint(state["result"])
		}
		out.WriteString(": " + result)
		if len(state["changes"].(map[string]any)) > 0 {
			out.WriteString(" changed")
		}
		if state["ran"] == false {
			out.WriteString(" not-run")
		}
		out.WriteString("\n")
	}
	return out.String()
}

func saltListing(t *testing.T, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		switch {
		case d.IsDir():
			fmt.Fprintf(&out, "%s/ %04o\n", name, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "%s -> %s\n", name, link)
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "%s %04o %s\n", name, info.Mode().Perm(), encode(t, string(data)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
