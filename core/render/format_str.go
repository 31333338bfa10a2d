package render

import (
	"strconv"
	"strings"
)

// formatter is one str.format call.
type formatter struct {
	f      *frame
	pos    []any
	kw     []kwarg
	next   int  // of the automatic numbering
	manual bool // fields were numbered by hand
	escape bool // what is put in is escaped
}

// of formats a str, or markup, into which things are put escaped.
func (fm *formatter) of(s any) any {
	if m, ok := s.(markup); ok {
		fm.escape = true
		return markup(fm.format(string(m), 0))
	}
	return fm.format(s.(string), 0)
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
	if !fm.escape || depth > 0 {
		return formatSpec(v, spec)
	}
	if m, ok := v.(markup); ok {
		if spec != "" {
			throw("ValueError", "unsupported format specification for Markup")
		}
		return string(m)
	}
	return escapeHTML(formatSpec(v, spec))
}

// value resolves a field name: an argument, then attributes and items of it.
func (fm *formatter) value(name string) any {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := fm.argument(name[:end], end == len(name))
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
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && isDigits(key) {
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

// argument finds the argument a field begins with. As in Jinja2's sandbox, only
// fields that are nothing else are numbered, and checked for how they are.
func (fm *formatter) argument(name string, whole bool) any {
	i, _ := strconv.Atoi(name)
	switch {
	case name == "" && whole:
		if fm.manual {
			throw("ValueError", "cannot switch from manual field specification to automatic field numbering")
		}
		i = fm.next
		fm.next++
	case !isDigits(name):
		for _, k := range fm.kw {
			if k.name == name {
				return k.val
			}
		}
		throw("KeyError", "%s", repr(name))
	case whole:
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
