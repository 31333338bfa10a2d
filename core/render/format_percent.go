package render

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// verb is one conversion of a % format or a format spec.
type verb struct {
	fill      string
	align     byte // '<' '>' '=' '^', 0 for the default
	sign      byte // '+', ' ' or 0 for '-'
	alt       bool
	coerce    bool // -0.0 is 0.0
	zero      bool
	width     int
	precision int  // -1 where there is none
	group     byte // ',' or '_'
	kind      byte
}

// percentArgs hands out the values of a % format.
type percentArgs struct {
	list   []any
	next   int
	dict   any // the mapping, where the operand is one
	whole  bool
	escape bool
}

func (p *percentArgs) take() any {
	if p.next >= len(p.list) {
		throw("TypeError", "not enough arguments for format string")
	}
	p.next++
	return p.list[p.next-1]
}

// percent is format % v; what is put into markup is escaped.
func percent(format, v any) any {
	if m, ok := format.(markup); ok {
		return markup(formatPercent(string(m), v, true))
	}
	return formatPercent(format.(string), v, false)
}

func formatPercent(s string, v any, escape bool) string {
	p := &percentArgs{list: []any{v}, escape: escape}
	switch v := v.(type) {
	case *Tuple:
		p.list = v.items
	case *Dict, *List, *lookupValue, *namespace:
		p.dict, p.whole = v, true
	case *undefined:
		p.whole = true
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = p.conversion(&b, s[i+1:])
		checkText(b.Len())
	}
	if p.next < len(p.list) && !p.whole {
		throw("TypeError", "not all arguments converted during string formatting")
	}
	return b.String()
}

// conversion formats what follows a % and returns the rest.
func (p *percentArgs) conversion(b *strings.Builder, s string) string {
	if strings.HasPrefix(s, "%") {
		b.WriteByte('%')
		return s[1:]
	}
	v := verb{precision: -1, fill: " "}
	var val any = missing
	if strings.HasPrefix(s, "(") {
		key, rest := parenthesized(s)
		s = rest
		val = p.keyed(key)
	}
	for s != "" && strings.IndexByte("-+ #0", s[0]) >= 0 {
		switch s[0] {
		case '-':
			v.align = '<'
		case '+':
			v.sign = '+'
		case ' ':
			if v.sign == 0 {
				v.sign = ' '
			}
		case '#':
			v.alt = true
		case '0':
			v.zero = true
		}
		s = s[1:]
	}
	v.width, s = p.number(s)
	if v.width < 0 {
		v.align, v.width = '<', -v.width
	}
	if strings.HasPrefix(s, ".") {
		v.precision, s = p.number(s[1:])
		v.precision = max(v.precision, 0)
	}
	s = strings.TrimLeft(s, "hlL")
	if s == "" {
		throw("ValueError", "incomplete format")
	}
	r, n := utf8.DecodeRuneInString(s)
	if val == missing {
		val = p.take()
	}
	if strings.IndexByte("diouxXeEfFgGcrsa", s[0]) < 0 {
		throw("ValueError", "unsupported format character '%c' (0x%x)", r, r)
	}
	v.kind = s[0]
	b.WriteString(v.percent(val, p.escape))
	return s[n:]
}

func parenthesized(s string) (key, rest string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i], s[i+1:]
			}
		}
	}
	throw("ValueError", "incomplete format key")
	return "", ""
}

func (p *percentArgs) keyed(key string) any {
	p.whole, p.list = true, nil
	switch d := p.dict.(type) {
	case *Dict:
		if v, ok := d.get(key); ok {
			return v
		}
		throw("KeyError", "%s", repr(key))
	case *lookupValue:
		if v, ok := d.get(key); ok {
			return v
		}
		throw("KeyError", "%s", repr(key))
	}
	throw("TypeError", "format requires a mapping")
	return nil
}

func (p *percentArgs) number(s string) (int, string) {
	if strings.HasPrefix(s, "*") {
		n, ok := integer(p.take())
		if !ok {
			throw("TypeError", "* wants int")
		}
		return checkWidth(int(max(-1<<40, min(1<<40, n)))), s[1:]
	}
	n := 0
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		n = min(n*10+int(s[0]-'0'), 1<<40)
		s = s[1:]
	}
	return checkWidth(n), s
}

func checkWidth(n int) int {
	if n > maxText || n < -maxText {
		checkText(-1)
	}
	return n
}

// percent formats one value of a % format.
func (v verb) percent(val any, escape bool) string {
	switch v.kind {
	case 's', 'r', 'a':
		s := ""
		switch v.kind {
		case 's':
			s = str(val)
		case 'r':
			s = repr(val)
		default:
			s = asciiRepr(val)
		}
		if _, safe := val.(markup); escape && (!safe || v.kind != 's') {
			s = escapeHTML(s)
		}
		v.zero = false
		return v.padText(v.cut(s), '>')
	case 'c':
		return v.padText(character(val), '>')
	}
	refuseOperand(val)
	if !isNumber(val) {
		if strings.IndexByte("oxX", v.kind) >= 0 {
			throw("TypeError", "%%%c format: an integer is required, not %s", v.kind, typeName(val))
		}
		if strings.IndexByte("diu", v.kind) >= 0 {
			throw("TypeError", "%%%c format: a real number is required, not %s", v.kind, typeName(val))
		}
		throw("TypeError", "must be real number, not %s", typeName(val))
	}
	if v.align == '<' {
		v.zero = false
	}
	switch v.kind {
	case 'd', 'i', 'u':
		v.kind = 'd'
		return v.integer(truncated(val))
	case 'o', 'x', 'X':
		if _, ok := val.(float64); ok {
			throw("TypeError", "%%%c format: an integer is required, not float", v.kind)
		}
		b, _ := bigInt(val)
		return v.integer(b)
	}
	if v.precision < 0 {
		v.precision = 6
	}
	return v.float(float(val))
}

func (v verb) cut(s string) string {
	if v.precision >= 0 && runeLen(s) > v.precision {
		return string([]rune(s)[:v.precision])
	}
	return s
}

func character(val any) string {
	if s, ok := text(val); ok && runeLen(s) == 1 {
		return s
	}
	n, ok := integer(val)
	if !ok {
		throw("TypeError", "%%c requires int or char")
	}
	if n < 0 || n > utf8.MaxRune {
		throw("OverflowError", "%%c arg not in range(0x110000)")
	}
	return string(rune(n))
}

// truncated is int(v) of a number.
func truncated(val any) *big.Int {
	f, ok := val.(float64)
	if !ok {
		b, _ := bigInt(val)
		return b
	}
	if math.IsNaN(f) {
		throw("ValueError", "cannot convert float NaN to integer")
	}
	if math.IsInf(f, 0) {
		throw("OverflowError", "cannot convert float infinity to integer")
	}
	b, _ := big.NewFloat(math.Trunc(f)).Int(nil)
	return b
}

// integer formats in one of the bases b, o, d, x, X.
func (v verb) integer(n *big.Int) string {
	base, prefix := 10, ""
	switch v.kind {
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	}
	digits := new(big.Int).Abs(n).Text(base)
	if v.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	if n := v.precision - len(digits); n > 0 { // % only: a minimum of digits
		digits = strings.Repeat("0", n) + digits
	}
	if !v.alt {
		prefix = ""
	}
	size := 3
	if base != 10 {
		size = 4
	}
	return v.padNumber(v.signOf(n.Sign() < 0)+prefix, digits, "", size)
}

func (v verb) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case v.sign != 0 && v.sign != '-':
		return string(v.sign)
	}
	return ""
}

// fullGeneral is %#g: g with all its zeros and its point.
func fullGeneral(x float64, digits int) string {
	s := strconv.FormatFloat(x, 'e', digits-1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exp >= -4 && exp < digits {
		s = strconv.FormatFloat(x, 'f', digits-1-exp, 64)
	}
	if digits-1 == exp || digits == 1 {
		s = withPoint(s)
	}
	return s
}

// withPoint gives a number without a fraction its decimal point.
func withPoint(s string) string {
	whole, exp, found := strings.Cut(s, "e")
	if strings.Contains(whole, ".") {
		return s
	}
	if found {
		exp = "e" + exp
	}
	return whole + "." + exp
}

// float formats with e, f, g and their upper cases; n is g.
func (v verb) float(x float64) string {
	kind := v.kind
	upper := kind >= 'A' && kind <= 'Z'
	if upper {
		kind |= 0x20
	}
	if kind == 'n' {
		kind = 'g'
	}
	negative := math.Signbit(x) && !math.IsNaN(x)
	x = math.Abs(x)
	var s string
	switch {
	case math.IsInf(x, 0):
		s = "inf"
	case math.IsNaN(x):
		s = "nan"
	case kind == 'g' && v.alt:
		s = fullGeneral(x, max(v.precision, 1))
	case kind == 'g':
		s = strconv.FormatFloat(x, 'g', max(v.precision, 1), 64)
	default:
		s = strconv.FormatFloat(x, kind, min(v.precision, maxText), 64)
		if v.alt && v.precision == 0 {
			s = withPoint(s)
		}
	}
	if upper {
		s = strings.ToUpper(s)
	}
	whole, rest := s, ""
	if i := strings.IndexAny(s, ".eE"); i >= 0 {
		whole, rest = s[:i], s[i:]
	}
	return v.padNumber(v.signOf(negative), whole, rest, 3)
}
