package states_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ptorbus/zester/core/states"
)

// FuzzCompile: any text is a plan or errors, never both; each error is on a line of the file, and a plan has every state
// once. Lint finds mistakes where Compile does.
func FuzzCompile(f *testing.F) {
	cases, err := filepath.Glob("testdata/compile/*.txtar")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".zy") || strings.HasSuffix(file.Name, ".sls") {
				f.Add(string(file.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = "#!yaml\n" + text
		r := runner(tree{"main.zy": text, "other.zy": "#!yaml\nother: test.nop\n"})
		plan, err := r.Compile(t.Context(), []string{"main"})
		if problems, failure := r.Lint(t.Context(), nil); failure != nil || len(problems) > 0 != (err != nil) {
			t.Errorf("Lint finds %v (%v), Compile %v", problems, failure, err)
		}
		if err != nil {
			if plan != nil {
				t.Error("a plan beside an error")
			}
			var compile *states.CompileError
			if !errors.As(err, &compile) || len(compile.Errors) == 0 {
				t.Fatalf("the error %v is not a compile error", err)
			}
			for _, e := range compile.Errors {
				lines := 1 + strings.Count(text, "\n")
				if e.Msg == "" || e.Line > lines {
					t.Errorf("error %q on line %d of %d", e.Msg, e.Line, lines)
				}
			}
			return
		}
		if len(plan.Low()) != plan.Len() {
			t.Errorf("%d of %d states are in the order", len(plan.Low()), plan.Len())
		}
	})
}
