package modules_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

var update = flag.Bool("update", false, "rewrite what the cases under testdata want")

// newEnv is a peel over a tree on disk: its facts name a root below which states may write.
func newEnv(t testing.TB, tree map[string]string) (*modules.Env, string) {
	t.Helper()
	treeDir, root := t.TempDir(), t.TempDir()
	for path, text := range tree {
		path = filepath.Join(treeDir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := files.Dir(treeDir)
	return &modules.Env{
		PeelID: "lb-01",
		Facts: func() map[string]any {
			return map[string]any{"root": root, "os": "debian", "os_family": "debian", "default_ipv4": "10.0.0.7",
				"network": map[string]any{"domain": "example.org"}}
		},
		Settings: func() *settings.Map {
			return settings.FromPlain(map[string]any{"app": map[string]any{"port": int64(8080), "motd": "from the settings"}})
		},
		Match:    func(target string) (bool, error) { return target == "lb-*", nil },
		Tree:     dir,
		Open:     files.Opener(dir),
		Engine:   render.New(render.Options{Loader: dir}),
		StateDir: t.TempDir(),
		Confine:  root,
		Version:  "1.2.3",
	}, root
}

// TestRun runs the cases of testdata/run: a tree, how often and how it is applied, the results and the files after it.
func TestRun(t *testing.T) {
	cases, err := filepath.Glob("testdata/run/*.txtar")
	if err != nil || len(cases) < 20 {
		t.Fatalf("testdata/run has %d cases (%v)", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tree, want := map[string]string{}, -1
			runs := []string{"state.apply main"}
			for i, file := range archive.Files {
				switch file.Name {
				case "want":
					want = i
				case "runs":
					runs = strings.Split(strings.TrimSpace(string(file.Data)), "\n")
				default:
					tree[file.Name] = string(file.Data)
				}
			}
			env, root := newEnv(t, tree)
			var got strings.Builder
			for _, run := range runs {
				fmt.Fprintf(&got, "> %s\n%s", run, apply(t, env, root, run))
			}
			got.WriteString("> files\n" + listing(t, root))
			if want < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				want = len(archive.Files) - 1
			}
			if *update {
				archive.Files[want].Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != string(archive.Files[want].Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), archive.Files[want].Data)
			}
		})
	}
}

var quoted = regexp.MustCompile(`\n .*`)

var pid = regexp.MustCompile(`"pid":\d+`)

// apply calls a function as a command line would and prints its report, or does to the root what a shell line does.
func apply(t *testing.T, env *modules.Env, root, line string) string {
	t.Helper()
	words := strings.Fields(line)
	if words[0] == "$" {
		out, err := modules.Builtin().Call(t.Context(), env, "cmd.run", []any{strings.TrimPrefix(line, "$")}, map[string]any{"cwd": root})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s\n", out)
	}
	var args []any
	kwargs := map[string]any{}
	for _, word := range words[1:] {
		word = strings.ReplaceAll(word, "$ROOT", root)
		if key, value, ok := strings.Cut(word, "="); ok {
			var decoded any = value
			if strings.HasPrefix(value, "{") {
				if err := json.Unmarshal([]byte(value), &decoded); err != nil {
					t.Fatal(err)
				}
			}
			kwargs[key] = whole(decoded)
		} else {
			args = append(args, word)
		}
	}
	value, err := modules.Builtin().Call(t.Context(), env, words[0], args, kwargs)
	text := ""
	if failure, ok := err.(*modules.Failure); ok {
		value, text = failure.Value, fmt.Sprintf("failure %d: %s\n", failure.Code, failure.Msg)
	} else if err != nil {
		// What the renderer quotes of a template is tested there.
		return strings.ReplaceAll("error: "+quoted.ReplaceAllString(err.Error(), "")+"\n", root, "$ROOT")
	}
	report, ok := value.(map[string]any)
	if !ok || report["states"] == nil {
		return strings.ReplaceAll(text+encode(t, value)+"\n", root, "$ROOT")
	}
	for _, item := range report["states"].([]any) {
		text += printState(t, item.(map[string]any))
	}
	text = pid.ReplaceAllString(text, `"pid":1`)
	text = strings.ReplaceAll(text, filepath.Dir(root)+"/escape", "$TOP/escape")
	return strings.ReplaceAll(text, root, "$ROOT")
}

// whole makes whole numbers of JSON's: the bus carries them as such.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	}
	return v
}

func printState(t *testing.T, state map[string]any) string {
	text := fmt.Sprintf("%d %s %s: %s: %v", state["run"], state["function"], state["id"], state["name"], state["result"])
	if state["id"] == state["name"] {
		text = fmt.Sprintf("%d %s: %s: %v", state["run"], state["function"], state["id"], state["result"])
	}
	if state["blocked"] == true {
		text += " blocked"
	}
	if state["ran"] == false {
		text += " not-run"
	}
	changes := state["changes"].(map[string]any)
	diff, hasDiff := changes["diff"].(string)
	rest := map[string]any{}
	for key, value := range changes {
		if key != "diff" {
			rest[key] = value
		}
	}
	if len(rest) > 0 {
		text += " " + encode(t, rest)
	}
	text += "\n"
	if comment := state["comment"].(string); comment != "" {
		text += "    " + strings.ReplaceAll(comment, "\n", "\n    ") + "\n"
	}
	if hasDiff {
		text += "  " + strings.ReplaceAll(strings.TrimSuffix(diff, "\n"), "\n", "\n  ") + "\n"
	}
	return text
}

func encode(t *testing.T, value any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// listing shows every file below root with its mode and text.
func listing(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", info.Mode(), strings.TrimPrefix(path, root))
		switch {
		case d.IsDir():
			b.WriteString("\n")
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " -> %s\n", strings.ReplaceAll(link, root, "$ROOT"))
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n%s", strings.ReplaceAll(string(data), root, "$ROOT"))
			if len(data) > 0 && data[len(data)-1] != '\n' {
				b.WriteString("<no newline>\n")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var _ states.Loader = files.Directory{}
