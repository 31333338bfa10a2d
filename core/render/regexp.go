package render

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// regexps keeps compiled patterns, which templates use over and over.
var regexps = struct {
	sync.Mutex
	m map[string]*pattern
}{m: map[string]*pattern{}}

// pattern is a Python regular expression, as far as RE2 can be one.
type pattern struct {
	*regexp.Regexp
	dollar bool // $ may also mean the place before a last newline
}

// find is the first match in s; a pattern with $ that finds none may find one
// before the newline at the end.
func (p *pattern) find(s string) []int {
	m := p.FindStringSubmatchIndex(s)
	if m == nil && p.dollar && strings.HasSuffix(s, "\n") {
		m = p.FindStringSubmatchIndex(s[:len(s)-1])
	}
	return m
}

func (p *pattern) findAll(s string) [][]int {
	m := p.FindAllStringSubmatchIndex(s, -1)
	if m == nil && p.dollar && strings.HasSuffix(s, "\n") {
		m = p.FindAllStringSubmatchIndex(s[:len(s)-1], -1)
	}
	return m
}

// findAtStart is re.match: the match that begins where s does.
func (p *pattern) findAtStart(s string) []int {
	if m := p.find(s); m != nil && m[0] == 0 {
		return m
	}
	return nil
}

// pythonRegexp compiles a pattern.
func pythonRegexp(text string, ignoreCase, multiline bool) *pattern {
	flags := ""
	if ignoreCase {
		flags += "i"
	}
	if multiline {
		flags += "m"
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	key := flags + text
	regexps.Lock()
	defer regexps.Unlock()
	if re, ok := regexps.m[key]; ok {
		return re
	}
	re, err := regexp.Compile(flags + translateRegexp(text, multiline))
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		if strings.Contains(text, "(?=") || strings.Contains(text, "(?!") || strings.Contains(text, "(?<") {
			msg = "look-around is not supported"
		}
		throw("re.error", "regular expression %s: %s", repr(text), msg)
	}
	if len(regexps.m) >= 1000 {
		clear(regexps.m)
	}
	p := &pattern{re, !multiline && strings.Contains(text, "$")}
	regexps.m[key] = p
	return p
}

// translateRegexp rewrites what Python and RE2 spell differently.
func translateRegexp(p string, multiline bool) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\' && i+1 < len(p):
			i++
			switch {
			case p[i] == 'Z' && !class:
				b.WriteString(`\z`)
			case class:
				b.WriteString(classEscape(p[i]))
			case p[i] == 'w' || p[i] == 'W' || p[i] == 'd' || p[i] == 'D' || p[i] == 's' || p[i] == 'S':
				b.WriteString(unicodeClass(p[i]))
			case p[i] >= utf8.RuneSelf || strings.IndexByte("/-#&%@!~`'\",:;<>=_ ", p[i]) >= 0:
				b.WriteString(regexp.QuoteMeta(p[i : i+1]))
			default:
				b.WriteByte('\\')
				b.WriteByte(p[i])
			}
		case c == '[' && !class:
			class = true
			b.WriteByte(c)
			if i+1 < len(p) && p[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(p) && p[i+1] == ']' {
				i++
				b.WriteString(`\]`)
			}
		case c == '[' && class:
			b.WriteString(`\[`)
		case c == ']' && class:
			class = false
			b.WriteByte(c)
		case c == '$' && !class && !multiline:
			b.WriteString(`\z`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unicodeClass(c byte) string {
	switch c {
	case 'w':
		return `[\p{L}\p{N}_]`
	case 'W':
		return `[^\p{L}\p{N}_]`
	case 'd':
		return `\p{Nd}`
	case 'D':
		return `\P{Nd}`
	case 's':
		return `[\s\v\x{1c}-\x{1f}\x{85}\p{Z}]`
	}
	return `[^\s\v\x{1c}-\x{1f}\x{85}\p{Z}]`
}

func classEscape(c byte) string {
	switch c {
	case 'w':
		return `\p{L}\p{N}_`
	case 'd':
		return `\p{Nd}`
	case 's':
		return `\s\v\x{1c}-\x{1f}\x{85}\p{Z}`
	case 'D', 'S', 'W', 'n', 't', 'r', 'f', 'v', 'a', 'x', 'b', '0', 'u':
		return `\` + string(rune(c))
	}
	return regexp.QuoteMeta(string(rune(c)))
}

func regexArgs(name string, v any, a args) (*pattern, string) {
	b := a.bind(name, 1, "rgx", "ignorecase", "multiline")
	return pythonRegexp(wantStr(b[0]), truth(or(b[1], false)), truth(or(b[2], false))), wantStr(v)
}

// groupsOf is match.groups(), or the whole match where the pattern has none.
func groupsOf(s string, m []int) any {
	if m == nil {
		return nil
	}
	if len(m) == 2 {
		return &Tuple{items: []any{s[m[0]:m[1]]}}
	}
	t := &Tuple{}
	for i := 2; i < len(m); i += 2 {
		if m[i] < 0 {
			t.items = append(t.items, nil)
		} else {
			t.items = append(t.items, s[m[i]:m[i+1]])
		}
	}
	return t
}

func filterRegexSearch(_ *frame, v any, a args) any {
	re, s := regexArgs("regex_search", v, a)
	return groupsOf(s, re.find(s))
}

func filterRegexMatch(_ *frame, v any, a args) any {
	re, s := regexArgs("regex_match", v, a)
	return groupsOf(s, re.findAtStart(s))
}

func filterRegexReplace(_ *frame, v any, a args) any {
	b := a.bind("regex_replace", 2, "rgx", "val", "ignorecase", "multiline")
	re := pythonRegexp(wantStr(b[0]), truth(or(b[2], false)), truth(or(b[3], false)))
	s, val := wantStr(v), wantStr(b[1])
	var out strings.Builder
	last := 0
	for _, m := range re.findAll(s) {
		out.WriteString(s[last:m[0]])
		expandTemplate(&out, val, s, m, re.Regexp)
		last = m[1]
		checkText(out.Len())
	}
	out.WriteString(s[last:])
	return out.String()
}

// expandTemplate writes a replacement: \1, \g<1> and \g<name> are groups.
func expandTemplate(out *strings.Builder, val, s string, m []int, re *regexp.Regexp) {
	group := func(i int) {
		if 2*i+1 >= len(m) {
			throw("re.error", "invalid group reference %d", i)
		}
		if m[2*i] >= 0 {
			out.WriteString(s[m[2*i]:m[2*i+1]])
		}
	}
	for i := 0; i < len(val); i++ {
		if val[i] != '\\' || i+1 == len(val) {
			out.WriteByte(val[i])
			continue
		}
		i++
		switch c := val[i]; {
		case c == 'g' && i+1 < len(val) && val[i+1] == '<':
			end := strings.IndexByte(val[i:], '>')
			if end < 0 {
				throw("re.error", "missing >, unterminated name")
			}
			name := val[i+2 : i+end]
			n, err := strconv.Atoi(name)
			if err != nil {
				n = re.SubexpIndex(name)
			}
			if n < 0 {
				throw("re.error", "unknown group name %s", repr(name))
			}
			group(n)
			i += end
		case c >= '1' && c <= '9':
			n := int(c - '0')
			if i+1 < len(val) && val[i+1] >= '0' && val[i+1] <= '9' {
				i++
				n = n*10 + int(val[i]-'0')
			}
			group(n)
		case c == 'n':
			out.WriteByte('\n')
		case c == 't':
			out.WriteByte('\t')
		case c == 'r':
			out.WriteByte('\r')
		case c == '\\':
			out.WriteByte('\\')
		case c == '0':
			out.WriteByte(0)
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			throw("re.error", "bad escape \\%c", c)
		default:
			out.WriteByte('\\')
			out.WriteByte(c)
		}
	}
}

// filterRegexEscape is re.escape.
func filterRegexEscape(_ *frame, v any, a args) any {
	a.none("regex_escape")
	var b strings.Builder
	for _, r := range wantStr(v) {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
