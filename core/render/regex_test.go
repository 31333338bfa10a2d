package render_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/render"
)

func compileRegexp(t *testing.T, expr string, flags render.RegexpFlags) *render.Regexp {
	t.Helper()
	re, err := render.CompileRegexp(expr, flags)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

// TestRegexpLikePython compares with what Python 3.11 found and replaced; regex.py
// next to the cases made them.
func TestRegexpLikePython(t *testing.T) {
	data, err := os.ReadFile("../../testdata/render/diff/regex.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Pattern, Text, Replacement string
		Flags                      render.RegexpFlags
		Search, Match, Full        []int // byte offsets
		All                        [][]int
		Sub, SubError, Error       string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		re, err := render.CompileRegexp(c.Pattern, c.Flags)
		if err != nil || c.Error != "" {
			if err == nil || c.Error == "" || !strings.Contains(err.Error(), c.Error) {
				t.Errorf("%q (flags %d): %v, want %q", c.Pattern, c.Flags, err, c.Error)
			}
			continue
		}
		for _, find := range []struct {
			how  string
			find func(string) ([]int, error)
			want []int
		}{{"search", re.Search, c.Search}, {"match", re.Match, c.Match}, {"fullmatch", re.FullMatch, c.Full}} {
			if got, err := find.find(c.Text); err != nil || !slices.Equal(got, find.want) {
				t.Errorf("%q (flags %d) %s %q: %v %v, want %v", c.Pattern, c.Flags, find.how, c.Text, got, err, find.want)
			}
		}
		if got, err := re.FindAll(c.Text, 0); err != nil || !slices.EqualFunc(got, c.All, slices.Equal) {
			t.Errorf("%q (flags %d) in %q: %v %v, want %v", c.Pattern, c.Flags, c.Text, got, err, c.All)
		}
		got, n, err := re.Sub(c.Replacement, c.Text, 0)
		switch {
		case c.SubError != "":
			if err == nil || !strings.Contains(err.Error(), c.SubError) {
				t.Errorf("%q for %q: %v, want %q", c.Replacement, c.Pattern, err, c.SubError)
			}
		case err != nil || got != c.Sub || n != len(c.All):
			t.Errorf("%q (flags %d) with %q in %q: %q %d %v, want %q", c.Pattern, c.Flags, c.Replacement, c.Text, got, n, err, c.Sub)
		}
	}
}

func TestRegexp(t *testing.T) {
	re := compileRegexp(t, `(?P<key>\w+)(?<!x)=(\d+)?`, render.IgnoreCase)
	if n, ok := re.Group("key"); n != 1 || !ok || re.Groups() != 2 || re.String() != `(?P<key>\w+)(?<!x)=(\d+)?` {
		t.Errorf("group key is %d %t of %d in %s", n, ok, re.Groups(), re)
	}
	if m, err := re.Search("é: ü=7"); err != nil || !slices.Equal(m, []int{4, 8, 4, 6, 7, 8}) {
		t.Errorf("offsets %v %v", m, err)
	}
	if m, err := re.Search("a="); err != nil || !slices.Equal(m, []int{0, 2, 0, 1, -1, -1}) {
		t.Errorf("offsets with a group left out %v %v", m, err)
	}
	if s, n, err := re.Sub(`\g<key>:\2`, "a=1 b=2 c=3", 2); s != "a:1 b:2 c=3" || n != 2 || err != nil {
		t.Errorf("replaced %q %d %v", s, n, err)
	}
	if all, err := compileRegexp(t, "a", 0).FindAll("aaa", 2); len(all) != 2 || err != nil {
		t.Errorf("found %v %v", all, err)
	}
	if s := "[v1.2] a-b\n#é"; !fullMatch(t, compileRegexp(t, render.EscapeRegexp(s), 0), s) {
		t.Errorf("%q does not match itself", render.EscapeRegexp(s))
	}
	broken := "a\xff\xfeb"
	if m, err := compileRegexp(t, "(?=b)b", 0).Search(broken); err != nil || !slices.Equal(m, []int{3, 4}) {
		t.Errorf("in bytes that are no text: %v %v", m, err)
	}
}

func fullMatch(t *testing.T, re *render.Regexp, s string) bool {
	t.Helper()
	m, err := re.FullMatch(s)
	if err != nil {
		t.Fatal(err)
	}
	return m != nil
}

func TestRegexpErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`(a`:         `regular expression '(a': missing ), unterminated subpattern at position 0`,
		`a**`:        `regular expression 'a**': multiple repeat at position 2`,
		`(?<=a+)b`:   `regular expression '(?<=a+)b': look-behind requires fixed-width pattern`,
		"a\n[":       `regular expression 'a\n[': unterminated character set at position 2 (line 2, column 1)`,
		`\q`:         `regular expression '\\q': bad escape \q at position 0`,
		`(?P=gone)`:  `regular expression '(?P=gone)': unknown group name 'gone' at position 4`,
		`[z-a]`:      `regular expression '[z-a]': bad character range z-a at position 1`,
		`a(?i)b`:     `regular expression 'a(?i)b': global flags not at the start of the expression at position 1`,
		`x{3,2}`:     `regular expression 'x{3,2}': min repeat greater than max repeat at position 2`,
		`(?P<a-b>x)`: `regular expression '(?P<a-b>x)': bad character in group name 'a-b' at position 4`,
	} {
		if _, err := render.CompileRegexp(expr, 0); err == nil || err.Error() != want {
			t.Errorf("%q\ngot  %v\nwant %s", expr, err, want)
		}
	}
}
