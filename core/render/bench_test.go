package render_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nikolalohinski/gonja/v2"
	"github.com/nikolalohinski/gonja/v2/exec"

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
		ctx := exec.NewContext(vars)
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
