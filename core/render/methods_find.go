package render

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

func joinMethod(_ *frame, self any, a args) any {
	sep := self.(string)
	var b strings.Builder
	for i, x := range collect(a.bind("join", 1, "iterable")[0]) {
		s, ok := text(x)
		if !ok {
			refuseOperand(x)
			throw("TypeError", "sequence item %d: expected str instance, %s found", i, typeName(x))
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s)
		checkText(b.Len())
	}
	return b.String()
}

func formatMethod(f *frame, self any, a args) any {
	fm := &formatter{f: f, pos: a.pos, kw: a.kw}
	return fm.of(self)
}

func formatMap(f *frame, self any, a args) any {
	fm := &formatter{f: f}
	m := a.bind("format_map", 1, "mapping")[0]
	if strings.Contains(str(self), "{") { // else nobody asks what the mapping is
		for k, v := range wantDict(m).All() {
			fm.kw = append(fm.kw, kwarg{str(k), v})
		}
	}
	return fm.of(self)
}

// substring cuts the part of s that start and end, in code points, leave, and tells
// how many code points come before it; !ok means start is beyond the end.
func substring(s string, start, end any) (part string, before int, ok bool) {
	if start == nil && end == nil {
		return s, 0, true
	}
	n := runeLen(s)
	for _, v := range []any{start, end} {
		if _, ok := v.(*big.Int); !ok && v != nil {
			if _, ok := integer(v); !ok {
				throw("TypeError", "slice indices must be integers or None or have an __index__ method")
			}
		}
	}
	if start != nil && clampInt(start) > n {
		return "", 0, false
	}
	lo, hi, _ := bounds(n, start, end, nil)
	if lo > hi {
		return "", lo, false
	}
	if n == len(s) {
		return s[lo:hi], lo, true
	}
	return string([]rune(s)[lo:hi]), lo, true
}

func find(right, must bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		b := a.bind("find", 1, "sub", "start", "end")
		sub := wantStr(b[0])
		part, before, ok := substring(self.(string), or(b[1], nil), or(b[2], nil))
		i := -1
		if ok {
			i = strings.Index(part, sub)
			if right {
				i = strings.LastIndex(part, sub)
			}
		}
		if i < 0 {
			if must {
				throw("ValueError", "substring not found")
			}
			return int64(-1)
		}
		return int64(before + runeLen(part[:i]))
	}
}

func countText(_ *frame, self any, a args) any {
	b := a.bind("count", 1, "sub", "start", "end")
	part, _, ok := substring(self.(string), or(b[1], nil), or(b[2], nil))
	if !ok {
		return int64(0)
	}
	return int64(strings.Count(part, wantStr(b[0])))
}

func affix(has func(s, affix string) bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		b := a.bind("startswith", 1, "prefix", "start", "end")
		part, _, ok := substring(self.(string), or(b[1], nil), or(b[2], nil))
		if !ok {
			return false
		}
		t, isTuple := b[0].(*Tuple)
		if !isTuple {
			if _, ok := text(b[0]); !ok {
				refuseOperand(b[0])
				throw("TypeError", "first arg must be str or a tuple of str, not %s", typeName(b[0]))
			}
			return has(part, str(b[0]))
		}
		for _, x := range t.items {
			if has(part, wantStr(x)) {
				return true
			}
		}
		return false
	}
}

func remove(trim func(s, affix string) string) methodFunc {
	return func(_ *frame, self any, a args) any {
		return trim(self.(string), wantStr(a.bind("removeprefix", 1, "prefix")[0]))
	}
}

func justify(align byte) methodFunc {
	return func(_ *frame, self any, a args) any {
		b := a.bind("center", 1, "width", "fillchar")
		fill := wantStr(or(b[1], " "))
		if runeLen(fill) != 1 {
			throw("TypeError", "the fill character must be exactly one character long")
		}
		if align == '^' {
			return center(self.(string), wantInt(b[0]), fill)
		}
		return verb{width: checkWidth(wantInt(b[0])), fill: fill, align: align}.padText(self.(string), '<')
	}
}

// center is str.center, which puts the odd blank by a rule of its own.
func center(s string, width int, fill string) string {
	n := checkWidth(width) - runeLen(s)
	if n <= 0 {
		return s
	}
	checkText(n * len(fill))
	left := n/2 + n&width&1
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}

func zfill(_ *frame, self any, a args) any {
	s := self.(string)
	n := checkWidth(wantInt(a.bind("zfill", 1, "width")[0])) - runeLen(s)
	if n <= 0 {
		return s
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return sign + strings.Repeat("0", n) + s
}

func expandTabs(_ *frame, self any, a args) any {
	size := checkWidth(wantInt(or(a.bind("expandtabs", 0, "tabsize")[0], int64(8))))
	var b strings.Builder
	col := 0
	for _, r := range self.(string) {
		switch r {
		case '\t':
			if size > 0 {
				n := size - col%size
				b.WriteString(strings.Repeat(" ", n))
				col += n
			}
			checkText(b.Len())
			continue
		case '\n', '\r':
			col = -1
		}
		b.WriteRune(r)
		col++
	}
	return b.String()
}

func encode(_ *frame, self any, a args) any {
	b := a.bind("encode", 0, "encoding", "errors")
	s := self.(string)
	for i, name := range []string{"encoding", "errors"} {
		if b[i] != missing && !isText(b[i]) {
			throw("TypeError", "encode() argument '%s' must be str, not %s", name, typeName(b[i]))
		}
	}
	most := rune(-1)
	switch strings.ToLower(strings.ReplaceAll(wantStr(or(b[0], "utf-8")), "_", "-")) {
	case "utf-8", "utf8":
		return []byte(s)
	case "ascii", "us-ascii":
		most = 0x7f
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1", "l1":
		most = 0xff
	default:
		throw("LookupError", "unknown encoding: %s", str(b[0]))
	}
	out := []byte{}
	for i, r := range []rune(s) {
		if r <= most {
			out = append(out, byte(r))
		} else {
			out = append(out, unencodable(str(b[0]), most, i, r, str(or(b[1], "strict")))...)
		}
	}
	return out
}

// unencodable is what stands for a character an encoding does not have.
func unencodable(encoding string, most rune, at int, r rune, errors string) string {
	switch errors {
	case "strict":
		throw("UnicodeEncodeError", "'%s' codec can't encode character %s in position %d: ordinal not in range(%d)", encoding, asciiRepr(string(r)), at, most+1)
	case "ignore":
		return ""
	case "replace":
		return "?"
	case "xmlcharrefreplace":
		return "&#" + strconv.Itoa(int(r)) + ";"
	case "backslashreplace":
		return strings.Trim(asciiRepr(string(r)), "'")
	}
	throw("LookupError", "unknown error handler name '%s'", errors)
	return ""
}

// makeTranslation is str.maketrans: what translate takes.
func makeTranslation(_ *frame, _ any, a args) any {
	a.noKeywords("maketrans")
	b := a.bind("maketrans", 1, "x", "y", "z")
	out := &Dict{}
	if b[1] == missing {
		d, ok := b[0].(*Dict)
		if !ok {
			throw("TypeError", "if you give only one argument to maketrans it must be a dict")
		}
		for k, v := range d.All() {
			if s, ok := text(k); ok {
				if runeLen(s) != 1 {
					throw("ValueError", "string keys in translate table must be of length 1")
				}
				k = int64([]rune(s)[0])
			}
			out.put(k, v)
		}
		return out
	}
	from, to := []rune(wantStr(b[0])), []rune(wantStr(b[1]))
	if len(from) != len(to) {
		throw("ValueError", "the first two maketrans arguments must have equal length")
	}
	for i, r := range from {
		out.put(int64(r), int64(to[i]))
	}
	for _, r := range wantStr(or(b[2], "")) {
		out.put(int64(r), nil)
	}
	return out
}

func translate(_ *frame, self any, a args) any {
	table := a.bind("translate", 1, "table")[0]
	d, isDict := table.(*Dict)
	if _, ok := length(table); !ok && self != "" {
		throw("TypeError", "'%s' object is not subscriptable", typeName(table))
	}
	var b strings.Builder
	for _, r := range self.(string) {
		v, ok := itemAt(table, int64(r))
		if isDict {
			v, ok = d.get(int64(r))
		}
		switch {
		case !ok:
			b.WriteRune(r)
		case v == nil:
		default:
			if n, isInt := integer(v); isInt && n >= 0 && n <= utf8.MaxRune {
				b.WriteRune(rune(n))
			} else {
				b.WriteString(wantStr(v))
			}
		}
	}
	return b.String()
}
