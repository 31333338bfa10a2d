package states_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/states"
)

var update = flag.Bool("update", false, "rewrite what the cases under testdata want")

// tree is a states tree in memory.
type tree map[string]string

func (t tree) Load(_ context.Context, path string) ([]byte, error) {
	if text, ok := t[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (t tree) Names(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(t)), nil }

// registry has functions that do nothing; the real ones are tested in core/modules.
func registry() *states.Registry {
	r := &states.Registry{}
	nothing := func(context.Context, *states.Call) (states.Result, error) {
		return states.Result{Outcome: states.Succeeded}, nil
	}
	add := func(name string, params ...states.Param) {
		r.Register(&states.Function{Name: name, Params: params, Apply: nothing, Watch: nothing})
	}
	add("file.managed", states.Param{Name: "name", Aliases: []string{"path"}},
		states.Param{Name: "contents", Aliases: []string{"content"}}, states.Param{Name: "source", Kind: states.List},
		states.Param{Name: "mode", Kind: states.Text}, states.Param{Name: "makedirs", Kind: states.Bool},
		states.Param{Name: "context", Kind: states.Map})
	add("file.directory", states.Param{Name: "mode", Kind: states.Text})
	add("pkg.installed", states.Param{Name: "version", Kind: states.Text})
	add("service.running", states.Param{Name: "enable", Kind: states.Bool})
	add("cmd.run", states.Param{Name: "cwd", Kind: states.Text}, states.Param{Name: "runas", Kind: states.Text})
	add("user.present", states.Param{Name: "uid", Kind: states.Int, Required: true})
	r.Register(&states.Function{Name: "test.nop", Open: true, Apply: nothing})
	return r
}

func runner(files tree) *states.Runner {
	return states.New(states.Options{
		Registry: registry(), Tree: files, Render: render.New(render.Options{Loader: files}),
		Vars: func(string) map[string]any {
			return map[string]any{"facts": map[string]any{"os": "debian"}, "role": "web"}
		},
		Match: func(target string) (bool, error) { return matches(target) },
	})
}

func matches(target string) (bool, error) {
	switch target {
	case "web-*", "G@role:web", "E@web-\\d+", "N@front":
		return true, nil
	case "G@":
		return false, fmt.Errorf("bad target %q", target)
	case "N@group":
		return false, errors.New(`unknown group "group"`)
	}
	return false, nil
}

// TestCompile runs the cases of testdata/compile: a tree, and the states it becomes or the errors it has.
func TestCompile(t *testing.T) {
	cases, err := filepath.Glob("testdata/compile/*.txtar")
	if err != nil || len(cases) < 20 {
		t.Fatalf("testdata/compile has %d cases (%v)", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want := tree{}, -1
			sls := []string{"main"}
			for i, file := range archive.Files {
				switch file.Name {
				case "want":
					want = i
				case "sls":
					sls = strings.Fields(string(file.Data))
				default:
					files[file.Name] = string(file.Data)
				}
			}
			got := compileText(t, runner(files), sls)
			if want < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				want = len(archive.Files) - 1
			}
			if *update {
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(archive.Files[want].Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got, archive.Files[want].Data)
			}
		})
	}
}

var quoted = regexp.MustCompile(`\n .*`)

// compileText is the plan, one state to a line in order of execution, or the error.
func compileText(t *testing.T, r *states.Runner, sls []string) string {
	t.Helper()
	compile := func() (*states.Plan, error) { return r.Compile(t.Context(), sls) }
	if len(sls) == 1 && sls[0] == "highstate" {
		compile = func() (*states.Plan, error) { return r.Highstate(t.Context()) }
	}
	plan, err := compile()
	if err != nil {
		if plan != nil {
			t.Errorf("a plan beside the error %v", err)
		}
		// What the renderer quotes of a template is tested there.
		return quoted.ReplaceAllString(err.Error(), "") + "\n"
	}
	var b strings.Builder
	for _, item := range plan.Resolved() {
		low := item.(map[string]any)
		fmt.Fprintf(&b, "%s %s: %s", low["sls"], low["function"], low["id"])
		if low["name"] != low["id"] {
			fmt.Fprintf(&b, " name=%s", low["name"])
		}
		args := low["args"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(args)) {
			if key != "name" {
				fmt.Fprintf(&b, " %s=%#v", key, args[key])
			}
		}
		requisites := low["requisites"].(map[string]any)
		for _, kind := range slices.Sorted(maps.Keys(requisites)) {
			fmt.Fprintf(&b, " %s%v", kind, requisites[kind])
		}
		b.WriteString("\n")
	}
	return b.String()
}
