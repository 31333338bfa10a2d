package target

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

const matchers = "E@ G@ I@ J@ L@ N@ P@ S@"

// isRegexp reports whether the text of a matcher is a regular expression, or ends in one.
func isRegexp(prefix string) bool { return prefix == "E@" || prefix == "P@" || prefix == "J@" }

// term reads one matcher with its text.
func (p *parser) term() expr {
	start := p.s.pos
	prefix := p.s.prefix()
	at := p.s.pos
	text, quoted := p.s.term(isRegexp(prefix))
	// offset places a fault in the text; inside quotes only its beginning is known.
	fail := func(offset int, msg string) expr {
		if quoted {
			offset = 0
		}
		p.fail(at+offset, msg)
		return nil
	}
	if p.s.open {
		p.fail(p.s.pos, fmt.Sprintf("%s is not closed; a quote itself is written twice inside quotes", p.s.text[p.s.pos:p.s.pos+1]))
		return nil
	}
	if text == "" {
		return fail(0, fmt.Sprintf("expected %s", wanted(prefix)))
	}
	switch prefix {
	case "":
		if strings.Contains(text, ":") {
			return valueTerm("G@", text, fail)
		}
		return globTerm(text, fail)
	case "G@", "P@", "I@", "J@":
		return valueTerm(prefix, text, fail)
	case "E@":
		re, literal, offset, msg := compileRegexp("", text)
		if msg != "" {
			return fail(offset, msg)
		}
		return &idRegexp{text, literal, re}
	case "L@":
		return listTerm(text, fail)
	case "S@":
		return addressTerm(text, fail)
	case "N@":
		if i := strings.IndexFunc(text, notInID); i >= 0 {
			return fail(i, fmt.Sprintf("%q cannot be part of a group's name", firstRune(text[i:])))
		}
		return &group{name: text}
	}
	p.fail(start, unknownMatcher(prefix))
	return nil
}

func wanted(prefix string) string {
	switch prefix {
	case "E@":
		return "a regular expression, such as E@web-(01|02)"
	case "L@":
		return "ids, such as L@web-01,web-02"
	case "S@":
		return "a network, such as S@10.0.0.0/8"
	case "N@":
		return "a group's name"
	case "":
		return "an id, such as web-*"
	}
	return fmt.Sprintf("%[1]skey:value, such as %[1]sos:debian", prefix)
}

func unknownMatcher(prefix string) string {
	if upper := strings.ToUpper(prefix); upper != prefix && strings.Contains(matchers, upper) && len(upper) == 2 {
		return fmt.Sprintf("unknown matcher %q (did you mean %q?)", prefix, upper)
	}
	return fmt.Sprintf("unknown matcher %q; there are %s", prefix, matchers)
}

type failer func(offset int, msg string) expr

func valueTerm(prefix, text string, fail failer) expr {
	e := &value{text: text, regexp: isRegexp(prefix)}
	if prefix == "I@" || prefix == "J@" {
		e.source = Settings
	}
	split := splitGlob
	if e.regexp {
		split = splitRegexp
	}
	splits, at, msg := split(text)
	if msg != "" {
		return fail(at, msg)
	}
	e.splits = splits
	return e
}

func globTerm(text string, fail failer) expr {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '[' {
			size = classSize(text[i:], false)
		} else if r != '*' && r != '?' && r != ']' && notInID(r) {
			return fail(i, fmt.Sprintf("%q cannot be part of an id; %s", string(r), globRemedy(r, text)))
		}
		i += size
	}
	g, at, ok := compileGlob(text)
	if !ok {
		return fail(at, unclosedClass)
	}
	return &idGlob{text, g}
}

func globRemedy(r rune, text string) string {
	switch {
	case r == ',':
		if strings.ContainsFunc(text, func(r rune) bool { return r != ',' && notInID(r) }) || len(text) > 60 {
			text = "a,b"
		}
		return "a list of ids is L@" + strings.Trim(text, ",")
	case strings.ContainsRune(`|()+$^{}\`, r):
		return "a regular expression is E@web-(01|02)"
	case r == '/':
		return "a network is S@10.0.0.0/8"
	}
	return "letters, digits, dot, dash and underscore can, and * ? [a-z] in a glob"
}

func listTerm(text string, fail failer) expr {
	ids := strings.Split(text, ",")
	at := 0
	for _, id := range ids {
		if id == "" {
			return fail(at, "expected an id; a list is L@web-01,web-02, without blanks")
		}
		if i := strings.IndexFunc(id, notInID); i >= 0 {
			return fail(at+i, fmt.Sprintf("%q cannot be part of an id in a list; join globs with \"or\"", firstRune(id[i:])))
		}
		at += len(id) + 1
	}
	return &idList{ids}
}

func addressTerm(text string, fail failer) expr {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return &address{addr.String(), netip.PrefixFrom(addr, addr.BitLen()), octets(addr, addr.BitLen())}
	}
	if prefix, err := netip.ParsePrefix(text); err == nil && !prefix.Addr().Is4In6() {
		prefix = prefix.Masked()
		return &address{prefix.String(), prefix, octets(prefix.Addr(), prefix.Bits())}
	}
	return fail(0, fmt.Sprintf("%q is neither an address nor a network, such as 10.0.0.1 or 10.0.0.0/8", text))
}

// octets is the text of the bytes of an IPv4 network that are the same in all its addresses.
func octets(addr netip.Addr, bits int) string {
	if !addr.Is4() {
		return ""
	}
	if bits == 32 {
		return addr.String()
	}
	var b strings.Builder
	for _, octet := range addr.AsSlice()[:bits/8] {
		fmt.Fprintf(&b, "%d.", octet)
	}
	return b.String()
}

func notInID(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}
