package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

var strMethods map[string]methodFunc

func init() {
	strMethods = map[string]methodFunc{
		"upper": textMethod("upper", upper), "lower": textMethod("lower", lower), "title": textMethod("title", title),
		"capitalize": textMethod("capitalize", capitalize), "swapcase": textMethod("swapcase", swapCase),
		"casefold": textMethod("casefold", func(s string) string { return cases.Fold().String(s) }),
		"strip":    strip(true, true), "lstrip": strip(true, false), "rstrip": strip(false, true),
		"split": split(false), "rsplit": split(true), "splitlines": splitLines,
		"partition": partition(false), "rpartition": partition(true),
		"replace": replace, "join": joinMethod, "format": formatMethod, "format_map": formatMap,
		"find": find(false, false), "rfind": find(true, false), "index": find(false, true), "rindex": find(true, true),
		"count": countText, "startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": remove(strings.TrimPrefix), "removesuffix": remove(strings.TrimSuffix),
		"center": justify('^'), "ljust": justify('<'), "rjust": justify('>'), "zfill": zfill,
		"expandtabs": expandTabs, "encode": encode, "translate": translate, "maketrans": makeTranslation,
		"isalpha": every("isalpha", unicode.IsLetter), "isdigit": every("isdigit", isDigit), "isdecimal": every("isdecimal", unicode.IsDigit),
		"isnumeric": every("isnumeric", isNumeric), "isspace": every("isspace", isSpace),
		"isalnum":     every("isalnum", func(r rune) bool { return unicode.IsLetter(r) || isNumeric(r) }),
		"isprintable": asks("isprintable", printable), "isascii": asks("isascii", ascii), "isupper": asks("isupper", isUpper), "islower": asks("islower", isLower),
		"istitle": asks("istitle", isTitle), "isidentifier": asks("isidentifier", isIdentifier),
	}
	for name, fn := range strMethods {
		strMethods[name] = keepMarkup(name, fn)
	}
}

func textMethod(name string, fn func(string) string) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none(name)
		return fn(self.(string))
	}
}

func every(name string, is func(rune) bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none(name)
		s := self.(string)
		for _, r := range s {
			if !is(r) {
				return false
			}
		}
		return s != ""
	}
}

func strip(left, right bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		return stripText(self.(string), or(a.bind("strip", 0, "chars")[0], nil), left, right)
	}
}

func stripText(s string, chars any, left, right bool) string {
	in := isSpace
	if chars != nil {
		set := wantStr(chars)
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

func split(right bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		b := a.bind("split", 0, "sep", "maxsplit")
		limit := wantInt(or(b[1], int64(-1)))
		s := self.(string)
		var parts []string
		switch sep := or(b[0], nil); {
		case sep == nil:
			parts = splitSpace(s, limit, right)
		case wantStr(sep) == "":
			throw("ValueError", "empty separator")
		case limit < 0:
			parts = strings.Split(s, wantStr(sep))
		case right:
			parts = splitRight(s, wantStr(sep), limit)
		default:
			parts = strings.SplitN(s, wantStr(sep), limit+1)
		}
		return stringList(parts)
	}
}

func stringList(parts []string) *List {
	items := make([]any, len(parts))
	for i, p := range parts {
		items[i] = p
	}
	return &List{items}
}

func splitRight(s, sep string, limit int) []string {
	var parts []string
	for ; limit > 0; limit-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		parts = append(parts, s[i+len(sep):])
		s = s[:i]
	}
	return reversed(append(parts, s))
}

func reversed(s []string) []string {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
	return s
}

func splitSpace(s string, limit int, right bool) []string {
	if limit < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var parts []string
	if right {
		for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
			i := strings.LastIndexFunc(s, isSpace)
			if len(parts) == limit || i < 0 {
				if len(parts) < limit || i >= 0 || limit >= len(parts) {
					parts = append(parts, strings.TrimLeftFunc(s, func(r rune) bool { return i < 0 && isSpace(r) }))
				}
				break
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			parts = append(parts, s[i+n:])
			s = s[:i]
		}
		return reversed(parts)
	}
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		i := strings.IndexFunc(s, isSpace)
		if len(parts) == limit || i < 0 {
			parts = append(parts, s)
			break
		}
		parts = append(parts, s[:i])
		s = s[i:]
	}
	return parts
}

func splitLines(_ *frame, self any, a args) any {
	keep := wantInt(or(a.bind("splitlines", 0, "keepends")[0], false)) != 0
	return stringList(linesOf(self.(string), keep))
}

// linesOf is str.splitlines.
func linesOf(s string, keep bool) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !(r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029) {
			i += n
			continue
		}
		if r == '\r' && strings.HasPrefix(s[i+1:], "\n") {
			n++
		}
		end := i
		if keep {
			end = i + n
		}
		out = append(out, s[start:end])
		i += n
		start = i
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

func partition(right bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		s, sep := self.(string), wantStr(a.bind("partition", 1, "sep")[0])
		if sep == "" {
			throw("ValueError", "empty separator")
		}
		i := strings.Index(s, sep)
		if right {
			i = strings.LastIndex(s, sep)
		}
		switch {
		case i >= 0:
			return &Tuple{items: []any{s[:i], sep, s[i+len(sep):]}}
		case right:
			return &Tuple{items: []any{"", "", s}}
		}
		return &Tuple{items: []any{s, "", ""}}
	}
}

func replace(_ *frame, self any, a args) any {
	a.noKeywords("replace")
	b := a.bind("replace", 2, "old", "new", "count")
	return replaceText(self.(string), wantStr(b[0]), wantStr(b[1]), wantInt(or(b[2], int64(-1))))
}

func replaceText(s, old, new string, n int) string {
	if grow := len(new) - len(old); grow > 0 {
		times := strings.Count(s, old)
		if n >= 0 {
			times = min(times, n)
		}
		if times > 0 && grow > maxText/times {
			checkText(-1)
		}
	}
	return strings.Replace(s, old, new, n)
}
