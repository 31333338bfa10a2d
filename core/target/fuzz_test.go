package target

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"*", "role:web", "G@role:web and not web-00*", "(a or b) and not(c)", "E@web-(01|02) or lb-*", `os:"red hat"`, `P@a:'(b' or "and"`,
		"L@a,b", "S@10.0.0.0/8", "N@x and I@a:b:c", `E@[(\]]x)`, "G@x:a(b or c", "web-[", "a b", `G@"a""b:c"`, "P@x:(?:a:b)", `E@a\ b`, "é:ẞİ[a", "G@[a:b", `0:'"' or "And"`, `P@a:"'":x`, "J@a:(b|c) d", `J@a:[(\]]b or "or"`,
	} {
		f.Add(s)
	}
	peel := Peel{ID: "web-01", Facts: map[string]any{"role": "web", "a": map[string]any{"b": "c"}}, Settings: map[string]any{"a": "b"}}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			var e *Error
			if got != nil || !errors.As(err, &e) || e.Char < 1 || e.Char > utf8.RuneCountInString(text)+1 || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Parse(%q) = %v, %v", text, got, err)
			}
			return
		}
		printed := got.String()
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("Parse(%q) prints %q: %v", text, printed, err)
		}
		if again.String() != printed {
			t.Fatalf("Parse(%q) prints %q, which prints %q", text, printed, again)
		}
		if got.Match(peel) != again.Match(peel) {
			t.Fatalf("%q and its canonical form %q differ", text, printed)
		}
	})
}

// FuzzGlob compares with the same pattern as a regular expression.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{
		{"*", ""}, {"web-*", "web-01"}, {"*-0?", "web-01"}, {"[a-c]*x*", "bxxy"}, {"[!a]", "b"}, {"[]]", "]"}, {"[^]a]", "b"}, {"[a-]", "-"}, {"a**b", "ab"},
		{"[z-a]", "m"}, {"*a*b*c*", "xaxbxc"}, {"[", "["}, {"?é", "éé"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		g, at, ok := compileGlob(pattern)
		if !ok {
			if at >= len(pattern) || pattern[at] != '[' || strings.Count(pattern[at:], "]") > 1 {
				t.Fatalf("%q: no class is open at %d", pattern, at)
			}
			return
		}
		if want := oracle(t, &g).MatchString(text); g.match(text) != want {
			t.Fatalf("glob %q on %q: %v, want %v", pattern, text, !want, want)
		}
	})
}

func oracle(t *testing.T, g *glob) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A` + regexp.QuoteMeta(g.prefix))
	for _, p := range g.parts {
		switch p.kind {
		case globChar:
			b.WriteString(regexp.QuoteMeta(string(p.char)))
		case globAny:
			b.WriteString(".")
		case globStar:
			b.WriteString(".*")
		case globClass:
			class := ""
			for _, r := range p.ranges {
				if r[0] <= r[1] {
					class += fmt.Sprintf(`\x{%x}-\x{%x}`, r[0], r[1])
				}
			}
			switch {
			case class == "" && p.negate:
				class = `\x00-\x{10ffff}`
			case class == "":
				class = `^\x00-\x{10ffff}`
			case p.negate:
				class = "^" + class
			}
			b.WriteString("[" + class + "]")
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		t.Fatal(err)
	}
	return re
}
