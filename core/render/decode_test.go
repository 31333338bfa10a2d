package render_test

import (
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/render"
)

func TestDecodeVars(t *testing.T) {
	tests := []struct{ name, in, src, want string }{
		{"json keeps order", `{"d": {"z": 1, "a": [1.0, null, true]}}`, "{{ d }}", "{'z': 1, 'a': [1.0, None, True]}"},
		{"yaml keeps order", "d:\n  z: 1\n  a: [yes, ~, 0644]\n", "{{ d }}", "{'z': 1, 'a': [True, None, 644]}"},
		{"nothing", "", "{{ d is defined }}", "False"},
		{"a flow mapping", "{d: {b: 1, a: 2}}", "{{ d }}", "{'b': 1, 'a': 2}"},
		{"big numbers", `{"d": 123456789012345678901234567890}`, "{{ d + 1 }}", "123456789012345678901234567891"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vars, err := render.DecodeVars([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			out, err := render.New(render.Options{}).Render(t.Context(), "x", []byte(tt.src), vars)
			if err != nil || out != tt.want {
				t.Errorf("got %q, %v, want %q", out, err, tt.want)
			}
		})
	}
	for in, want := range map[string]string{
		"[1]": "variables must be a mapping, not a list", "1: 2": "variable names must be strings: 1 is not",
		"a: 1\na: 2": "yaml: line 2: key 'a' is given twice", "a: [": "yaml: ", "a: !secret x": "yaml: line 1: could not determine a constructor for the tag '!secret'",
	} {
		if _, err := render.DecodeVars([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got error %v, want %s", in, err, want)
		}
	}
}

func TestPlain(t *testing.T) {
	v, err := render.DecodeYAML([]byte("a: {1: [x, 2.5, null]}\nb: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := render.Plain(v)
	if err != nil {
		t.Fatal(err)
	}
	m := p.(map[string]any)
	if l := m["a"].(map[string]any)["1"].([]any); m["b"] != true || l[0] != "x" || l[1] != 2.5 || l[2] != nil {
		t.Errorf("got %#v", p)
	}
	for path, want := range map[string]any{"a:1:0": "x", "b": true, "a:1:-2": 2.5} {
		if got, ok := render.Traverse(p, path, ":"); !ok || got != want {
			t.Errorf("%s: got %v, %t, want %v", path, got, ok, want)
		}
	}
	if _, ok := render.Traverse(p, "a:1:7", ":"); ok {
		t.Error("found what is not there")
	}
}
