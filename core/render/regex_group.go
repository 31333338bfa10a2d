package render

import (
	"strings"
	"unicode"
)

// group reads what follows ( at position at; nil is a comment, or flags.
func (p *reParser) group(depth, at int, first bool) *reNode {
	n := &reNode{op: reGroup}
	name := ""
	saved := p.flags
	if !p.accept('?') {
		return p.capture(n, depth, at, name)
	}
	c := p.next("unexpected end of pattern")
	switch c {
	case 'P':
		switch c := p.next("unexpected end of pattern"); c {
		case '<':
			return p.capture(n, depth, at, p.name('>'))
		case '=':
			from := p.pos
			name := p.name(')')
			i, ok := p.names[name]
			if !ok {
				p.fail(from, "unknown group name %s", repr(name))
			}
			return p.backref(i, from)
		default:
			p.fail(at+1, "unknown extension ?P%c", c)
		}
	case ':':
		n.op = reCat
	case '#':
		for !p.accept(')') {
			if p.pos == len(p.src) {
				p.fail(at, "missing ), unterminated comment")
			}
			p.pos++
		}
		return nil
	case '=', '!', '<':
		return p.look(depth, at, c)
	case '(':
		return p.conditional(depth, at)
	case '>':
		n.op = reAtomic
	default:
		if !strings.ContainsRune("aiLmsux-", c) {
			p.fail(at+1, "unknown extension ?%c", c)
		}
		if p.setFlags(c, at, first) {
			return nil
		}
		n.op = reCat
	}
	n.subs = []*reNode{p.alternatives(depth + 1)}
	p.close(at)
	p.flags = saved
	return n
}

func (p *reParser) next(missing string) rune {
	if p.pos == len(p.src) {
		p.fail(p.pos, "%s", missing)
	}
	p.pos++
	return p.src[p.pos-1]
}

func (p *reParser) close(at int) {
	if !p.accept(')') {
		p.fail(at, "missing ), unterminated subpattern")
	}
}

// capture reads a group with a number, and the name where it has one.
func (p *reParser) capture(n *reNode, depth, at int, name string) *reNode {
	n.lo = len(p.widths)
	if name != "" {
		if old, ok := p.names[name]; ok {
			p.fail(p.pos-len([]rune(name))-1, "redefinition of group name %s as group %d; was group %d", repr(name), n.lo, old)
		}
		p.names[name] = n.lo
	}
	p.widths = append(p.widths, nil)
	saved := p.flags
	n.subs = []*reNode{p.alternatives(depth + 1)}
	p.close(at)
	p.flags = saved
	lo, hi := n.subs[0].measure()
	p.widths[n.lo] = &[2]int{lo, hi}
	return n
}

// name reads a group's name, an identifier, up to the character that ends it.
func (p *reParser) name(end rune) string {
	from := p.pos
	name := p.upTo(end)
	if !isIdentifier(name) {
		p.fail(from, "bad character in group name %s", repr(name))
	}
	return name
}

func (p *reParser) upTo(end rune) string {
	from := p.pos
	for {
		if p.pos == len(p.src) {
			if p.pos == from {
				p.fail(from, "missing group name")
			}
			p.fail(from, "missing %c, unterminated name", end)
		}
		if p.accept(end) {
			break
		}
		p.pos++
	}
	name := string(p.src[from : p.pos-1])
	if name == "" {
		p.fail(from, "missing group name")
	}
	return name
}

func digitsOnly(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// look reads a look-ahead or look-behind, whose sign is c.
func (p *reParser) look(depth, at int, c rune) *reNode {
	n := &reNode{op: reLook, negate: c == '!'}
	if c == '<' {
		sign := p.next("unexpected end of pattern")
		if sign != '=' && sign != '!' {
			p.fail(at+1, "unknown extension ?<%c", sign)
		}
		n.op, n.negate = reBehind, sign == '!'
		if p.behind == 0 {
			p.behind = len(p.widths)
			defer func() { p.behind = 0 }()
		}
	}
	saved := p.flags
	n.subs = []*reNode{p.alternatives(depth + 1)}
	p.close(at)
	p.flags = saved
	if lo, hi := n.subs[0].measure(); n.op == reBehind && lo != hi {
		panic(&reError{"look-behind requires fixed-width pattern", -1})
	}
	return n
}

// conditional reads (?(group)yes|no).
func (p *reParser) conditional(depth, at int) *reNode {
	from := p.pos
	name := p.upTo(')')
	n := &reNode{op: reCond}
	if i, ok := p.names[name]; ok {
		n.lo = i
	} else if isIdentifier(name) {
		p.fail(from, "unknown group name %s", repr(name))
	} else {
		if !digitsOnly(name) {
			p.fail(from, "bad character in group name %s", repr(name))
		}
		n.lo = p.count(name)
		if n.lo == 0 {
			p.fail(from, "bad group number")
		}
		p.conds = append(p.conds, reCondition{n.lo, from})
	}
	p.checkBehind(n.lo)
	saved := p.flags
	n.subs = []*reNode{p.sequence(depth+1, false)}
	if p.accept('|') {
		n.subs = append(n.subs, p.sequence(depth+1, false))
		if p.peek() == '|' {
			p.fail(p.pos, "conditional backref with more than two branches")
		}
	} else {
		n.subs = append(n.subs, &reNode{op: reCat})
	}
	p.close(at)
	p.flags = saved
	return n
}

var reFlagLetters = map[rune]RegexpFlags{'a': ASCII, 'i': IgnoreCase, 'm': Multiline, 's': DotAll, 'x': Verbose, 'u': 0}

// setFlags reads the flags of a group, of which c is the first; true is flags
// that hold for the whole pattern.
func (p *reParser) setFlags(c rune, at int, first bool) bool {
	var on, off RegexpFlags
	missing := "missing -, : or )"
	unicodeSet := false
	for ; c != '-'; c = p.next(missing) {
		if c == ')' {
			if !first {
				p.fail(at, "global flags not at the start of the expression")
			}
			p.flags |= on
			return true
		}
		if c == ':' {
			p.flags |= on
			return false
		}
		f, ok := reFlagLetters[c]
		switch {
		case c == 'L':
			p.fail(p.pos, "bad inline flags: cannot use 'L' flag with a str pattern")
		case !ok && unicode.IsLetter(c):
			p.fail(p.pos-1, "unknown flag")
		case !ok:
			p.fail(p.pos-1, "%s", missing)
		}
		on |= f
		unicodeSet = unicodeSet || c == 'u'
		if unicodeSet && on&ASCII != 0 {
			p.fail(p.pos, "bad inline flags: flags 'a', 'u' and 'L' are incompatible")
		}
	}
	missing = "missing :"
	c = p.next("missing flag")
	for ; ; c = p.next(missing) {
		f, ok := reFlagLetters[c]
		switch {
		case c == ':' && off != 0:
			if on&off != 0 {
				p.fail(p.pos, "bad inline flags: flag turned on and off")
			}
			p.flags = (p.flags | on) &^ off
			return false
		case c == 'a' || c == 'u' || c == 'L':
			p.fail(p.pos, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'")
		case !ok && unicode.IsLetter(c):
			p.fail(p.pos-1, "unknown flag")
		case !ok && off == 0:
			p.fail(p.pos-1, "missing flag")
		case !ok:
			p.fail(p.pos-1, "%s", missing)
		}
		off |= f
	}
}
