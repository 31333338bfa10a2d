package render

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatSpec is format(v, spec).
func formatSpec(v any, spec string) string {
	if spec == "" {
		return str(v)
	}
	if t, ok := v.(*timeValue); ok {
		return strftime(t.t, spec)
	}
	s, isText := text(v)
	if !isText && !isNumber(v) {
		refuseOperand(v)
		throw("TypeError", "unsupported format string passed to %s.__format__", typeName(v))
	}
	p := parseSpec(spec, typeName(v))
	if isText {
		return p.str(s)
	}
	return p.number(v)
}

// parseSpec reads [[fill]align][sign][z][#][0][width][group][.precision][type].
func parseSpec(spec, typ string) verb {
	p := verb{fill: " ", precision: -1}
	filled := false
	isAlign := func(s string) bool { return s != "" && strings.IndexByte("<>=^", s[0]) >= 0 }
	if _, n := utf8.DecodeRuneInString(spec); isAlign(spec[n:]) {
		p.fill, p.align, filled = spec[:n], spec[n], true
		spec = spec[n+1:]
	} else if isAlign(spec) {
		p.align = spec[0]
		spec = spec[1:]
	}
	flag := func(chars string) byte {
		if spec != "" && strings.IndexByte(chars, spec[0]) >= 0 {
			c := spec[0]
			spec = spec[1:]
			return c
		}
		return 0
	}
	p.sign = flag("+- ")
	p.coerce = flag("z") != 0
	p.alt = flag("#") != 0
	if flag("0") != 0 {
		p.zero = true
		if p.align == 0 {
			p.align = '='
		}
		if !filled {
			p.fill = "0"
		}
	}
	number := func() (int, bool) {
		n, any := 0, false
		for spec != "" && spec[0] >= '0' && spec[0] <= '9' {
			n, any = min(n*10+int(spec[0]-'0'), 1<<40), true
			spec = spec[1:]
		}
		return checkWidth(n), any
	}
	p.width, _ = number()
	p.group = flag(",_")
	if flag(".") != 0 {
		n, ok := number()
		if !ok {
			throw("ValueError", "Format specifier missing precision")
		}
		p.precision = n
	}
	if len(spec) > 1 {
		throw("ValueError", "Invalid format specifier for object of type '%s'", typ)
	}
	if spec != "" {
		p.kind = spec[0]
	}
	return p
}

func (p verb) str(s string) string {
	switch {
	case p.kind != 0 && p.kind != 's':
		throw("ValueError", "Unknown format code '%c' for object of type 'str'", p.kind)
	case p.sign != 0:
		throw("ValueError", "Sign not allowed in string format specifier")
	case p.coerce:
		throw("ValueError", "Negative zero coercion (z) not allowed in string format specifier")
	case p.alt:
		throw("ValueError", "Alternate form (#) not allowed in string format specifier")
	case p.group != 0:
		throw("ValueError", "Cannot specify '%c' with 's'.", p.group)
	case p.align == '=':
		if !p.zero {
			throw("ValueError", "'=' alignment not allowed in string format specifier")
		}
		p.align = '<'
	}
	return p.padText(p.cut(s), '<')
}

func (p verb) number(v any) string {
	_, isFloat := v.(float64)
	kind := p.kind
	if p.kind == 0 && !isFloat {
		kind = 'd'
	}
	switch kind {
	case 'b', 'c', 'd', 'o', 'x', 'X':
		if isFloat {
			break
		}
		return p.integral(v, kind)
	case 'n':
		if p.group != 0 {
			throw("ValueError", "Cannot specify '%c' with 'n'.", p.group)
		}
		if !isFloat {
			return p.integral(v, 'd')
		}
		p.kind = 'g'
		return p.real(float(v))
	case 0, 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return p.real(float(v))
	}
	throw("ValueError", "Unknown format code '%c' for object of type '%s'", kind, typeName(v))
	return ""
}

func (p verb) integral(v any, kind byte) string {
	if p.coerce {
		throw("ValueError", "Negative zero coercion (z) not allowed in format specifier with integer format code '%c'", kind)
	}
	if p.precision >= 0 {
		throw("ValueError", "Precision not allowed in integer format specifier")
	}
	if kind == 'c' {
		if p.sign != 0 {
			throw("ValueError", "Sign not allowed with integer format specifier 'c'")
		}
		return p.padText(character(v), '<')
	}
	if kind != 'd' && p.group == ',' {
		throw("ValueError", "Cannot specify ',' with '%c'.", kind)
	}
	p.kind = kind
	var n *big.Int
	n, _ = bigInt(v)
	return p.integer(n)
}

func (p verb) real(x float64) string {
	if p.coerce {
		p.coerce = false
		if s := p.real(x); math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(s, "123456789") {
			return s
		}
		x = 0
	}
	switch {
	case p.kind == '%':
		p.kind = 'f'
		if p.precision < 0 {
			p.precision = 6
		}
		width := p.width
		p.width = max(0, width-1)
		return percentSign(p, x*100, width)
	case p.kind == 0 && p.precision < 0:
		s := floatRepr(math.Abs(x))
		if p.alt {
			s = withPoint(s)
		}
		whole, rest := s, ""
		if i := strings.IndexAny(s, ".e"); i >= 0 {
			whole, rest = s[:i], s[i:]
		}
		return p.padNumber(p.signOf(math.Signbit(x) && !math.IsNaN(x)), whole, rest, 3)
	case p.kind == 0:
		return p.shortReal(x)
	}
	if p.precision < 0 {
		p.precision = 6
	}
	return p.float(x)
}

func percentSign(p verb, x float64, width int) string {
	if p.align == '<' || p.align == '^' || p.align == '>' {
		p.width = 0
		s := p.float(x) + "%"
		p.width = width
		return p.padText(s, '>')
	}
	return p.float(x) + "%"
}

// shortReal is the format without a type but with a precision.
func (p verb) shortReal(x float64) string {
	n := max(p.precision, 1)
	a := math.Abs(x)
	if math.IsInf(a, 0) || math.IsNaN(a) {
		p.kind = 'g'
		return p.float(x)
	}
	s := strconv.FormatFloat(a, 'e', n-1, 64)
	i := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[i+1:])
	mantissa, rest := s[:i], s[i:]
	if p.alt {
		mantissa = withPoint(mantissa)
	} else if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if exp >= -4 && exp < n-1 || a == 0 {
		mantissa, rest = strconv.FormatFloat(a, 'f', max(0, n-1-exp), 64), ""
		if strings.Contains(mantissa, ".") && !p.alt {
			mantissa = strings.TrimRight(mantissa, "0")
			if strings.HasSuffix(mantissa, ".") {
				mantissa += "0"
			}
		} else if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
	}
	if j := strings.IndexByte(mantissa, '.'); j >= 0 {
		mantissa, rest = mantissa[:j], mantissa[j:]+rest
	}
	return p.padNumber(p.signOf(math.Signbit(x)), mantissa, rest, 3)
}
