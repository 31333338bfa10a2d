package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func upper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// lowerAt is the lower case of the code point r at byte i of s: a sigma that ends
// a word has a form of its own.
func lowerAt(s string, i int, r rune) string {
	if r != 'Σ' {
		return lower(string(r))
	}
	letter := func(r rune) bool { return !ignoredForCase(r) }
	before, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(s[:i], ignoredForCase))
	after := s[i+utf8.RuneLen(r):]
	if j := strings.IndexFunc(after, letter); j >= 0 {
		if next, _ := utf8.DecodeRuneInString(after[j:]); cased(next) {
			return "σ"
		}
	}
	if cased(before) {
		return "ς"
	}
	return "σ"
}

// ignoredForCase tells the characters within words that have no case themselves.
func ignoredForCase(r rune) bool {
	return strings.ContainsRune("'.:^`¨\u00ad·’", r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func cased(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

func title(s string) string {
	var b strings.Builder
	prev := false
	for i, r := range s {
		if prev {
			b.WriteString(lowerAt(s, i, r))
		} else {
			b.WriteString(titleRune(r))
		}
		prev = cased(r)
	}
	return b.String()
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	if ascii(s) {
		return titleRune(r) + lower(s[n:])
	}
	var b strings.Builder
	b.WriteString(titleRune(r))
	for i, r := range s[n:] {
		b.WriteString(lowerAt(s, n+i, r))
	}
	return b.String()
}

// titleRune is one code point in title case, which may become several.
func titleRune(r rune) string {
	if s := upper(string(r)); runeLen(s) > 1 {
		first, n := utf8.DecodeRuneInString(s)
		return string(first) + lower(s[n:])
	}
	return string(unicode.ToTitle(r))
}

func swapCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) {
			b.WriteString(lowerAt(s, i, r))
		} else if unicode.IsTitle(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(upper(string(r)))
		}
	}
	return b.String()
}

func isUpper(s string) bool {
	any := false
	for _, r := range s {
		if unicode.IsLower(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || unicode.IsUpper(r)
	}
	return any
}

func isLower(s string) bool {
	any := false
	for _, r := range s {
		if unicode.IsUpper(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || unicode.IsLower(r)
	}
	return any
}

func isTitle(s string) bool {
	any, prev := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if prev {
				return false
			}
			any, prev = true, true
		case unicode.IsLower(r):
			if !prev {
				return false
			}
			any = true
		default:
			prev = false
		}
	}
	return any
}

func isDigit(r rune) bool {
	return unicode.IsDigit(r) || r == '²' || r == '³' || r == '¹' || r >= '⁰' && r <= '₉' || r >= '①' && r <= '⑨'
}

func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !unicode.IsMark(r)) {
			return false
		}
	}
	return s != ""
}

func asks(is func(string) bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none("str method")
		return is(str(self))
	}
}
