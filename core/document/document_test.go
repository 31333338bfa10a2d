package document_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/document"
)

// read gives a text's data in order, and plain, which must say the same.
func read(t testing.TB, text string) (any, error) {
	t.Helper()
	node, err := document.Parse(text)
	if err != nil || node == nil {
		return nil, err
	}
	value, err := new(document.Reader).Value(node)
	plain, plainErr := new(document.Reader).Plain(node)
	if (err == nil) != (plainErr == nil) || err != nil && err.Error() != plainErr.Error() {
		t.Fatalf("%q: in order %v, plain %v", text, err, plainErr)
	}
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(document.Plain(value), plain) {
		t.Fatalf("%q: in order %v, plain %v", text, document.Plain(value), plain)
	}
	return value, nil
}

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "null",
		"~":                                      "null",
		"z: 1\na: {y: 2, b: [c, {d: 3}]}":        `{"z":1,"a":{"y":2,"b":["c",{"d":3}]}}`,
		"[yes, No, ON, off, true, False, 'yes']": `[true,false,true,false,true,false,"yes"]`,
		"[0644, 0x10, 0b11, 1_000, -3, +4, 08, 0]":                  `[644,16,3,1000,-3,4,"08",0]`,
		"[12:30, -1:30:45, 190:20:30.15, 1:70]":                     `[750,-5445,685230.15,"1:70"]`,
		"[1.5, 1., .5, 1.0e+3, 1e5, 1.0e5, 1.2.3, 0o7, 2026-01-02]": `[1.5,1,0.5,1000,"1e5","1.0e5","1.2.3","0o7","2026-01-02"]`,
		"? a\n: b": `{"a":"b"}`,
		"b: &b {z: 1, y: 2}\nc: {x: 0, y: 3, <<: *b}":               `{"b":{"z":1,"y":2},"c":{"z":1,"x":0,"y":3}}`,
		"b: &b {z: 1}\nc: &c {y: 2, x: 9}\nd: {x: 0, <<: [*b, *c]}": `{"b":{"z":1},"c":{"y":2,"x":9},"d":{"y":2,"z":1,"x":0}}`,
		"b: &b {z: 1}\nc: &c {y: 2}\nd:\n  <<: *b\n  <<: *c\n":      `{"b":{"z":1},"c":{"y":2},"d":{"z":1,"y":2}}`,
		"b: &b {z: 1}\nc: &c {<<: *b, y: 2}\nd: {<<: *c}":           `{"b":{"z":1},"c":{"z":1,"y":2},"d":{"z":1,"y":2}}`,
		"a: !!str 1\nb: \"x\\ny\"\nc: |\n  d\n  e\n":                `{"a":"1","b":"x\ny","c":"d\ne\n"}`,
	} {
		v, err := read(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%q:\ngot  %s (%v)\nwant %s", text, got, err, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	deep := strings.Repeat("[", document.MaxNested+2) + strings.Repeat("]", document.MaxNested+2)
	wide := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'a'; c < 'g'; c++ {
		wide += string(c+1) + ": &" + string(c+1) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c)+",", 10), ",") + "]\n"
	}
	for text, want := range map[string]string{
		"a:\n  b: 1\n c: 2\nd: 3\n":                     "line 3: did not find expected key",
		"a:\n  - b: 1\n   - c: 2\nd: 3\n":               "line 3: did not find expected '-' indicator",
		"x: 1\na:\n  b: 1\n\n  - c: 2\n":                "line 5: did not find expected key",
		"a: [1, 2\nd: 3\n":                              "line 1: did not find expected ',' or ']'",
		"a: b: c":                                       "line 1: mapping values are not allowed in this context",
		"a: 1\nb: \"x\nc: 1\n":                          "line 2: found unexpected end of stream",
		"a: 1\n\tb: 2\n":                                "line 2: found a tab character that violates indentation",
		"a: 1\n---\nb: 1\n":                             "line 2: a second YAML document begins here: a file holds one",
		"a: 1\nb: 2\na: 3\n":                            "line 3: \"a\" is there twice, first on line 1",
		"b: &b {z: 1}\nc: &c {z: 2}\nd: {<<: [*b, *c]}": "line 3: \"z\" is merged in (<<) twice, from lines 1 and 2",
		"a: {<<: [1]}":                                  "line 1: a merge key (<<) takes mappings",
		"? [a]\n: b":                                    "line 1: a list or mapping cannot be a key: is it a template expression without quotes?",
		"a:\n  - !vault x":                              "line 2: unknown YAML tag !vault",
		"a: !vault {b: 1}":                              "line 1: unknown YAML tag !vault",
		"a: !!binary eA==":                              "line 1: !!binary is not supported: use a source file, or text",
		"a: 99999999999999999999":                       "line 1: the number does not fit 64 bits: quote it if it is text",
		"a: .inf":                                       "line 1: infinite and undefined numbers cannot be used: quote it if it is text",
		"\na: &x\n  b: *x\n":                            "line 2: nested deeper than 50",
		deep:                                            "line 1: nested deeper than 50",
		wide:                                            "line 1: the file expands to more than 1000000 values",
	} {
		_, err := read(t, text)
		var mistake *document.Error
		if !errors.As(err, &mistake) || err.Error() != want {
			t.Errorf("%.40q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestTruth(t *testing.T) {
	for _, v := range []any{nil, false, "", int64(0), 0.0, []byte{}, []any{}, map[string]any{}, document.NewMap(0)} {
		if truth, known := document.Truth(v); truth || !known {
			t.Errorf("%#v: %v, %v", v, truth, known)
		}
	}
	for _, v := range []any{true, "0", int64(1), 0.5, []byte{0}, []any{nil}, map[string]any{"": nil}, document.FromPlain(map[string]any{"a": 1})} {
		if truth, known := document.Truth(v); !truth || !known {
			t.Errorf("%#v: %v, %v", v, truth, known)
		}
	}
	if _, known := document.Truth(struct{}{}); known {
		t.Error("a struct is no data")
	}
}

func TestClone(t *testing.T) {
	m := document.NewMap(1)
	m.Set("a", int64(1))
	c := m.Clone()
	c.Set("b", int64(2))
	c.Set("a", int64(3))
	if got, _ := json.Marshal([]any{m, c}); string(got) != `[{"a":1},{"a":3,"b":2}]` {
		t.Errorf("%s", got)
	}
}

// FuzzRead: every text gives data, the same in order and plain, or an error with its line.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", "\"", "a: 1", "a: {b: [c, 1.5, ~, yes]}", "a: &x {b: 1}\nc: {<<: *x}", "a: !!binary x", "a: 0x", "a: ._", "a: &a [*a]", "a: |\n  x\n",
		"1: 2", "a: 1_0", "a: -0b1", "<<: [{a: 1}, {b: 2}]", "? a\n? b", "a: !x [y]", "a: 1\n---\n", "a:\n  b\n c: d", "- a\nb", "&a a: *a", "{a, b: }",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := read(t, text)
		var mistake *document.Error
		if err != nil && (!errors.As(err, &mistake) || mistake.Line < 1 || mistake.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+2) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
