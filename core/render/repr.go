package render

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is str(v).
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case *undefined:
		v.refuse()
		return ""
	}
	return string(appendRepr(nil, v, 0, nil))
}

// repr is repr(v).
func repr(v any) string { return string(appendRepr(nil, v, 0, nil)) }

// enclosing lists the containers being printed, to stop at a cycle.
type enclosing struct {
	v    any
	next *enclosing
}

func (e *enclosing) has(v any) bool {
	for ; e != nil; e = e.next {
		if e.v == v {
			return true
		}
	}
	return false
}

func appendRepr(b []byte, v any, depth int, in *enclosing) []byte {
	if depth > maxNesting {
		tooDeep()
	}
	switch v := v.(type) {
	case nil:
		return append(b, "None"...)
	case bool:
		if v {
			return append(b, "True"...)
		}
		return append(b, "False"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case *big.Int:
		return v.Append(b, 10)
	case float64:
		return append(b, floatRepr(v)...)
	case string:
		return appendQuoted(b, v)
	case markup:
		return append(appendQuoted(append(b, "Markup("...), string(v)), ')')
	case []byte:
		return appendBytes(b, v)
	case *List:
		if in.has(v) {
			return append(b, "[...]"...)
		}
		return append(appendItems(append(b, '['), v.items, depth, &enclosing{v, in}), ']')
	case *Tuple:
		b = appendItems(append(b, '('), v.items, depth, &enclosing{v, in})
		if len(v.items) == 1 {
			b = append(b, ',')
		}
		return append(b, ')')
	case *Dict:
		return appendDict(b, v, depth, in)
	}
	return appendObject(b, v, depth, in)
}

func appendItems(b []byte, items []any, depth int, in *enclosing) []byte {
	for i, x := range items {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendRepr(b, x, depth+1, in)
	}
	return b
}

func appendDict(b []byte, d *Dict, depth int, in *enclosing) []byte {
	if in.has(d) {
		return append(b, "{...}"...)
	}
	in = &enclosing{d, in}
	b = append(b, '{')
	first := true
	for k, x := range d.All() {
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = appendRepr(b, k, depth+1, in)
		b = append(b, ": "...)
		b = appendRepr(b, x, depth+1, in)
	}
	return append(b, '}')
}

// appendObject prints the values that have no literal.
func appendObject(b []byte, v any, depth int, in *enclosing) []byte {
	switch v := v.(type) {
	case *undefined: // even a strict one can be printed inside of a list
		return append(b, "Undefined"...)
	case *rangeValue:
		if v.step == 1 {
			return fmt.Appendf(b, "range(%d, %d)", v.start, v.stop)
		}
		return fmt.Appendf(b, "range(%d, %d, %d)", v.start, v.stop, v.step)
	case *view:
		b = append(append(b, v.kind...), "(["...)
		return append(appendItems(b, collect(v), depth, &enclosing{v, in}), "])"...)
	case *set:
		if v.d.Len() == 0 {
			return append(b, "set()"...)
		}
		return append(appendItems(append(b, '{'), v.d.keys(), depth, in), '}')
	case *namespace:
		b = appendDict(append(b, "<Namespace "...), v.d, depth, in)
		return append(b, '>')
	case *lookupValue:
		if d, ok := v.dict(); ok {
			return appendDict(b, d, depth, in)
		}
		return fmt.Appendf(b, "<%s>", v.name)
	case *macroValue:
		if v.def.anonymous {
			return append(b, "<Macro anonymous>"...)
		}
		return fmt.Appendf(b, "<Macro %s>", repr(v.def.name))
	case *loopValue:
		return fmt.Appendf(b, "<LoopContext %d/%d>", v.index, v.length())
	case *moduleValue:
		return fmt.Appendf(b, "<TemplateModule %s>", repr(v.env.name))
	case *timeValue:
		return append(b, v.String()...)
	case *builtin:
		return fmt.Appendf(b, "<function %s>", v.name)
	case *method:
		return fmt.Appendf(b, "<built-in method %s of %s object>", v.name, typeName(v.self))
	}
	return fmt.Appendf(b, "<%s object>", typeName(v))
}

// floatRepr is Python's shortest representation.
func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	i := strings.IndexByte(s, 'e')
	if exp, _ := strconv.Atoi(s[i+1:]); exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// appendQuoted is repr of a str.
func appendQuoted(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, quote)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\x%02x`, c)
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, r, s[i:i+n])
			i += n
			continue
		}
		i++
	}
	return append(b, quote)
}

func appendRune(b []byte, r rune, raw string) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Appendf(b, `\udc%02x`, raw[0])
	case unicode.IsPrint(r):
		return append(b, raw...)
	case r < 0x100:
		return fmt.Appendf(b, `\x%02x`, r)
	case r < 0x10000:
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return fmt.Appendf(b, `\U%08x`, r)
}

// asciiRepr is ascii(v): repr with everything beyond ASCII escaped.
func asciiRepr(v any) string {
	s := repr(v)
	var b []byte
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(b)
}

func appendBytes(b, s []byte) []byte {
	quote := byte('\'')
	if strings.Contains(string(s), "'") && !strings.Contains(string(s), `"`) {
		quote = '"'
	}
	b = append(b, 'b', quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c >= 0x7f:
			b = fmt.Appendf(b, `\x%02x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, quote)
}

// runeLen is the number of code points.
func runeLen(s string) int { return utf8.RuneCountInString(s) }

// ascii reports whether bytes and code points of s are the same.
func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
