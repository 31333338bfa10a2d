package settings

import (
	"strings"
	"testing"
)

// FuzzTop: a top file is read whole or refused with its place.
func FuzzTop(f *testing.F) {
	for _, s := range []string{
		"", "\"", "base:\n  '*': [a]\n", "'*': [a, b.c]\n", "'os:debian':\n  - match: grain\n  - a\n", "x: &a [b]\ny: *a\n", "<<: {a: [b]}\n",
		"a: !encrypted x", "'*': [!encrypted x]", "base: {base: {base: []}}", "? [a]\n: [b]\n", "&a a: *a", "- a", "'*':\n  - ignore_missing: true\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		top, err := parseTop(&sheet{name: "top.zy", text: text}, "base", []string{"base"}, map[string]string{"g": "a or b"})
		if err != nil {
			if top != nil || !strings.HasPrefix(err.Error(), "top.zy:") {
				t.Fatalf("%v, %v", top, err)
			}
			return
		}
		for _, a := range top.entries {
			if a.target == nil || a.target.UsesSettings() || a.line < 1 {
				t.Fatalf("%+v", a)
			}
		}
	})
}

// FuzzFile: a settings file gives plain data or an error with its place, and nothing is decrypted that the account did not make.
func FuzzFile(f *testing.F) {
	for _, s := range []string{
		"\"", "a: 1", "include: [b]\na: {b: [c, 1.5, ~, yes]}", "a: &x {b: 1}\nc: {<<: *x}", "a: !encrypted zester:v1:AAAA", "a: !!binary x", "a: 0x", "a: ._",
		"a: &a [*a]", "include:\n  - b: {key: 'x:y', defaults: {}}\n", "a: |\n  x\n", "1: 2", "a: 1_0", "a: -0b1", "<<: [{a: 1}, {b: 2}]", "? a\n? b", "a: !x [y]",
	} {
		f.Add(s)
	}
	account := newAccount(f)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseFile(&sheet{name: "a.zy", text: text}, []byte(text), account)
		if err != nil {
			if file != nil || !strings.HasPrefix(err.Error(), "a.zy:") {
				t.Fatalf("%v, %v", file, err)
			}
			return
		}
		if len(file.secrets) > 0 {
			t.Fatal("decrypted what nobody has encrypted")
		}
		checkPlain(t, file.data.Plain())
	})
}

func checkPlain(t *testing.T, v any) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
	case []any:
		for _, e := range v {
			checkPlain(t, e)
		}
	case map[string]any:
		for _, e := range v {
			checkPlain(t, e)
		}
	default:
		t.Fatalf("%T", v)
	}
}
