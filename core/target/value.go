package target

import (
	"regexp"
	"strings"
)

// value is a term on facts or settings. Where the key ends and the value begins is open as in Salt, because both may hold colons:
// network:ipv4:10.* is tried as network = ipv4:10.* and as network:ipv4 = 10.*; one that matches is enough.
type value struct {
	source Source
	regexp bool
	text   string
	splits []split
}

// split is one way to read a value term.
type split struct {
	path  string
	wild  bool   // the path has a * element
	exact string // the only matching value, if isExact
	isExact,
	isAny bool // every value matches
	match func(value string) bool
}

// maxPath is how many elements a path in a term can have; facts are not nested deeper.
const maxPath = 16

// splitGlob reads text as key:glob in every way; at is the byte offset of the fault.
func splitGlob(text string) (splits []split, at int, msg string) {
	return splitValue(text, func(s *split, pattern string) (int, string) {
		g, at, ok := compileGlob(fold(pattern))
		if !ok {
			// Folding may have moved bytes; the class starts at the same bracket.
			return nthBracket(pattern, strings.Count(fold(pattern)[:at], "[")), unclosedClass
		}
		s.isExact, s.exact = g.literal, g.prefix
		s.isAny = g.prefixOnly && g.prefix == ""
		s.match = g.match
		return 0, ""
	})
}

const unclosedClass = `"[" without "]"; write [[] for the character itself`

func nthBracket(s string, n int) int {
	for i := range len(s) {
		if s[i] == '[' {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return 0
}

// splitRegexp reads text as key:regexp in every way.
func splitRegexp(text string) (splits []split, at int, msg string) {
	return splitValue(text, func(s *split, pattern string) (int, string) {
		re, _, at, msg := compileRegexp("(?i)", pattern)
		if msg != "" {
			return at, msg
		}
		s.match = re.MatchString
		return 0, ""
	})
}

func splitValue(text string, compile func(s *split, pattern string) (int, string)) (splits []split, at int, msg string) {
	const want = `expected fact:value, such as os:debian`
	for from := 0; len(splits) < maxPath; {
		colon := strings.IndexByte(text[from:], ':')
		if colon < 0 {
			break
		}
		colon += from
		if colon == 0 {
			return nil, 0, want
		}
		s := split{path: elements(text[:colon])}
		for e := range strings.SplitSeq(s.path, ":") {
			s.wild = s.wild || e == "*"
		}
		rest := text[colon+1:]
		if faultAt, fault := compile(&s, rest); fault == "" {
			splits = append(splits, s)
		} else if len(splits) == 0 {
			at, msg = colon+1+faultAt, fault
			if !strings.HasPrefix(rest, "*:") { // a path element, and no regular expression
				return nil, at, msg
			}
		}
		from = colon + 1
	}
	switch {
	case len(splits) > 0:
		return splits, 0, ""
	case msg != "":
		return nil, at, msg
	}
	return nil, len(text), want
}

// compileRegexp anchors at the start only, as Salt does. prefix is literal text that every match starts with.
func compileRegexp(flags, pattern string) (re *regexp.Regexp, prefix string, at int, msg string) {
	free, err := regexp.Compile(flags + pattern)
	if err == nil {
		re, err = regexp.Compile(flags + `\A(?:` + pattern + `)`)
	}
	if err != nil {
		at, msg = regexpFault(pattern, err)
		return nil, "", at, msg
	}
	prefix, _ = free.LiteralPrefix()
	return re, prefix, 0, ""
}

func (e *value) prefix() string {
	switch {
	case e.source == Settings && e.regexp:
		return "J@"
	case e.source == Settings:
		return "I@"
	case e.regexp:
		return "P@"
	}
	return "G@"
}

func (e *value) print(b *strings.Builder, _ int) { printTerm(b, e.prefix(), e.text) }
func (e *value) walk(f func(expr))               { f(e) }

func (e *value) match(p *Peel) bool {
	values := p.Facts
	if e.source == Settings {
		values = p.Settings
	}
	for i := range e.splits {
		if e.splits[i].matchIn(values) {
			return true
		}
	}
	return false
}

func (s *split) matchIn(values map[string]any) bool {
	if !s.wild {
		return anyAt(values, s.path, s.match)
	}
	found := false
	Walk(values, func(path, v string) {
		found = found || matchPath(s.path, path) && s.match(v)
	})
	return found
}

func (e *value) resolve(v View) Set {
	set := NewSet(v.Size())
	for i := range e.splits {
		s := &e.splits[i]
		if !s.wild {
			s.resolveAt(v, set, e.source, s.path)
			continue
		}
		v.Paths(e.source, func(path string) {
			if matchPath(s.path, path) {
				s.resolveAt(v, set, e.source, path)
			}
		})
	}
	return set
}

func (s *split) resolveAt(v View, into Set, from Source, path string) {
	switch {
	case s.isExact:
		v.Value(into, from, path, s.exact)
	case s.isAny:
		v.Values(into, from, path, nil)
	default:
		v.Values(into, from, path, s.match)
	}
}
