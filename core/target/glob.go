package target

import (
	"strings"
	"unicode/utf8"
)

// glob is a compiled fnmatch pattern: * any text, ? any character, [a-z] a class, [!a-z] or [^a-z] its complement.
type glob struct {
	prefix     string // literal text before the first special character
	literal    bool   // prefix is all there is
	prefixOnly bool   // prefix and one final *
	parts      []globPart
}

type globPart struct {
	kind   globKind
	char   rune
	negate bool
	ranges [][2]rune
}

type globKind uint8

const (
	globChar globKind = iota
	globAny
	globStar
	globClass
)

// compileGlob returns a glob, or the byte offset of the class that is not closed and false.
func compileGlob(pattern string) (g glob, at int, ok bool) {
	prefix := strings.IndexAny(pattern, "*?[")
	if prefix < 0 {
		return glob{prefix: pattern, literal: true}, 0, true
	}
	g.prefix = pattern[:prefix]
	for i := prefix; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		part := globPart{kind: globChar, char: r}
		switch r {
		case '?':
			part.kind = globAny
		case '*':
			part.kind = globStar
		case '[':
			if size = part.class(pattern[i:]); size == 0 {
				return glob{}, i, false
			}
		}
		i += size
		if n := len(g.parts); part.kind == globStar && n > 0 && g.parts[n-1].kind == globStar {
			continue
		}
		g.parts = append(g.parts, part)
	}
	g.prefixOnly = len(g.parts) == 1 && g.parts[0].kind == globStar
	return g, 0, true
}

// class reads a class at the start of text and returns its length, 0 if it is not closed. As in a shell, a ] that comes first is a member.
func (p *globPart) class(text string) int {
	p.kind = globClass
	i := 1
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		p.negate = true
		i++
	}
	for first := true; i < len(text); first = false {
		lo, size := utf8.DecodeRuneInString(text[i:])
		if lo == ']' && !first {
			return i + 1
		}
		i += size
		hi := lo
		if len(text) > i+1 && text[i] == '-' && text[i+1] != ']' {
			hi, size = utf8.DecodeRuneInString(text[i+1:])
			i += 1 + size
		}
		p.ranges = append(p.ranges, [2]rune{lo, hi})
	}
	return 0
}

func (g *glob) match(text string) bool {
	if !strings.HasPrefix(text, g.prefix) {
		return false
	}
	rest := text[len(g.prefix):]
	if g.literal || g.prefixOnly {
		return g.prefixOnly || rest == ""
	}
	// On a mismatch only the last star needs another try: at most len(text) * len(parts) steps.
	part, star, retry := 0, -1, 0
	for i := 0; i < len(rest) || part < len(g.parts); {
		if part < len(g.parts) {
			if p := &g.parts[part]; p.kind == globStar {
				star, retry = part, i
				part++
				continue
			} else if i < len(rest) {
				if r, size := utf8.DecodeRuneInString(rest[i:]); p.matches(r) {
					part++
					i += size
					continue
				}
			}
		}
		if star < 0 || retry >= len(rest) {
			return false
		}
		_, size := utf8.DecodeRuneInString(rest[retry:])
		retry += size
		part, i = star+1, retry
	}
	return true
}

func (p *globPart) matches(r rune) bool {
	switch p.kind {
	case globChar:
		return p.char == r
	case globAny:
		return true
	}
	for _, span := range p.ranges {
		if span[0] <= r && r <= span[1] {
			return !p.negate
		}
	}
	return p.negate
}
