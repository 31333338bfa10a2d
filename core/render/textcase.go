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

func cased(r rune) bool { return isUpperRune(r) || isLowerRune(r) || unicode.IsTitle(r) }

// isUpperRune and isLowerRune go by Unicode's properties, which more than letters have.
func isUpperRune(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }
func isLowerRune(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }

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
	if s := string(r); runeLen(upper(s)) > 1 {
		return cases.Title(language.Und, cases.NoLower).String(s)
	}
	return string(unicode.ToTitle(r))
}

func swapCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if isUpperRune(r) {
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
		if isLowerRune(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || isUpperRune(r)
	}
	return any
}

func isLower(s string) bool {
	any := false
	for _, r := range s {
		if isUpperRune(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || isLowerRune(r)
	}
	return any
}

func isTitle(s string) bool {
	any, prev := false, false
	for _, r := range s {
		switch {
		case isUpperRune(r) || unicode.IsTitle(r):
			if prev {
				return false
			}
			any, prev = true, true
		case isLowerRune(r):
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

// isDigit tells the digits of Python's str.isdigit, superscripts and circled ones among them.
func isDigit(r rune) bool {
	if r < 0x80 || unicode.IsDigit(r) {
		return r >= '0' && r <= '9' || r >= 0x80
	}
	for _, span := range oddDigits {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

var oddDigits = [...][2]rune{
	{0xb2, 0xb3}, {0xb9, 0xb9}, {0x1369, 0x1371}, {0x19da, 0x19da}, {0x2070, 0x2070}, {0x2074, 0x2079},
	{0x2080, 0x2089}, {0x2460, 0x2468}, {0x2474, 0x247c}, {0x2488, 0x2490}, {0x24ea, 0x24ea}, {0x24f5, 0x24fd},
	{0x24ff, 0x24ff}, {0x2776, 0x277e}, {0x2780, 0x2788}, {0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68},
	{0x11052, 0x1105a}, {0x1f100, 0x1f10a},
}

// hanNumbers are the letters that stand for numbers.
const hanNumbers = "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭\U0002f890"

func isNumeric(r rune) bool {
	return unicode.IsNumber(r) || r >= 0x3405 && strings.ContainsRune(hanNumbers, r)
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
		if r != '_' && !unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start) &&
			(i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc, unicode.Other_ID_Continue)) {
			return false
		}
	}
	return s != ""
}

func asks(name string, is func(string) bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none(name)
		return is(str(self))
	}
}
