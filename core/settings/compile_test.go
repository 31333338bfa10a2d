package settings

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/keys"
)

func newAccount(t testing.TB) *keys.Account {
	t.Helper()
	h, err := keys.NewHierarchy("test")
	if err != nil {
		t.Fatal(err)
	}
	return h.Account()
}

// writeTree writes files below a directory. Each appears at once: a service that follows the directory reads no half of one.
func writeTree(t testing.TB, dir string, tree map[string]string) string {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "file")
	for name, text := range tree {
		p := filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(whole, []byte(text), 0o644), os.Rename(whole, p))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compile(t testing.TB, a *keys.Account, p Peel, tree map[string]string) (string, error) {
	t.Helper()
	c := NewCompiler(CompilerOptions{Dir: writeTree(t, t.TempDir(), tree), Account: a, Groups: map[string]string{"dbs": "db-*", "debs": "os:debian"}})
	data, err := c.Compile(t.Context(), p)
	if err != nil {
		if data != nil {
			t.Errorf("data and an error: %v", data)
		}
		return "", err
	}
	return jsonText(t, data.Plain()), nil
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var web = Peel{ID: "web-01", Facts: map[string]any{
	"os": "debian", "os_family": "debian", "role": "web", "num_cpus": int64(4), "roles": []any{"web", "cache"}, "id": "db-01", "host": map[string]any{"rack": "r1"},
}}

func TestCompile(t *testing.T) {
	a := newAccount(t)
	for name, c := range map[string]struct {
		tree map[string]string
		want string
	}{
		"base environment": {map[string]string{"top.zy": "base:\n  '*': [a]\n", "a.zy": "x: 1\n"}, `{"x":1}`},
		"no environment":   {map[string]string{"top.zy": "'*': [a]\n", "a.zy": "x: 1\n"}, `{"x":1}`},
		"salt's suffix":    {map[string]string{"top.sls": "base:\n  '*':\n    - d.a\n    - d\n", "d/a.sls": "x: 1\n", "d/init.sls": "y: 2\n"}, `{"x":1,"y":2}`},
		"zy before sls":    {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: zy", "a.sls": "x: sls", "a/init.zy": "x: init"}, `{"x":"zy"}`},
		"nothing assigned": {map[string]string{"top.zy": "'db-*': [a]", "a.zy": "x: 1"}, `{}`},
		"empty top":        {map[string]string{"top.zy": ""}, `{}`},
		"empty files":      {map[string]string{"top.zy": "'*': [a, b]", "a.zy": "", "b.zy": "# nothing\n"}, `{}`},
		"targets": {map[string]string{
			"top.zy": "'web-*': [a]\n'G@role:db': [b]\nrole:web and not L@x: [c]\nN@debs: [d]\nN@dbs: [e]\n'G@id:db-01': [f]\n'G@id:web-01': [g]\n",
			"a.zy":   "a: 1", "b.zy": "b: 1", "c.zy": "c: 1", "d.zy": "d: 1", "e.zy": "e: 1", "f.zy": "f: 1", "g.zy": "g: 1",
		}, `{"a":1,"c":1,"d":1,"g":1}`},
		"salt's matches": {map[string]string{
			"top.zy": "base:\n  'os:deb*':\n    - match: grain\n    - a\n  'web-01,x':\n    - match: list\n    - b\n  'w.b':\n    - match: pcre\n    - c\n  'x*':\n    - match: glob\n    - nope\n",
			"a.zy":   "a: 1", "b.zy": "b: 1", "c.zy": "c: 1",
		}, `{"a":1,"b":1,"c":1}`},
		"missing may be ignored": {map[string]string{"top.zy": "'*':\n  - ignore_missing: True\n  - gone\n  - 'gone.*'\n  - a", "a.zy": "x: 1"}, `{"x":1}`},
		"patterns":               {map[string]string{"top.zy": "'*': ['u.*']", "u/b.zy": "n: b", "u/a.zy": "n: a\na: 1", "v.zy": "v: 1", "u/c/d.zy": "d: 1"}, `{"a":1,"d":1,"n":"b"}`},
		"order of the top file":  {map[string]string{"top.zy": "'*': [b, a]\nweb-*: [b]", "a.zy": "x: a", "b.zy": "x: b"}, `{"x":"a"}`},
		"merge": {map[string]string{
			"top.zy": "'*': [a, b]",
			"a.zy":   "m: {x: 1, y: {z: [1, 2], w: 1}}\nl: [1]\nn: 1\ns: {a: 1}\n", "b.zy": "m: {y: {z: [3], v: 2}}\nl: [2]\nn:\ns: text\n",
		}, `{"l":[2],"m":{"x":1,"y":{"v":2,"w":1,"z":[3]}},"n":null,"s":"text"}`},
		"includes come first": {map[string]string{
			"top.zy": "'*': [a]", "a.zy": "include: [b, d.e]\nx: a\n", "b.zy": "x: b\ny: b\n", "d/e.zy": "include:\n  - .f\n  - ..g\ny: e\n", "d/f.zy": "f: 1", "g.zy": "g: 1",
		}, `{"f":1,"g":1,"x":"a","y":"e"}`},
		"include with key and defaults": {map[string]string{
			"top.zy": "'*': [a]", "a.zy": "include:\n  - b:\n      key: k:l\n      defaults: {port: 80}\n  - c:\n", "b.zy": "port: {{ port }}", "c.zy": "c: 1",
		}, `{"c":1,"k":{"l":{"port":80}}}`},
		"included once":  {map[string]string{"top.zy": "'*': [a, b]", "a.zy": "x: a\ninclude: [b]", "b.zy": "include: [a]\nx: b\ny: 1"}, `{"x":"a","y":1}`},
		"templates":      {map[string]string{"top.zy": "'{{ id }}': [{{ facts.role }}]", "web.zy": "os: {{ grains['os'] }}/{{ facts.os }}\ncpus: {{ facts.num_cpus * 2 }}\nme: {{ facts.id }} {{ grains.id }}\nsls: {{ sls }} {{ tplfile }}\n"}, `{"cpus":8,"me":"web-01 web-01","os":"Debian/debian","sls":"web web.zy"}`},
		"no template":    {map[string]string{"top.zy": "'*': [a]", "a.zy": "#!yaml\nx: '{{ facts.os }}'\n"}, `{"x":"{{ facts.os }}"}`},
		"a template":     {map[string]string{"top.zy": "'*': [a]", "a.zy": "#!jinja|yaml\nx: '{{ facts.os }}'\n"}, `{"x":"debian"}`},
		"macros":         {map[string]string{"top.zy": "'*': [a]", "a.zy": "{% from 'm.jinja' import p with context %}x: {{ p(1) }}\n", "m.jinja": "{% macro p(n) %}{{ id }}-{{ n }}{% endmacro %}"}, `{"x":"web-01-1"}`},
		"yaml as salt's": {map[string]string{"top.zy": "'*': [a]", "a.zy": "a: yes\nb: 'yes'\nc: 0644\nd: 2026-01-02\ne: 1e5\nf: 1.5\ng: ~\nh: 0x10\ni: off\nj: &x {k: 1}\nl: {<<: *x, m: 2}\nn: 1_000\n1: one\n"}, `{"1":"one","a":true,"b":"yes","c":644,"d":"2026-01-02","e":"1e5","f":1.5,"g":null,"h":16,"i":false,"j":{"k":1},"l":{"k":1,"m":2},"n":1000}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, a, web, c.tree)
			if err != nil || got != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
}

// TestEnvironments: the top files of all environments count, each may speak of any, and a file is looked for in its own.
func TestEnvironments(t *testing.T) {
	elsewhere := writeTree(t, t.TempDir(), map[string]string{"a.zy": "prod: {a: {{ saltenv }}}\nlast: prod\n"})
	dir := writeTree(t, t.TempDir(), map[string]string{
		"top.zy": "base:\n  '*': [a]\nprod:\n  web-*: [a]\n  db-*: [gone]\n", "a.zy": "base: {a: 1}\nlast: base\n",
		"@dev/top.zy": "'*': [a]\nbase:\n  '*': [b]\n", "b.zy": "base: {b: 2}\n",
		"@dev/a.zy":      "{% from 'map.jinja' import word %}\ninclude: [sub.c]\ndev: {{ word }} {{ sls }}\nlast: dev\n",
		"@dev/map.jinja": "{% set word = 'd' %}", "@dev/sub/c.zy": "c: [1]\n",
	})
	c := NewCompiler(CompilerOptions{Dir: dir, Environments: map[string]string{"prod": elsewhere}, Account: newAccount(t)})
	data, err := c.Compile(t.Context(), web)
	const want = `{"base":{"a":1,"b":2},"last":"prod","c":[1],"dev":"d a","prod":{"a":"prod"}}`
	if err != nil || jsonText(t, data) != want {
		t.Errorf("got  %s (%v)\nwant %s", jsonText(t, data), err, want)
	}
	for file, broken := range map[string]struct{ text, want string }{
		"@dev/a.zy":     {"x: 1\ny", `@dev/a.zy:2: could not find expected ':'`},
		"@dev/sub/c.zy": {"{{ nope }}", `environment "dev": sub/c.zy:1: 'nope' is undefined`},
		"@dev/top.zy":   {"prd: {'*': [a]}", `@dev/top.zy:1: unknown environment "prd": did you mean "prod"?`},
		"@dev/sub/d.zy": {"", ""},
	} {
		c := NewCompiler(CompilerOptions{Dir: dir, Environments: map[string]string{"prod": elsewhere}, Account: newAccount(t)})
		old, _ := os.ReadFile(filepath.Join(dir, file))
		writeTree(t, dir, map[string]string{file: broken.text})
		_, err := c.Compile(t.Context(), web)
		if broken.want == "" && err != nil || broken.want != "" && (err == nil || !strings.HasPrefix(err.Error(), broken.want)) {
			t.Errorf("got  %v\nwant %s", err, broken.want)
		}
		writeTree(t, dir, map[string]string{file: string(old)})
	}
}

func TestCompileErrors(t *testing.T) {
	a := newAccount(t)
	for name, c := range map[string]struct {
		tree map[string]string
		want string
	}{
		"unknown file":        {map[string]string{"top.zy": "base:\n  '*':\n    - comon.base\n", "common/base.zy": ""}, `top.zy:3: there is no settings file "comon.base": neither comon/base.zy nor comon/base/init.zy (did you mean "common.base"?)`},
		"unknown include":     {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\ninclude:\n  - gone\n"}, `a.zy:3: there is no settings file "gone": neither gone.zy nor gone/init.zy`},
		"pattern":             {map[string]string{"top.zy": "'*': ['x*']"}, `top.zy:1: no settings file matches "x*"`},
		"suffix":              {map[string]string{"top.zy": "'*': [a.zy]"}, `top.zy:1: "a.zy": name the file without its suffix`},
		"way out":             {map[string]string{"top.zy": "'*': [a]", "a.zy": "include: [....b]"}, `a.zy:1: "....b" is not the name of a settings file: write common.base for common/base.zy`},
		"yaml":                {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\n y: 2\n"}, `a.zy:2: mapping values are not allowed in this context`},
		"rendered yaml":       {map[string]string{"top.zy": "'*': [a]", "a.zy": "{% for i in [1, 2] %}\nx: {{ i }}\n{% endfor %}\n"}, `a.zy: line 4 as rendered: "x" is there twice, first on line 2`},
		"twice":               {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\ny: {z: 1,\n  z: 2}\n"}, `a.zy:3: "z" is there twice, first on line 2`},
		"not a mapping":       {map[string]string{"top.zy": "'*': [a]", "a.zy": "- x\n"}, `a.zy:1: a settings file is a mapping`},
		"tag":                 {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: !secret y\n"}, `a.zy:1: unknown YAML tag !secret`},
		"key":                 {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: {[a]: b}\n"}, `a.zy:1: a list or mapping cannot be a key: is it a template expression without quotes?`},
		"number":              {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 99999999999999999999\n"}, `a.zy:1: the number does not fit 64 bits: quote it if it is text`},
		"include shape":       {map[string]string{"top.zy": "'*': [a]", "a.zy": "include: b\n"}, `a.zy:1: include: expected a list of files`},
		"include option":      {map[string]string{"top.zy": "'*': [a]", "a.zy": "include:\n  - b: {deflts: {}}\n"}, `a.zy:2: include "b": "deflts": expected "defaults", a mapping, or "key", a text`},
		"top shape":           {map[string]string{"top.zy": "- a"}, `top.zy:1: a top file is a mapping of targets to lists of files`},
		"top entry":           {map[string]string{"top.zy": "'*': a"}, `top.zy:1: target "*": expected a list of files`},
		"top item":            {map[string]string{"top.zy": "'*':\n  - [a]"}, `top.zy:2: target "*": expected the name of a file`},
		"environment":         {map[string]string{"top.zy": "bse:\n  '*': [a]"}, `top.zy:1: unknown environment "bse": did you mean "base"?`},
		"other environment":   {map[string]string{"top.zy": "prod:\n  '*': [a]"}, `top.zy:1: unknown environment "prod": there is one environment, "base"`},
		"target":              {map[string]string{"top.zy": "'a and': [a]"}, `top.zy:1: target "a and": character 6: expected a target, such as web-*, G@os:debian or L@web-01,web-02`},
		"group":               {map[string]string{"top.zy": "N@db: [a]"}, `top.zy:1: unknown group "db" (did you mean "dbs"?)`},
		"settings for target": {map[string]string{"top.zy": "I@a:b: [a]"}, `top.zy:1: target "I@a:b": settings cannot decide who gets settings: use ids or facts`},
		"match":               {map[string]string{"top.zy": "x:\n  - match: pillar\n  - a"}, `top.zy:2: target "x": unknown kind of match "pillar": write the target as a compound one`},
		"renderer":            {map[string]string{"top.zy": "'*': [a]", "a.zy": "#!py\n"}, `a.zy:1: the first line names a renderer that there is not: use "#!jinja|yaml", "#!yaml" or none`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, a, web, c.tree)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	_, err := compile(t, a, web, map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\ny: {{ facts.nope }}\n"})
	if err == nil || !strings.HasPrefix(err.Error(), "a.zy:2: ") {
		t.Errorf("a template's error: %v", err)
	}
	dir := t.TempDir()
	_, err = NewCompiler(CompilerOptions{Dir: dir, Account: a}).Compile(t.Context(), web)
	if want := `settings directory ` + dir + `: no top.zy: it says which peels get which files, e.g. "base: {'*': [common]}"`; !errors.Is(err, ErrNoTop) || err.Error() != want {
		t.Errorf("without a top file: %v", err)
	}
}

func TestReload(t *testing.T) {
	dir := writeTree(t, t.TempDir(), map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1"})
	c := NewCompiler(CompilerOptions{Dir: dir, Account: newAccount(t)})
	for _, step := range []struct {
		reload bool
		want   int64
	}{{false, 1}, {true, 2}} {
		if step.reload {
			c.Reload()
		}
		data, err := c.Compile(t.Context(), web)
		if err != nil || data.Plain()["x"] != step.want {
			t.Errorf("after reload %v: %v, %v", step.reload, data, err)
		}
		writeTree(t, dir, map[string]string{"a.zy": "x: 2"})
	}
}
