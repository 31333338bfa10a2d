package render

import (
	"sync"
)

// regexps keeps compiled patterns, which templates use over and over.
var regexps = struct {
	sync.Mutex
	m map[reKey]*Regexp
}{m: map[reKey]*Regexp{}}

type reKey struct {
	expr  string
	flags RegexpFlags
}

// pythonRegexp compiles a pattern.
func pythonRegexp(expr string, flags RegexpFlags) *Regexp {
	key := reKey{expr, flags}
	regexps.Lock()
	defer regexps.Unlock()
	if re, ok := regexps.m[key]; ok {
		return re
	}
	re, err := CompileRegexp(expr, flags)
	if err != nil {
		throw("re.error", "%s", err)
	}
	if len(regexps.m) >= 1000 {
		clear(regexps.m)
	}
	regexps.m[key] = re
	return re
}

// searched passes on what a search found.
func searched(m []int, err error) []int {
	if err != nil {
		throw("re.error", "%s", err)
	}
	return m
}

func regexArgs(expr, ignoreCase, multiline any) *Regexp {
	var flags RegexpFlags
	if truth(or(ignoreCase, false)) {
		flags |= IgnoreCase
	}
	if truth(or(multiline, false)) {
		flags |= Multiline
	}
	return pythonRegexp(wantStr(expr), flags)
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
	b := a.bind("regex_search", 1, "rgx", "ignorecase", "multiline")
	s := wantStr(v)
	return groupsOf(s, searched(regexArgs(b[0], b[1], b[2]).Search(s)))
}

func filterRegexMatch(_ *frame, v any, a args) any {
	b := a.bind("regex_match", 1, "rgx", "ignorecase", "multiline")
	s := wantStr(v)
	return groupsOf(s, searched(regexArgs(b[0], b[1], b[2]).Match(s)))
}

func filterRegexReplace(_ *frame, v any, a args) any {
	b := a.bind("regex_replace", 2, "rgx", "val", "ignorecase", "multiline")
	out, _, err := regexArgs(b[0], b[2], b[3]).sub(wantStr(b[1]), wantStr(v), 0, maxText)
	if err != nil {
		throw("re.error", "%s", err)
	}
	return out
}

// filterRegexEscape is re.escape.
func filterRegexEscape(_ *frame, v any, a args) any {
	a.none("regex_escape")
	return EscapeRegexp(wantStr(v))
}
