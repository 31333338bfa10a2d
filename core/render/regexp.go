package render

import (
	"regexp"
	"strings"
	"sync"
)

// regexps keeps compiled patterns, which templates use over and over.
var regexps = struct {
	sync.Mutex
	m map[string]*regexp.Regexp
}{m: map[string]*regexp.Regexp{}}

// pythonRegexp compiles a pattern as Python's re reads it, as far as RE2 can.
func pythonRegexp(pattern string, ignoreCase, multiline bool) *regexp.Regexp {
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
	key := flags + pattern
	regexps.Lock()
	defer regexps.Unlock()
	if re, ok := regexps.m[key]; ok {
		return re
	}
	re, err := regexp.Compile(flags + translateRegexp(pattern))
	if err != nil {
		throw("re.error", "regular expression %s: %s", repr(pattern), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if len(regexps.m) >= 1000 {
		clear(regexps.m)
	}
	regexps.m[key] = re
	return re
}

// translateRegexp rewrites what Python and RE2 spell differently.
func translateRegexp(p string) string {
	return strings.NewReplacer(`\\`, `\\`, `\Z`, `\z`, `(?P=`, `(?P=`).Replace(p)
}
