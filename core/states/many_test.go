package states_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// TestManyMistakes: thousands of mistakes in one file are reported, each on its line, in reasonable time.
func TestManyMistakes(t *testing.T) {
	const n = 3000
	text := "{% for i in range(" + fmt.Sprint(n) + ") %}\ns{{ i }}:\n  file.managed:\n    - require:\n      - file: missing-{{ i }}\n    - mdoe: 644\n{% endfor %}\n"
	started := time.Now()
	_, err := runner(tree{"main.zy": text}).Compile(t.Context(), []string{"main"})
	var compile *states.CompileError
	if !errors.As(err, &compile) || len(compile.Errors) != 2*n {
		t.Fatalf("got %d lines", strings.Count(fmt.Sprint(err), "\n"))
	}
	for i, e := range compile.Errors {
		if want := 5 + i/n; e.Line != want {
			t.Fatalf("error %d, %q, is on line %d, want %d", i, e.Msg, e.Line, want)
		}
	}
	if took := time.Since(started); took > 5*time.Minute {
		t.Errorf("took %s", took)
	}
}
