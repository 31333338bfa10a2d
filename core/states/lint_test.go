package states_test

import (
	"strings"
	"testing"
)

// TestLint: a tree with planted mistakes, each named once with its place, whether or not the highstate reaches it.
func TestLint(t *testing.T) {
	files := tree{
		"top.zy":         "base:\n  '*':\n    - web\n  'db-*':\n    - databse\n",
		"web.zy":         "include:\n  - common\nnginx:\n  pkg.installd: []\n  service.running:\n    - enabel: true\n    - require:\n      - pkg: nginx\n",
		"common.zy":      "{% set x = 1 %}\nconf:\n  file.managed:\n    - contents: x\n    - require:\n      - file: cnf\ncnof:\n  file.managed: []\n",
		"database.sls":   "a:\n  test.nop: []\n  test.nop: []\n",
		"broken.zy":      "a:\n  test.nop:\n    - x: {{ nothing }}\n",
		"loop/init.zy":   "a:\n  test.nop:\n    - require: [{test: b}]\nb:\n  test.nop:\n    - require: [{test: a}]\n",
		"good.zy":        "good:\n  test.nop: []\n",
		"files/conf.txt": "not an sls",
	}
	problems, err := runner(files).Lint(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		text, _, _ := strings.Cut(p.Error(), "\n")
		got = append(got, text)
	}
	want := []string{
		`top.zy:5: there is no SLS "databse" (did you mean "database"?)`,
		`web.zy:4: unknown state function "pkg.installd" (did you mean "pkg.installed"?)`,
		`web.zy:6: service.running of "nginx": unknown argument "enabel" (did you mean "enable"?)`,
		`common.zy:6: require of "conf": there is no state "file: cnf" (did you mean "conf"?)`,
		`broken.zy:3: 'nothing' is undefined (in "nothing")`,
		`database.sls:3: "test.nop" is there twice, first on line 2`,
		`loop/init.zy:2: states that need each other: test: a (loop/init.zy:2) -> test: b (loop/init.zy:5) -> test: a (loop/init.zy:2)`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	problems, err = runner(tree{"good.zy": files["good.zy"]}).Lint(t.Context(), nil)
	if err != nil || len(problems) > 0 {
		t.Errorf("a good tree has %v (%v)", problems, err)
	}
}

func TestGraph(t *testing.T) {
	files := tree{"main.zy": `last:
  test.nop:
    - require:
      - file: conf
      - sls: main2
    - listen:
      - file: conf
include: [main2]
conf:
  file.managed:
    - onchanges: [{test: first}]
`, "main2.zy": "first:\n  test.nop: []\n"}
	plan, err := runner(files).Compile(t.Context(), []string{"main"})
	if err != nil {
		t.Fatal(err)
	}
	var text, dot strings.Builder
	if err := plan.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := plan.WriteDot(&dot); err != nil {
		t.Fatal(err)
	}
	wantText := `test: first (main2.zy:2)
file: conf (main.zy:10)
  onchanges test: first
test: last (main.zy:2)
  require file: conf
  require test: first
  listen file: conf
`
	if text.String() != wantText {
		t.Errorf("got:\n%s\nwant:\n%s", text.String(), wantText)
	}
	wantDot := `digraph states {
  rankdir=LR;
  node [shape=box];
  s0 [label="test.nop\nfirst"];
  s2 [label="file.managed\nconf"];
  s1 [label="test.nop\nlast"];
  s2 -> s0 [label=onchanges];
  s1 -> s2 [label=require];
  s1 -> s0 [label=require];
  s1 -> s2 [label=listen];
}
`
	if dot.String() != wantDot {
		t.Errorf("got:\n%s\nwant:\n%s", dot.String(), wantDot)
	}
}
