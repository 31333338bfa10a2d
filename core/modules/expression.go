package modules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// matchLimit is how long one search may take: a pattern that backtracks without end fails its state.
const matchLimit = 10 * time.Second

// expression is a regular expression as Python writes them. Positions are runes.
type expression struct{ re *regexp2.Regexp }

// compileExpression compiles a Python pattern; flags are the names of Python's, of one letter: i, m, s, x.
func compileExpression(pattern, flags string) (*expression, error) {
	options := regexp2.None
	for flag, option := range map[rune]regexp2.RegexOptions{
		'i': regexp2.IgnoreCase, 'm': regexp2.Multiline, 's': regexp2.Singleline, 'x': regexp2.IgnorePatternWhitespace,
	} {
		if strings.ContainsRune(flags, flag) {
			options |= option
		}
	}
	re, err := regexp2.Compile(fromPython(pattern), options)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	re.MatchTimeout = matchLimit
	return &expression{re}, nil
}

// fromPython spells in the library's way what Python spells its own way.
func fromPython(pattern string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			i++
			if rest[1] == 'Z' && !class {
				b.WriteString(`\z`)
			} else {
				b.WriteString(rest[:2])
			}
		case rest[0] == '[' && class:
			b.WriteString(`\[`)
		case rest[0] == '[':
			class = true
			b.WriteByte('[')
			if strings.HasPrefix(rest, "[^") {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' {
				i++
				b.WriteString(`\]`)
			}
		case rest[0] == ']':
			class = false
			b.WriteByte(']')
		case !class && strings.HasPrefix(rest, "(?P<"):
			i += 2
			b.WriteString("(?")
		case !class && strings.HasPrefix(rest, "(?P="):
			name, _, _ := strings.Cut(rest[4:], ")")
			b.WriteString(`\k<` + name + ">")
			i += len(name) + 4
		default:
			b.WriteByte(rest[0])
		}
	}
	return b.String()
}

// search reports whether the pattern is found anywhere.
func (e *expression) search(text string) (bool, error) { return e.re.MatchString(text) }

// match reports whether the pattern is found at the beginning.
func (e *expression) match(text string) (bool, error) {
	m, err := e.re.FindStringMatch(text)
	return m != nil && m.Index == 0, err
}

// replace replaces the first count matches, all of them for 0, as re.subn does, and says how many it found.
func (e *expression) replace(text, template string, count int) (string, int, error) {
	parts, err := parseTemplate(template, e.re)
	if err != nil {
		return "", 0, err
	}
	runes := []rune(text)
	var out strings.Builder
	last, found := 0, 0
	m, err := e.re.FindRunesMatch(runes)
	for ; m != nil && err == nil; m, err = e.re.FindNextMatch(m) {
		out.WriteString(string(runes[last:m.Index]))
		for _, part := range parts {
			out.WriteString(part.text)
			if part.group >= 0 {
				out.WriteString(m.GroupByNumber(part.group).String())
			}
		}
		last = m.Index + m.Length
		if found++; found == count {
			break
		}
	}
	if err != nil {
		return "", 0, err
	}
	out.WriteString(string(runes[last:]))
	return out.String(), found, nil
}

// templatePart is a piece of a replacement: a text, then a group of the match unless that is negative.
type templatePart struct {
	text  string
	group int
}

// parseTemplate reads a replacement as Python writes them: \1, \g<1> and \g<name> are groups, \n and its like characters.
func parseTemplate(template string, re *regexp2.Regexp) ([]templatePart, error) {
	var parts []templatePart
	var text strings.Builder
	groups := re.GetGroupNumbers()
	add := func(number int) error {
		if !slices.Contains(groups, number) {
			return fmt.Errorf("replacement %q: the pattern has no group %d", template, number)
		}
		parts = append(parts, templatePart{text.String(), number})
		text.Reset()
		return nil
	}
	escapes := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'f': '\f', 'v': '\v', 'a': '\a', 'b': '\b', '\\': '\\', '0': 0}
	for i := 0; i < len(template); i++ {
		if template[i] != '\\' || i+1 == len(template) {
			text.WriteByte(template[i])
			continue
		}
		i++
		c := template[i]
		escaped, known := escapes[c]
		switch {
		case known:
			text.WriteByte(escaped)
		case c >= '1' && c <= '9':
			number := int(c - '0')
			if i+1 < len(template) && template[i+1] >= '0' && template[i+1] <= '9' {
				i++
				number = number*10 + int(template[i]-'0')
			}
			if err := add(number); err != nil {
				return nil, err
			}
		case c == 'g':
			name, _, closed := strings.Cut(strings.TrimPrefix(template[i+1:], "<"), ">")
			if !closed || i+1 == len(template) || template[i+1] != '<' {
				return nil, fmt.Errorf(`replacement %q: write \g<name> for a group`, template)
			}
			number, err := strconv.Atoi(name)
			if err != nil {
				number = re.GroupNumberFromName(name)
			}
			if number < 0 {
				return nil, fmt.Errorf("replacement %q: the pattern has no group %q", template, name)
			}
			if err := add(number); err != nil {
				return nil, err
			}
			i += len(name) + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return nil, fmt.Errorf(`replacement %q: \%c means nothing: write \\%c for a backslash`, template, c, c)
		default:
			text.WriteByte('\\')
			text.WriteByte(c)
		}
	}
	return append(parts, templatePart{text.String(), -1}), nil
}

// pythonFlag is a flag of Python's re; those without a letter say what holds anyway.
type pythonFlag struct {
	bit          int64
	name, letter string
}

var pythonFlags = []pythonFlag{
	{2, "IGNORECASE", "i"}, {4, "LOCALE", ""}, {8, "MULTILINE", "m"}, {16, "DOTALL", "s"}, {32, "UNICODE", ""}, {64, "VERBOSE", "x"}, {256, "ASCII", ""},
}

// expressionFlags reads the flags argument of file.replace: Python's number, or the names of flags.
func expressionFlags(value any) (string, error) {
	out := ""
	switch value := value.(type) {
	case int64:
		for _, flag := range pythonFlags {
			if value&flag.bit != 0 {
				out += flag.letter
			}
		}
		return out, nil
	case string:
		if number, err := strconv.ParseInt(value, 10, 64); err == nil {
			return expressionFlags(number)
		}
		return expressionFlags([]any{value})
	case []any:
		for _, item := range value {
			name := strings.ToUpper(strings.TrimPrefix(fmt.Sprint(item), "re."))
			i := slices.IndexFunc(pythonFlags, func(flag pythonFlag) bool { return flag.name == name })
			if i < 0 {
				return "", fmt.Errorf("flags: %q is not a flag of Python's regular expressions, such as IGNORECASE or MULTILINE", item)
			}
			out += pythonFlags[i].letter
		}
		return out, nil
	}
	return "", errors.New("flags takes a number or a list of names such as IGNORECASE")
}

// bytewise carries text that is not UTF-8 through expressions, a rune for each byte.
type bytewise bool

func (b bytewise) in(text string) string {
	if !b {
		return text
	}
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

func (b bytewise) out(text string) string {
	if !b {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		out = append(out, byte(r))
	}
	return string(out)
}

func bytewiseOf(text string) bytewise { return bytewise(!utf8.ValidString(text)) }
