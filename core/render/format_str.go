package render

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatter is one str.format call.
type formatter struct {
	f      *frame
	pos    []any
	kw     []kwarg
	next   int  // of the automatic numbering
	manual bool // fields were numbered by hand
}

func (fm *formatter) format(s string, depth int) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		c := s[i]
		s = s[i+1:]
		if strings.HasPrefix(s, string(c)) {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if c == '}' {
			throw("ValueError", "Single '}' encountered in format string")
		}
		end := fieldEnd(s)
		if depth > 1 {
			throw("ValueError", "Max string recursion exceeded")
		}
		b.WriteString(fm.field(s[:end], depth))
		s = s[end+1:]
		checkText(b.Len())
	}
	return b.String()
}

// fieldEnd finds the brace that closes a field.
func fieldEnd(s string) int {
	depth, bracket := 1, false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case '{':
			if !bracket {
				depth++
			}
		case '}':
			if bracket {
				continue
			}
			if depth--; depth == 0 {
				return i
			}
		}
	}
	if s == "" {
		throw("ValueError", "Single '{' encountered in format string")
	}
	throw("ValueError", "expected '}' before end of string")
	return 0
}

func (fm *formatter) field(field string, depth int) string {
	name, spec, conv := field, "", byte(0)
	bracket := false
scan:
	for i := 0; i < len(field); i++ {
		switch field[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case ':':
			if !bracket {
				name, spec = field[:i], field[i+1:]
				break scan
			}
		case '!':
			if bracket {
				continue
			}
			name = field[:i]
			rest := field[i+1:]
			if rest == "" || len(rest) > 1 && rest[1] != ':' {
				throw("ValueError", "expected ':' after conversion specifier")
			}
			conv = rest[0]
			if len(rest) > 2 {
				spec = rest[2:]
			}
			break scan
		}
	}
	v := fm.value(name)
	switch conv {
	case 0:
	case 's':
		v = str(v)
	case 'r':
		v = repr(v)
	case 'a':
		v = asciiRepr(v)
	default:
		throw("ValueError", "Unknown conversion specifier %c", conv)
	}
	if strings.ContainsAny(spec, "{}") {
		spec = fm.format(spec, depth+1)
	}
	return formatSpec(v, spec)
}

// value resolves a field name: an argument, then attributes and items of it.
func (fm *formatter) value(name string) any {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := fm.argument(name[:end])
	for rest := name[end:]; rest != ""; {
		if rest[0] == '.' {
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				throw("ValueError", "Empty attribute in format string")
			}
			v = fm.f.getattr(v, rest[:end])
			rest = rest[end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			throw("ValueError", "Missing ']' in format string")
		}
		key := rest[1:end]
		if key == "" {
			throw("ValueError", "Empty attribute in format string")
		}
		if n, err := strconv.ParseInt(key, 10, 64); err == nil {
			v = fm.f.getitem(v, n)
		} else {
			v = fm.f.getitem(v, key)
		}
		if rest = rest[end+1:]; rest != "" && rest[0] != '.' && rest[0] != '[' {
			throw("ValueError", "Only '.' or '[' may follow ']' in format field specifier")
		}
	}
	return v
}

func (fm *formatter) argument(name string) any {
	i, err := strconv.Atoi(name)
	switch {
	case name == "":
		if fm.manual {
			throw("ValueError", "cannot switch from manual field specification to automatic field numbering")
		}
		i = fm.next
		fm.next++
	case err != nil:
		for _, k := range fm.kw {
			if k.name == name {
				return k.val
			}
		}
		throw("KeyError", "%s", repr(name))
	default:
		if fm.next > 0 {
			throw("ValueError", "cannot switch from automatic field numbering to manual field specification")
		}
		fm.manual = true
	}
	if i < 0 || i >= len(fm.pos) {
		throw("IndexError", "Replacement index %d out of range for positional args tuple", i)
	}
	return fm.pos[i]
}

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
	flag("z")
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
	if p.precision >= 0 {
		throw("ValueError", "Precision not allowed in integer format specifier")
	}
	if kind == 'c' {
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
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if exp >= -4 && exp < n-1 || a == 0 {
		mantissa, rest = strconv.FormatFloat(a, 'f', max(0, n-1-exp), 64), ""
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(mantissa, "0")
			if strings.HasSuffix(mantissa, ".") {
				mantissa += "0"
			}
		} else {
			mantissa += ".0"
		}
	}
	if j := strings.IndexByte(mantissa, '.'); j >= 0 {
		mantissa, rest = mantissa[:j], mantissa[j:]+rest
	}
	return p.padNumber(p.signOf(math.Signbit(x)), mantissa, rest, 3)
}
