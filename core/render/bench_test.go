package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nikolalohinski/gonja/v2"
	gonjaexec "github.com/nikolalohinski/gonja/v2/exec"

	"github.com/ptorbus/zester/core/render"
)

// stateFile is 31 lines with a loop of 20 and five filters, in the part of the
// language that stock gonja gets right too.
func stateFile(b testing.TB) string {
	data, err := os.ReadFile("../../testdata/render/bench/state.zy")
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

func stateVars() map[string]any {
	users := []any{}
	for i := range 20 {
		users = append(users, map[string]any{
			"name": fmt.Sprintf("user%d", i), "uid": 1000 + i, "shell": "/bin/bash", "groups": []any{"sudo", "adm"}, "gecos": "Some User"})
	}
	return map[string]any{"os": "Debian", "users": users, "port": 8080, "roles": []any{"web", "db"}}
}

func BenchmarkStateFile(b *testing.B) {
	src, vars := []byte(stateFile(b)), stateVars()
	b.Run("zester", func(b *testing.B) {
		b.ReportAllocs()
		e := render.New(render.Options{})
		for b.Loop() {
			if _, err := e.Render(b.Context(), "state.zy", src, vars); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gonja", func(b *testing.B) {
		b.ReportAllocs()
		t, err := gonja.FromBytes(src)
		if err != nil {
			b.Fatal(err)
		}
		ctx := gonjaexec.NewContext(vars)
		for b.Loop() {
			var out bytes.Buffer
			if err := t.Execute(&out, ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("zester-first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := render.New(render.Options{}).Render(b.Context(), "state.zy", src, vars); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// python renders the template of its standard input again and again, as Salt would have it, and
// prints the nanoseconds of one rendering.
const python = `
import json, sys, time
import jinja2.sandbox
given = json.load(sys.stdin)
env = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
template = env.from_string(given["template"])
best = None
for _ in range(5):
    began = time.perf_counter_ns()
    for _ in range(400):
        template.render(given["vars"])
    took = (time.perf_counter_ns() - began) / 400
    best = took if best is None or took < best else best
print(best)
`

// BenchmarkAgainstPython reports how many times as long Jinja2 takes, on the same template and
// host. It needs python3-jinja2, which make acceptance installs.
func BenchmarkAgainstPython(b *testing.B) {
	src, vars := stateFile(b), stateVars()
	given, err := json.Marshal(map[string]any{"template": src, "vars": vars})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), "python3", "-c", python)
	cmd.Stdin = bytes.NewReader(given)
	out, err := cmd.Output()
	if err != nil {
		b.Skipf("python3 with jinja2 is not here: %v", err)
	}
	theirs, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	e := render.New(render.Options{})
	for b.Loop() {
		if _, err := e.Render(b.Context(), "state.zy", []byte(src), vars); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(theirs, "python-ns")
	b.ReportMetric(theirs*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "python/zester")
}

// BenchmarkHundredLines renders a template of 100 lines, compiled before and
// compiled each time.
func BenchmarkHundredLines(b *testing.B) {
	var t strings.Builder
	for i := range 25 {
		fmt.Fprintf(&t, "{%% set v%d = users[%d].name|upper %%}\nkey%d: {{ v%d ~ '-' ~ port }}\n{%% if port > %d %%}\n{%% endif %%}\n", i, i%20, i, i, i)
	}
	src, vars := []byte(t.String()), stateVars()
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		e := render.New(render.Options{})
		for b.Loop() {
			if _, err := e.Render(b.Context(), "x", src, vars); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := render.New(render.Options{}).Render(b.Context(), "x", src, vars); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLoop1000(b *testing.B) {
	b.ReportAllocs()
	e := render.New(render.Options{})
	src := []byte("{% for i in range(1000) %}{{ loop.index }}: {{ i * 2 }}\n{% endfor %}")
	for b.Loop() {
		if _, err := e.Render(b.Context(), "x", src, nil); err != nil {
			b.Fatal(err)
		}
	}
}
