package render_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/render"
)

// fuzzVars has a value of every kind.
func fuzzVars() map[string]any {
	return map[string]any{
		"n": 7, "f": 2.5, "s": "hello World", "u": "héé☃", "nil": nil, "t": true, "l": []any{3, 1, 2}, "e": "",
		"d": map[string]any{"a": 1, "b": []any{"x"}}, "words": []any{"pear", "Apple"}, "b": []byte("bytes"),
		"users": []any{map[string]any{"name": "bob", "uid": 2}, map[string]any{"name": "al", "uid": 1}},
		"salt":  functions{"x.y": render.Func(func(context.Context, []any, map[string]any) (any, error) { return "z", nil })},
	}
}

// host are the filters that look at the machine, or roll dice: no two runs need agree.
var host = []string{"which", "list_files", "file_hashsum", "is_", "get_uid", "dns_check", "random", "rand_", "lipsum", "gen_mac", "strftime", "date_format"}

// FuzzRender asks that every source gives text or an *Error, never an internal
// one, and the same when it is rendered again.
func FuzzRender(f *testing.F) {
	data, err := os.ReadFile("../../testdata/render/diff/templates.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		f.Add(strings.ReplaceAll(line, "⏎", "\n"))
	}
	for _, c := range loadCases(f, "../../testdata/render/cases.json") {
		f.Add(c.Template)
	}
	tree := files{"lib": "{% macro m(x) %}{{ x }}{% endmacro %}{% set v = 1 %}", "inc": "<{{ n }}>", "base": "{% block a %}{% endblock %}"}
	f.Fuzz(func(t *testing.T, src string) {
		for _, h := range host {
			if strings.Contains(src, h) {
				return
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := render.New(render.Options{Loader: tree, Undefined: render.Lenient, MaxOutput: 1 << 20, MaxIterations: 20_000, MaxDepth: 40})
		first, err := e.Render(ctx, "fuzz", []byte(src), fuzzVars())
		if err != nil {
			var re *render.Error
			if !errors.As(err, &re) || re.Kind == "InternalError" || first != "" {
				t.Fatalf("%q: %T %v, with output %q", src, err, err, first)
			}
		}
		second, err2 := e.Render(ctx, "fuzz", []byte(src), fuzzVars())
		if first != second || (err == nil) != (err2 == nil) {
			t.Fatalf("%q gave %q, %v and then %q, %v", src, first, err, second, err2)
		}
	})
}

func fuzzFormat(f *testing.F, template string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, format string) {
		vars := fuzzVars()
		vars["format"] = format
		_, err := render.New(render.Options{}).Render(t.Context(), "fuzz", []byte(template), vars)
		var re *render.Error
		if err != nil && (!errors.As(err, &re) || re.Kind == "InternalError") {
			t.Fatalf("%q: %T %v", format, err, err)
		}
	})
}

func FuzzPercent(f *testing.F) {
	fuzzFormat(f, "{{ format % (n, s, f, l, nil, n) }}", "%d %s %.2f %r %a %s", "%(a)s", "%*d", "%-+ #05x", "%%", "%", "%5.3s|%c%c%c")
}

func FuzzPercentMapping(f *testing.F) {
	fuzzFormat(f, "{{ format % d }}", "%(a)d %(b)s", "%(a", "%()s", "%(a)*d")
}

func FuzzFormat(f *testing.F) {
	fuzzFormat(f, "{{ format.format(n, s, f, l, d, nil, k=u) }}",
		"{} {:>5} {:.2f} {!r} {} {}", "{0[a]} {4[b][0]}", "{k:{0}}", "{:,} {:_x} {:%}", "{{}}", "{", "}", "{0.real}", "{:=+08,.3f}", "{k!a:^10}")
}

// FuzzRegexp asks that every pattern is compiled or refused, and that what is
// found lies in the text, whichever engine finds it.
func FuzzRegexp(f *testing.F) {
	for _, s := range []string{`(a)|b\1`, `(?P<n>x+)(?=y)`, `[^\W\d_-]+\b`, `(?x) a {2,3}? # c`, `(?i:é)$`, `(?<!a)(?(1)b|c)`, `a++(?>b*)\Z`, `[]a-]{,4}`, `\N\101\x41`} {
		f.Add(s, "aab xxy é1\n", `<\1\g<0>>`)
	}
	f.Fuzz(func(t *testing.T, expr, text, replacement string) {
		if len(expr) > 40 || len(text) > 40 {
			return
		}
		re, err := render.CompileRegexp(expr, 0)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("%q: an error of several lines: %v", expr, err)
			}
			return
		}
		all, err := re.FindAll(text, 20)
		if err != nil {
			return // it takes too long
		}
		for _, m := range all {
			for i := 0; i < len(m); i += 2 {
				if len(m) != 2*re.Groups()+2 || m[i] > m[i+1] || m[i] < -1 || m[i+1] > len(text) {
					t.Fatalf("%q in %q: %v", expr, text, all)
				}
			}
		}
		if _, n, err := re.Sub(replacement, text, 20); err == nil && n != len(all) {
			t.Fatalf("%q in %q: %d replacements of %d", expr, text, n, len(all))
		}
	})
}
