package render

import (
	"strings"
)

type jmesToken struct {
	kind, text string
	val        any
	pos        int
}

// lexJMES cuts an expression into tokens, the last of kind eof.
func lexJMES(s string) []jmesToken {
	var out []jmesToken
	fail := func(i int, why string) {
		throw("LexerError", "JMESPath expression %s: %s at column %d", repr(s), why, runeLen(s[:i])+1)
	}
	// quoted finds the end of what a quote begins at i; a backslash keeps the next one from ending it.
	quoted := func(i int) int {
		for j := i + 1; j < len(s); j++ {
			switch s[j] {
			case '\\':
				j++
			case s[i]:
				return j
			}
		}
		fail(i, "unclosed "+s[i:i+1])
		return 0
	}
	for i := 0; i < len(s); {
		c := s[i]
		t := jmesToken{pos: i}
		end := i + 1
		word := func(is func(c byte) bool) {
			for end < len(s) && is(s[end]) {
				end++
			}
		}
		switch {
		case strings.IndexByte(" \t\n\r", c) >= 0:
			i++
			continue
		case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
			word(func(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' })
			t.kind, t.val = "name", s[i:end]
		case c == '-' || c >= '0' && c <= '9':
			word(func(c byte) bool { return c >= '0' && c <= '9' })
			n, ok := jmesNumber(s[i:end])
			if !ok {
				fail(i, "unknown token "+repr(s[i:end]))
			}
			t.kind, t.val = "number", n
		case c == '\'':
			end = quoted(i) + 1
			t.kind, t.val = "literal", strings.ReplaceAll(s[i+1:end-1], `\'`, `'`)
		case c == '"':
			end = quoted(i) + 1
			v, err := DecodeJSON([]byte(s[i:end]))
			if err != nil {
				fail(i, err.Error())
			}
			t.kind, t.val = "quoted", v
		case c == '`':
			end = quoted(i) + 1
			text := strings.TrimLeft(strings.ReplaceAll(s[i+1:end-1], "\\`", "`"), " \t\n\r")
			v, err := DecodeJSON([]byte(text))
			if err != nil {
				v, err = DecodeJSON([]byte(`"` + text + `"`))
			}
			if err != nil {
				fail(i, "bad literal")
			}
			t.kind, t.val = "literal", v
		default:
			for _, op := range []string{"[]", "[?", "||", "&&", "==", "!=", "<=", ">=", ".", "*", "]", ",", ":", "@", "(", ")", "{", "}", "[", "|", "&", "<", ">", "!"} {
				if strings.HasPrefix(s[i:], op) {
					t.kind, end = op, i+len(op)
					break
				}
			}
			if t.kind == "" {
				fail(i, "unknown token "+repr(string([]rune(s[i:])[0])))
			}
		}
		t.text = s[i:end]
		out = append(out, t)
		i = end
	}
	return append(out, jmesToken{kind: "eof", pos: len(s)})
}
