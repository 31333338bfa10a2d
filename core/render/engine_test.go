package render_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ptorbus/zester/core/render"
)

func renderWith(t *testing.T, opts render.Options, src string, vars map[string]any) (string, error) {
	t.Helper()
	return render.New(opts).Render(t.Context(), "top.zy", []byte(src), vars)
}

// functions is a table of functions by dotted name, as salt is.
type functions map[string]any

func (f functions) Lookup(name string) (any, bool) { v, ok := f[name]; return v, ok }

func TestErrors(t *testing.T) {
	tree := files{
		"inc.zy":     "line one\n\tvalue: {{ cfg.port }}\n",
		"mid.zy":     "{% include 'inc.zy' %}",
		"lib.jinja":  "{% macro m(x) %}\n  {{ x.name }}\n{%- endmacro %}\n{% set v = 1 %}",
		"broken.zy":  "a\n{% if x %}\nb",
		"sub/rel.zy": "{% from './none.jinja' import x %}",
	}
	boom := errors.New("no such package")
	vars := map[string]any{
		"cfg": map[string]any{}, "s": "text",
		"salt": functions{"pkg.version": render.Func(func(context.Context, []any, map[string]any) (any, error) { return nil, boom })},
	}
	tests := []struct{ name, src, want string }{
		{"undefined name", "a\nb: {{ nope }}\n", "top.zy:2: 'nope' is undefined (in \"nope\")\n    2 | b: {{ nope }}\n      |       ^"},
		{"undefined key in an included file", "x\n{% include 'mid.zy' %}",
			"inc.zy:2: 'dict object' has no attribute 'port' (in \"cfg.port\")\n  included from mid.zy:1\n  included from top.zy:2\n    2 | \tvalue: {{ cfg.port }}\n      | \t              ^"},
		{"inside an imported macro", "{% from 'lib.jinja' import m %}\n\nx {{ m(cfg) }}",
			"lib.jinja:2: 'dict object' has no attribute 'name' (in \"x.name\")\n  macro 'm' called from top.zy:3\n    2 |   {{ x.name }}\n      |        ^"},
		{"syntax error of an included file", "{% include 'broken.zy' %}",
			"broken.zy:2: unexpected end of template: looking for 'elif' or 'else' or 'endif'; the innermost block that needs to be closed is 'if' (in \"if x\")\n  included from top.zy:1\n    2 | {% if x %}\n      | ^"},
		{"not exported", "{% from 'lib.jinja' import w %}{{ w }}",
			"top.zy:1: the template 'lib.jinja' (imported in 'top.zy') does not export the requested name 'w' (in \"w\")\n    1 | {% from 'lib.jinja' import w %}{{ w }}\n      |                                   ^"},
		{"relative import that is missing", "{% include 'sub/rel.zy' %}",
			"sub/rel.zy:1: template './none.jinja' not found (in \"from './none.jinja' import x\")\n  included from top.zy:1\n    1 | {% from './none.jinja' import x %}\n      | ^"},
		{"a failing function", "{{ salt['pkg.version']('vim') }}", "top.zy:1: no such package (in \"salt['pkg.version']('vim')\")\n    1 | {{ salt['pkg.version']('vim') }}\n      |        ^"},
		{"a function nobody knows", "{{ salt['pkg.versoin']('vim') }}", "top.zy:1: 'salt' has nothing called 'pkg.versoin' (in \"salt['pkg.versoin']('vim')\")\n    1 | {{ salt['pkg.versoin']('vim') }}\n      |        ^"},
		{"a filter with a typo", "{{ s|uper }}", "top.zy:1: no filter named 'uper' (did you mean 'upper'?) (in \"s|uper\")\n    1 | {{ s|uper }}\n      |      ^"},
		{"types that do not add", "{{ 'port' + 80 }}", "top.zy:1: can only concatenate str (not \"int\") to str (in \"'port' + 80\")\n    1 | {{ 'port' + 80 }}\n      |           ^"},
		{"raise", "{% if s %}\n{{ raise('give me a port') }}{% endif %}", "top.zy:2: give me a port (in \"raise('give me a port')\")\n    2 | {{ raise('give me a port') }}{% endif %}\n      |    ^"},
		{"outside of the tree", "{% include '../etc/passwd' %}", "top.zy:1: template '../etc/passwd' is outside of the tree (in \"include '../etc/passwd'\")\n    1 | {% include '../etc/passwd' %}\n      | ^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := renderWith(t, render.Options{Loader: tree}, tt.src, vars)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", err, tt.want)
			}
			var e *render.Error
			if !errors.As(err, &e) || e.Line == 0 {
				t.Errorf("not an *Error with a line: %#v", err)
			}
		})
	}
	_, err := renderWith(t, render.Options{Loader: tree}, "{{ salt['pkg.version']() }}", vars)
	if !errors.Is(err, boom) {
		t.Errorf("%v does not wrap the function's error", err)
	}
	_, err = renderWith(t, render.Options{Loader: tree}, "{% include 'nope' %}", vars)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap fs.ErrNotExist", err)
	}
}

func TestErrorHidesTheTemplate(t *testing.T) {
	src := "secret one\n" + strings.Repeat("x", 5000) + "{{ nope }}\nsecret two"
	_, err := renderWith(t, render.Options{}, src, nil)
	if err == nil || len(err.Error()) > 400 || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestLookups(t *testing.T) {
	var got []any
	salt := functions{
		"cmd.run": render.Func(func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			got = append(append(got, args...), kwargs["cwd"])
			return map[string]any{"b": int64(1), "a": []any{"x"}}, nil
		}),
		"keep.order": render.ValueFunc(func(_ context.Context, args []any, kwargs *render.Dict) (any, error) {
			args[0].(*render.Dict).Set("added", int64(1))
			return args[0], nil
		}),
		"plain": int64(5),
	}
	tests := []struct{ src, want string }{
		{"{{ salt['cmd.run']('ls', cwd='/') }}", "{'a': ['x'], 'b': 1}"},
		{"{{ salt.cmd.run('ls', cwd='/').a[0] }}", "x"},
		{"{{ salt.plain + 1 }} {{ salt.get('plain') }} {{ salt.get('zz', 'd') }}", "6 5 d"},
		{"{{ 'cmd.run' in salt }} {{ 'x.y' in salt }} {{ salt['x.y'] is defined }} {{ salt.x.y is defined }}", "True False False False"},
		{"{% set d = {'z': 1, 'a': 2} %}{{ salt['keep.order'](d) }} {{ d.added }}", "{'z': 1, 'a': 2, 'added': 1} 1"},
		{"{% set run = salt['cmd.run'] %}{{ run('x')|length }}", "2"},
	}
	for _, tt := range tests {
		out, err := renderWith(t, render.Options{}, tt.src, map[string]any{"salt": salt})
		if err != nil || out != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.src, out, err, tt.want)
		}
	}
	if got[0] != "ls" || got[1] != "/" {
		t.Errorf("the function was called with %v", got)
	}
}

func TestCallersDataIsNeverWritten(t *testing.T) {
	vars := map[string]any{"d": map[string]any{"l": []any{"a"}, "m": map[string]any{}}, "l": []any{"x"}}
	src := "{% do d.update({'n': 1}) %}{% do d.l.append('b') %}{% do d.m.update(x=1) %}{% do l.pop() %}{% do d.pop('m') %}{{ d }}{{ l }}"
	e := render.New(render.Options{})
	for range 2 {
		out, err := e.Render(t.Context(), "x", []byte(src), vars)
		if want := "{'l': ['a', 'b'], 'n': 1}[]"; err != nil || out != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	}
	if s := fmt.Sprint(vars); s != "map[d:map[l:[a] m:map[]] l:[x]]" {
		t.Errorf("the caller's variables became %s", s)
	}
}

func TestLimits(t *testing.T) {
	opts := render.Options{MaxOutput: 1 << 20, MaxIterations: 100_000, MaxDepth: 50, Loader: files{"self": "{% include 'self' %}", "imp": "{% import 'imp' as x with context %}", "ring": "{% extends 'ring' %}"}}
	tests := []struct{ src, want string }{
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper than 50"},
		{"{% include 'self' %}", "nested deeper than 50"},
		{"{% import 'imp' as x with context %}", "nested deeper than 50"},
		{"{% set l = [1] %}{% for x in l %}{% do l.append(x) %}{% endfor %}", "more than 100000 loop iterations"},
		{"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "more than 100000 loop iterations"},
		{"{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}", "output is larger than 1048576 bytes"},
		{"{{ 'x' * 10000000000 }}", "a string of more than"},
		{"{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "a string of more than"},
		{"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "elements in one sequence"},
		{"{{ 10 ** 10 ** 10 ** 10 ** 10 ** 10 }}", "integer of more than"},
		{"{{ '%1000000000000d' % 1 }}", "a string of more than"},
		{"{{ '{:1000000000000}'.format(1) }}", "a string of more than"},
		{"{{ 'a'.center(10000000000) }}", "a string of more than"},
		{"{% set l = [] %}{% do l.append(l) %}{{ l|tojson }}", "Circular reference"},
		{"{% set l = [] %}{% do l.append(l) %}{% set m = [] %}{% do m.append(m) %}{{ l == m }}", "recursion depth"},
		{"{% set ns = namespace(t=()) %}{% for i in range(5000) %}{% set ns.t = (ns.t,) %}{% endfor %}{{ ns.t }}", "nested deeper than"},
		{"{{ " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000) + " }}", "too deeply"},
		{"{{ 1" + strings.Repeat("+1", 100000) + " }}", "too long"},
		{"{{ x" + strings.Repeat(".a", 100000) + " }}", "too long"},
		{"{{ " + strings.Repeat("not ", 100000) + "1 }}", "too deeply"},
		{"{{ " + strings.Repeat("-", 100000) + "1 }}", "too deeply"},
		{strings.Repeat("{% if 1 %}", 100000), "too deeply"},
		{"{{ lipsum(n=1000000000) }}", "elements in one sequence"},
		{"{{ lipsum(n=1000, min=100000, max=1000000) }}", "a string of more than"},
		{"{% extends 'ring' %}", "nested deeper than 50"},
	}
	for _, tt := range tests {
		_, err := renderWith(t, opts, tt.src, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80s: got error %v, want one with %q", tt.src, err, tt.want)
		}
	}
	out, err := renderWith(t, opts, "{% set l = [1] %}{% do l.append(l) %}{{ l }}", nil)
	if out != "[1, [...]]" || err != nil {
		t.Errorf("a list in itself printed %q, %v", out, err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	vars := map[string]any{"stop": render.Func(func(context.Context, []any, map[string]any) (any, error) { cancel(); return "", nil })}
	src := "{% for i in range(100000) %}{{ stop() if i == 100 else '' }}{% for j in range(100000) %}{% endfor %}{% endfor %}"
	_, err := render.New(render.Options{MaxIterations: 1 << 40}).Render(ctx, "x", []byte(src), vars)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestConcurrentRenders(t *testing.T) {
	e := render.New(render.Options{Loader: files{"lib": "{% macro m(x) %}{% for i in range(3) %}{{ x }}{% endfor %}{% endmacro %}"}})
	src := []byte("{% from 'lib' import m %}{% set l = [] %}{% for i in range(20) %}{% do l.append(m(n)) %}{% endfor %}{{ l|unique|join }}{{ d }}")
	shared := map[string]any{"b": []any{1, 2}, "a": map[string]any{"x": nil}}
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for range 20 {
				out, err := e.Render(t.Context(), "x", src, map[string]any{"n": n, "d": shared})
				if want := strings.Repeat(fmt.Sprint(n), 3) + "{'a': {'x': None}, 'b': [1, 2]}"; err != nil || out != want {
					t.Errorf("got %q, %v, want %q", out, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTree(t *testing.T) {
	tree := fstest.MapFS{
		"nginx/init.zy":     {Data: []byte("{% from './map.jinja' import port with context %}{{ port }} {% from 'common/lib.jinja' import f %}{{ f() }} {% include '../top.zy' %}")},
		"nginx/map.jinja":   {Data: []byte("{% set port = settings.port|default(80) %}{% set here = tpldir %}")},
		"common/lib.jinja":  {Data: []byte("{% macro f() %}{{ tpldir }}/{{ tplfile }}{% endmacro %}")},
		"top.zy":            {Data: []byte("top")},
		"common/defaults.y": {Data: []byte("a: {b: 1}\n")},
	}
	opts := render.Options{Loader: render.FromFS(tree)}
	src, err := tree.ReadFile("nginx/init.zy")
	if err != nil {
		t.Fatal(err)
	}
	out, err := render.New(opts).Render(t.Context(), "nginx/init.zy", src, map[string]any{"settings": map[string]any{}})
	if want := "80 common/common/lib.jinja top"; err != nil || out != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
	out, err = render.New(opts).Render(t.Context(), "x.zy", []byte("{% import_yaml 'salt://common/defaults.y' as d %}{{ d.a.b }}"), nil)
	if out != "1" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestTrailingNewline(t *testing.T) {
	for _, tt := range []struct {
		keep      bool
		src, want string
	}{{false, "a\n", "a"}, {true, "a\n", "a\n"}, {false, "a\n\n", "a\n"}, {true, "a\r\nb\r\n", "a\nb\n"}, {false, "", ""}} {
		out, err := renderWith(t, render.Options{KeepTrailingNewline: tt.keep}, tt.src, nil)
		if out != tt.want || err != nil {
			t.Errorf("%q, keep %t: got %q, %v", tt.src, tt.keep, out, err)
		}
	}
}
