package states_test

import (
	"strings"
	"testing"
)

// TestOnly: the part of a plan that is one id and what it needs; what it listens to is not needed.
func TestOnly(t *testing.T) {
	files := tree{"main.zy": `a:
  test.nop: []
b:
  file.managed:
    - require: [{test: a}]
    - listen: [{test: d}]
c:
  cmd.run:
    - prereq: [{file: b}]
d:
  test.nop: []
`}
	compile := func() string {
		t.Helper()
		plan, err := runner(files).Compile(t.Context(), []string{"main"})
		if err != nil {
			t.Fatal(err)
		}
		if plan, err = plan.Only("b"); err != nil {
			t.Fatal(err)
		}
		report := plan.Run(t.Context())
		var ids []string
		for _, s := range report.States {
			ids = append(ids, s.ID)
		}
		return strings.Join(ids, " ")
	}
	if got := compile(); got != "a b c" {
		t.Errorf("the part is %q", got)
	}
	plan, err := runner(files).Compile(t.Context(), []string{"main"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Only("bb"); err == nil || err.Error() != `there is no id "bb" in these files (did you mean "b"?)` {
		t.Errorf("got %v", err)
	}
}
