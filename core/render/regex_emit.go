package render

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

type reOp uint8

const (
	reCat    reOp = iota // all of subs
	reAlt                // one of subs
	reLit                // a character
	reClass              // one of class
	reAny                // .
	reAt                 // a place: A $ Z b B
	reGroup              // a group with the number lo
	reRepeat             // from lo to hi times; mode is ? for lazy, + for possessive
	reAtomic             // (?>...)
	reLook               // look-ahead
	reBehind             // look-behind
	reRef                // what the group lo matched
	reCond               // subs[0] if the group lo matched, else subs[1]
)

// reInfinite is more repetitions than a pattern may name.
const reInfinite = 1 << 31

// reNode is a part of a regular expression.
type reNode struct {
	op     reOp
	subs   []*reNode
	class  []reItem
	flags  RegexpFlags
	negate bool
	multi  bool // ^ and $ look at lines
	at     rune
	mode   rune
	lo, hi int
	width  [2]int // of what a reference refers to
}

// reItem is a range of characters, or one of the sets d D s S w W.
type reItem struct {
	lo, hi rune
	set    rune
}

// measure gives the least and the most characters a match has.
func (n *reNode) measure() (lo, hi int) {
	cap := func(v int) int { return min(v, reInfinite) }
	switch n.op {
	case reLit, reClass, reAny:
		return 1, 1
	case reRef:
		return n.width[0], n.width[1]
	case reCat, reGroup, reAtomic:
		for _, s := range n.subs {
			l, h := s.measure()
			lo, hi = cap(lo+l), cap(hi+h)
		}
	case reAlt, reCond:
		lo = reInfinite
		for _, s := range n.subs {
			l, h := s.measure()
			lo, hi = min(lo, l), max(hi, h)
		}
	case reRepeat:
		l, h := n.subs[0].measure()
		return cap(l * n.lo), cap(h * n.hi)
	}
	return lo, hi
}

// reNeeds is what a pattern asks of an engine.
type reNeeds struct {
	backtracking bool // look-around, references, atomic groups, loops of nothing
	words        bool // \b, which knows only ASCII in RE2
	dollar       bool // $, which RE2 takes for the very end
}

func (n *reNode) needs(r *reNeeds) {
	switch n.op {
	case reAtomic, reLook, reBehind, reRef, reCond:
		r.backtracking = true
	case reAt:
		r.words = r.words || n.at == 'b' || n.at == 'B'
		r.dollar = r.dollar || n.at == '$' && !n.multi
	case reRepeat:
		if lo, _ := n.subs[0].measure(); n.mode == '+' || n.hi > 1000 && n.hi < reInfinite || n.lo > 1000 || lo == 0 && n.hi > 1 {
			r.backtracking = true
		}
	}
	for _, s := range n.subs {
		s.needs(r)
	}
}

// reEmitter writes a pattern in the words of an engine.
type reEmitter struct {
	strings.Builder
	full bool // regexp2, else RE2
}

func emitRegexp(n *reNode, full bool) string {
	e := &reEmitter{full: full}
	e.emit(n)
	return e.String()
}

func (e *reEmitter) wrap(open string, subs []*reNode, sep string) {
	e.WriteString(open)
	for i, s := range subs {
		if i > 0 {
			e.WriteString(sep)
		}
		e.emit(s)
	}
	e.WriteByte(')')
}

func (e *reEmitter) emit(n *reNode) {
	switch n.op {
	case reCat:
		if len(n.subs) == 1 {
			e.emit(n.subs[0])
			return
		}
		e.wrap("(?:", n.subs, "")
	case reAlt:
		e.wrap("(?:", n.subs, "|")
	case reLit:
		if c := n.class[0].lo; len(foldRange(c, c, n.flags)) == 1 {
			e.WriteString(quoteRune(c))
			return
		}
		e.class(n)
	case reClass:
		e.class(n)
	case reAny:
		if n.flags&DotAll != 0 {
			e.WriteString("(?s:.)")
		} else {
			e.WriteString(`[^\n]`)
		}
	case reAt:
		e.place(n)
	case reGroup:
		e.wrap("(", n.subs, "")
	case reRepeat:
		e.repeat(n)
	case reAtomic:
		e.wrap("(?>", n.subs, "")
	case reLook:
		e.wrap(pick2(n.negate, "(?!", "(?="), n.subs, "")
	case reBehind:
		e.wrap(pick2(n.negate, "(?<!", "(?<="), n.subs, "")
	case reRef:
		e.WriteString(pick2(n.flags&IgnoreCase != 0, "(?i:", "(?:") + `\` + strconv.Itoa(n.lo) + ")")
	case reCond:
		e.wrap("(?("+strconv.Itoa(n.lo)+")", n.subs, "|")
	}
}

func pick2(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

func (e *reEmitter) repeat(n *reNode) {
	if n.mode == '+' {
		e.WriteString("(?>")
		defer e.WriteByte(')')
	}
	e.wrap("(?:", n.subs, "")
	switch {
	case n.lo == 0 && n.hi == reInfinite:
		e.WriteByte('*')
	case n.lo == 1 && n.hi == reInfinite:
		e.WriteByte('+')
	case n.lo == 0 && n.hi == 1:
		e.WriteByte('?')
	case n.hi == reInfinite:
		e.WriteString("{" + strconv.Itoa(n.lo) + ",}")
	default:
		e.WriteString("{" + strconv.Itoa(n.lo) + "," + strconv.Itoa(n.hi) + "}")
	}
	if n.mode == '?' {
		e.WriteByte('?')
	}
}

func (e *reEmitter) place(n *reNode) {
	switch n.at {
	case 'A':
		e.WriteString(pick2(n.multi, "(?m:^)", `\A`))
	case 'Z':
		e.WriteString(`\z`)
	case '$':
		e.WriteString(pick2(n.multi, "(?m:$)", pick2(e.full, `\Z`, `\z`)))
	default:
		if !e.full {
			e.WriteString(`\` + string(n.at))
			return
		}
		w := `[\p{L}\p{N}_]`
		if n.flags&ASCII != 0 {
			w = `[a-zA-Z0-9_]`
		}
		if n.at == 'b' {
			e.WriteString("(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))")
		} else { // which Python finds nowhere in an empty text
			e.WriteString("(?:(?<=" + w + ")(?=" + w + ")|(?<!" + w + ")(?!" + w + `))(?!\A\z)`)
		}
	}
}

// quoteRune writes a character that means itself, in a class or outside.
func quoteRune(c rune) string {
	if strings.ContainsRune(`\.+*?()|[]{}^$-`, c) {
		return `\` + string(c)
	}
	return string(c)
}

// class writes one of a set of characters. Sets that leave out a class of their
// own, such as [^\W_], are written as ranges.
func (e *reEmitter) class(n *reNode) {
	plain := true
	var body strings.Builder
	for _, it := range n.class {
		switch {
		case it.set == 0:
			for _, r := range foldRange(it.lo, it.hi, n.flags) {
				body.WriteString(quoteRune(r[0]))
				if r[1] > r[0] {
					body.WriteString("-" + quoteRune(r[1]))
				}
			}
		case it.set >= 'a':
			body.WriteString(setText(it.set, n.flags))
		default:
			plain = false
		}
	}
	if !plain {
		all := classRanges(n)
		body.Reset()
		for i := 0; i < len(all); i += 2 {
			body.WriteString(quoteRune(all[i]) + "-" + quoteRune(all[i+1]))
		}
		if len(all) == 0 {
			e.WriteString(`[^\x00-` + string(unicode.MaxRune) + `]`)
			return
		}
		e.WriteString("[" + body.String() + "]")
		return
	}
	e.WriteString(pick2(n.negate, "[^", "[") + body.String() + "]")
}

// setText is the inside of a class for the set d, s or w.
func setText(c rune, flags RegexpFlags) string {
	ascii := flags&ASCII != 0
	switch c {
	case 'd':
		return pick2(ascii, "0-9", `\p{Nd}`)
	case 'w':
		return pick2(ascii, "a-zA-Z0-9_", `\p{L}\p{N}_`)
	}
	return pick2(ascii, "\t-\r ", "\t-\r\x1c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000")
}

var setRanges = sync.OnceValue(func() map[string][]rune {
	m := map[string][]rune{}
	for _, c := range "dsw" {
		for _, f := range []RegexpFlags{0, ASCII} {
			text := setText(c, f)
			re, err := syntax.Parse("["+text+"]", syntax.Perl)
			if err != nil {
				panic(err)
			}
			m[text] = re.Rune
		}
	}
	return m
})

// classRanges gives the characters of a class as ranges, in order.
func classRanges(n *reNode) []rune {
	var pairs [][2]rune
	for _, it := range n.class {
		if it.set == 0 {
			pairs = append(pairs, foldRange(it.lo, it.hi, n.flags)...)
			continue
		}
		r := setRanges()[setText(it.set|0x20, n.flags)]
		if it.set < 'a' {
			r = complement(r)
		}
		for i := 0; i < len(r); i += 2 {
			pairs = append(pairs, [2]rune{r[i], r[i+1]})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var out []rune
	for _, r := range pairs {
		if n := len(out); n > 0 && r[0] <= out[n-1]+1 {
			out[n-1] = max(out[n-1], r[1])
		} else {
			out = append(out, r[0], r[1])
		}
	}
	if n.negate {
		return complement(out)
	}
	return out
}

func complement(r []rune) []rune {
	var out []rune
	next := rune(0)
	for i := 0; i < len(r); i += 2 {
		if r[i] > next {
			out = append(out, next, r[i]-1)
		}
		next = r[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

// foldRange is a range of characters and, where case is ignored, all that differ
// from one of them in case only.
func foldRange(lo, hi rune, flags RegexpFlags) [][2]rune {
	out := [][2]rune{{lo, hi}}
	if flags&IgnoreCase == 0 {
		return out
	}
	if flags&ASCII != 0 {
		for _, shift := range [][3]rune{{'a', 'z', -32}, {'A', 'Z', 32}} {
			if l, h := max(lo, shift[0]), min(hi, shift[1]); l <= h {
				out = append(out, [2]rune{l + shift[2], h + shift[2]})
			}
		}
		return out
	}
	for _, c := range "iIİı" {
		if lo <= c && c <= hi {
			out = append(out, [][2]rune{{'i', 'i'}, {'I', 'I'}, {'İ', 'İ'}, {'ı', 'ı'}}...)
			break
		}
	}
	if lo == hi {
		for c := unicode.SimpleFold(lo); c != lo; c = unicode.SimpleFold(c) {
			out = append(out, [2]rune{c, c})
		}
		return out
	}
	re, err := syntax.Parse("(?i)["+quoteRune(lo)+"-"+quoteRune(hi)+"]", syntax.Perl)
	if err != nil || re.Op != syntax.OpCharClass {
		return out
	}
	for i := 0; i < len(re.Rune); i += 2 {
		out = append(out, [2]rune{re.Rune[i], re.Rune[i+1]})
	}
	return out
}
