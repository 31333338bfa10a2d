package render

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// reParser reads Python's regular expressions, as its re module does: the same
// patterns, the same refusals. Positions are in code points.
type reParser struct {
	src    []rune
	pos    int
	flags  RegexpFlags
	names  map[string]int
	widths []*[2]int // of the groups by number; nil while a group is open
	behind int       // the number of groups where the outermost look-behind around pos begins
	conds  []reCondition
}

type reCondition struct{ group, pos int }

// reError is what a pattern is refused with.
type reError struct {
	msg string
	pos int // -1: all of it
}

func (p *reParser) fail(pos int, format string, a ...any) {
	panic(&reError{fmt.Sprintf(format, a...), pos})
}

// parseRegexp parses a whole pattern.
func parseRegexp(text string, flags RegexpFlags) (tree *reNode, p *reParser, err error) {
	p = &reParser{src: []rune(text), flags: flags, names: map[string]int{}, widths: []*[2]int{nil}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*reError)
			if !ok {
				panic(r)
			}
			if e.pos < 0 {
				err = errors.New(e.msg)
				return
			}
			err = fmt.Errorf("%s at position %d", e.msg, e.pos)
			if slices.Contains(p.src, '\n') {
				before := string(p.src[:e.pos])
				err = fmt.Errorf("%w (line %d, column %d)", err, strings.Count(before, "\n")+1, e.pos-len([]rune(before[:strings.LastIndexByte(before, '\n')+1]))+1)
			}
		}
	}()
	tree = p.alternatives(0)
	if p.pos < len(p.src) {
		p.fail(p.pos, "unbalanced parenthesis")
	}
	for _, c := range p.conds {
		if c.group >= len(p.widths) {
			p.fail(c.pos, "invalid group reference %d", c.group)
		}
	}
	return tree, p, nil
}

func (p *reParser) peek() rune {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return -1
}

func (p *reParser) accept(c rune) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *reParser) alternatives(depth int) *reNode {
	if depth > 200 {
		p.fail(p.pos, "nested too deep")
	}
	first := depth == 0
	n := &reNode{op: reAlt, subs: []*reNode{p.sequence(depth, first)}}
	for p.accept('|') {
		n.subs = append(n.subs, p.sequence(depth, false))
	}
	if len(n.subs) == 1 {
		return n.subs[0]
	}
	return n
}

func (p *reParser) sequence(depth int, first bool) *reNode {
	n := &reNode{op: reCat}
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c == '|' || c == ')' {
			break
		}
		at := p.pos
		p.pos++
		switch {
		case p.flags&Verbose != 0 && strings.ContainsRune(" \t\n\r\v\f", c):
		case p.flags&Verbose != 0 && c == '#':
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
			p.accept('\n')
		case c == '*' || c == '+' || c == '?' || c == '{':
			p.quantify(n, c, at)
		case c == '(':
			if sub := p.group(depth, at, first && len(n.subs) == 0); sub != nil {
				n.subs = append(n.subs, sub)
			}
		default:
			n.subs = append(n.subs, p.atom(c, at))
		}
	}
	return n
}

func (p *reParser) atom(c rune, at int) *reNode {
	switch c {
	case '\\':
		return p.escape(at)
	case '[':
		return p.class(at)
	case '.':
		return &reNode{op: reAny, flags: p.flags}
	case '^':
		return &reNode{op: reAt, at: 'A', multi: p.flags&Multiline != 0}
	case '$':
		return &reNode{op: reAt, at: '$', multi: p.flags&Multiline != 0}
	}
	return p.literal(c)
}

func (p *reParser) literal(c rune) *reNode {
	return &reNode{op: reLit, class: []reItem{{lo: c, hi: c}}, flags: p.flags}
}

// quantify applies the repetition that begins with c to the last thing of n.
func (p *reParser) quantify(n *reNode, c rune, at int) {
	lo, hi := 0, reInfinite
	switch c {
	case '+':
		lo = 1
	case '?':
		hi = 1
	case '{':
		if p.peek() == '}' {
			n.subs = append(n.subs, p.literal(c))
			return
		}
		back := p.pos
		first, second := p.number(), ""
		lo, hi = 0, reInfinite
		if p.accept(',') {
			second = p.number()
		} else {
			second = first
		}
		if !p.accept('}') {
			p.pos = back
			n.subs = append(n.subs, p.literal(c))
			return
		}
		if first != "" {
			lo = p.count(first)
		}
		if second != "" {
			if hi = p.count(second); hi < lo {
				p.fail(at+1, "min repeat greater than max repeat")
			}
		}
	}
	if len(n.subs) == 0 || n.subs[len(n.subs)-1].op == reAt {
		p.fail(at, "nothing to repeat")
	}
	sub := n.subs[len(n.subs)-1]
	if sub.op == reRepeat {
		p.fail(at, "multiple repeat")
	}
	r := &reNode{op: reRepeat, subs: []*reNode{sub}, lo: lo, hi: hi}
	if p.accept('?') {
		r.mode = '?'
	} else if p.accept('+') {
		r.mode = '+'
	}
	n.subs[len(n.subs)-1] = r
}

func (p *reParser) number() string {
	from := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	return string(p.src[from:p.pos])
}

func (p *reParser) count(digits string) int {
	n := 0
	for _, d := range digits {
		if n = n*10 + int(d-'0'); n >= reInfinite {
			p.fail(p.pos, "the repetition number is too large")
		}
	}
	return n
}

// class reads what follows [ at position at.
func (p *reParser) class(at int) *reNode {
	n := &reNode{op: reClass, flags: p.flags, negate: p.accept('^')}
	unterminated := func() {
		if p.pos >= len(p.src) {
			p.fail(at, "unterminated character set")
		}
	}
	for first := true; ; first = false {
		unterminated()
		from := p.pos
		c := p.src[p.pos]
		p.pos++
		if c == ']' && !first {
			return n
		}
		item := p.classItem(c, from)
		if p.peek() == '-' {
			p.pos++
			unterminated()
			end := p.pos
			c = p.src[p.pos]
			p.pos++
			if c == ']' {
				n.class = append(n.class, item, reItem{lo: '-', hi: '-'})
				return n
			}
			to := p.classItem(c, end)
			if item.set != 0 || to.set != 0 || to.lo < item.lo {
				p.fail(from, "bad character range %s", string(p.src[from:p.pos]))
			}
			item.hi = to.lo
		}
		n.class = append(n.class, item)
	}
}

func (p *reParser) classItem(c rune, at int) reItem {
	if c != '\\' {
		return reItem{lo: c, hi: c}
	}
	if p.pos == len(p.src) {
		p.fail(at, "bad escape (end of pattern)")
	}
	c = p.src[p.pos]
	p.pos++
	switch {
	case strings.ContainsRune("dDsSwW", c):
		return reItem{set: c}
	case c == 'b':
		c = '\b'
	case c >= '0' && c <= '7':
		c = p.octal(at, 3)
	case c == '8' || c == '9':
		p.fail(at, "bad escape \\%c", c)
	default:
		c = p.character(c, at)
	}
	return reItem{lo: c, hi: c}
}

// octal reads up to n octal digits, the first of which is just before pos.
func (p *reParser) octal(at, n int) rune {
	p.pos--
	from, v := p.pos, rune(0)
	for p.pos < len(p.src) && p.pos-from < n && p.src[p.pos] >= '0' && p.src[p.pos] <= '7' {
		v = v*8 + p.src[p.pos] - '0'
		p.pos++
	}
	if v > 0o377 {
		p.fail(at, "octal escape value %s outside of range 0-0o377", string(p.src[at:p.pos]))
	}
	return v
}

// character is the character that \c stands for, in a class or outside.
func (p *reParser) character(c rune, at int) rune {
	if i := strings.IndexRune(`abfnrtv\`, c); i >= 0 && c != 'b' {
		return rune("\a\b\f\n\r\t\v\\"[i])
	}
	if n := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]; n > 0 {
		v, digits := 0, 0
		for ; digits < n && p.pos < len(p.src); digits++ {
			d := strings.IndexRune("0123456789abcdef", p.src[p.pos]|0x20)
			if d < 0 || p.src[p.pos] < '0' {
				break
			}
			v = v*16 + d
			p.pos++
		}
		if digits < n {
			p.fail(at, "incomplete escape %s", string(p.src[at:p.pos]))
		}
		if v > 0x10ffff {
			p.fail(at, "bad escape %s", string(p.src[at:p.pos]))
		}
		return rune(v)
	}
	if c < 0x80 && (c|0x20 >= 'a' && c|0x20 <= 'z') {
		p.fail(at, "bad escape \\%c", c)
	}
	return c
}

// escape reads what follows a backslash outside of a class.
func (p *reParser) escape(at int) *reNode {
	if p.pos == len(p.src) {
		p.fail(at, "bad escape (end of pattern)")
	}
	c := p.src[p.pos]
	p.pos++
	switch {
	case strings.ContainsRune("dDsSwW", c):
		return &reNode{op: reClass, class: []reItem{{set: c}}, flags: p.flags}
	case c == 'A' || c == 'Z' || c == 'b' || c == 'B':
		return &reNode{op: reAt, at: c, flags: p.flags}
	case c == '0':
		return p.literal(p.octal(at, 3))
	case c >= '1' && c <= '9':
		return p.reference(at)
	}
	return p.literal(p.character(c, at))
}

// reference reads \1 to \99, or an octal escape of three digits.
func (p *reParser) reference(at int) *reNode {
	digit := func(i int, most rune) bool {
		return i < len(p.src) && p.src[i] >= '0' && p.src[i] <= most
	}
	if digit(p.pos, '9') {
		if digit(p.pos-1, '7') && digit(p.pos, '7') && digit(p.pos+1, '7') {
			return p.literal(p.octal(at, 3))
		}
		p.pos++
	}
	n := p.count(string(p.src[at+1 : p.pos]))
	if n >= len(p.widths) {
		p.fail(at+1, "invalid group reference %d", n)
	}
	return p.backref(n, at)
}

func (p *reParser) backref(n, at int) *reNode {
	if p.widths[n] == nil {
		p.fail(at, "cannot refer to an open group")
	}
	p.checkBehind(n)
	return &reNode{op: reRef, lo: n, flags: p.flags, width: *p.widths[n]}
}

// checkBehind refuses a group that begins in the look-behind it is used in.
func (p *reParser) checkBehind(n int) {
	if p.behind > 0 && (n >= len(p.widths) || p.widths[n] == nil) {
		p.fail(p.pos, "cannot refer to an open group")
	}
	if p.behind > 0 && n >= p.behind {
		p.fail(p.pos, "cannot refer to group defined in the same lookbehind subpattern")
	}
}
