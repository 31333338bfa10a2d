package modules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ptorbus/zester/core/render"
)

// compileExpression compiles a Python pattern; flags are the letters of its flags: i, m, s, x.
func compileExpression(pattern, flags string) (*expression, error) {
	var set render.RegexpFlags
	for _, flag := range flags {
		set |= map[rune]render.RegexpFlags{'i': render.IgnoreCase, 'm': render.Multiline, 's': render.DotAll, 'x': render.Verbose}[flag]
	}
	re, err := render.CompileRegexp(pattern, set)
	if err != nil {
		return nil, err
	}
	return &expression{re}, nil
}

// expression is a regular expression, asked whether it matches.
type expression struct{ *render.Regexp }

// search reports whether the pattern is found anywhere.
func (e *expression) search(text string) (bool, error) {
	m, err := e.Search(text)
	return m != nil, err
}

// match reports whether the pattern is found at the beginning.
func (e *expression) match(text string) (bool, error) {
	m, err := e.Match(text)
	return m != nil, err
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
