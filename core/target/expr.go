package target

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// expr is a node of the parsed target. resolve returns a set that the caller may change.
type expr interface {
	print(b *strings.Builder, binding int)
	match(p *Peel) bool
	resolve(v View) Set
	walk(f func(expr))
}

// How tightly an operator binds, for parentheses in print.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
)

type or struct{ kids []expr }

func (e *or) print(b *strings.Builder, binding int) {
	printJoined(b, e.kids, " or ", bindOr, binding)
}

func (e *or) match(p *Peel) bool {
	return slices.ContainsFunc(e.kids, func(k expr) bool { return k.match(p) })
}

func (e *or) resolve(v View) Set {
	s := e.kids[0].resolve(v)
	for _, k := range e.kids[1:] {
		s.Or(k.resolve(v))
	}
	return s
}

func (e *or) walk(f func(expr)) { walkAll(e, e.kids, f) }

type and struct{ kids []expr }

func (e *and) print(b *strings.Builder, binding int) {
	printJoined(b, e.kids, " and ", bindAnd, binding)
}

func (e *and) match(p *Peel) bool {
	for _, k := range e.kids {
		if !k.match(p) {
			return false
		}
	}
	return true
}

func (e *and) resolve(v View) Set {
	s := e.kids[0].resolve(v)
	for _, k := range e.kids[1:] {
		if n, ok := k.(*not); ok { // spares the complement
			s.AndNot(n.kid.resolve(v))
		} else {
			s.And(k.resolve(v))
		}
	}
	return s
}

func (e *and) walk(f func(expr)) { walkAll(e, e.kids, f) }

type not struct{ kid expr }

func (e *not) print(b *strings.Builder, _ int) {
	b.WriteString("not ")
	e.kid.print(b, bindNot)
}

func (e *not) match(p *Peel) bool { return !e.kid.match(p) }

func (e *not) resolve(v View) Set {
	s := everyone(v)
	s.AndNot(e.kid.resolve(v))
	return s
}

func (e *not) walk(f func(expr)) { walkAll(e, []expr{e.kid}, f) }

type idGlob struct {
	text string
	glob glob
}

func (e *idGlob) print(b *strings.Builder, _ int) { printTerm(b, "", e.text) }
func (e *idGlob) match(p *Peel) bool              { return e.glob.match(p.ID) }
func (e *idGlob) walk(f func(expr))               { f(e) }

func (e *idGlob) resolve(v View) Set {
	s := NewSet(v.Size())
	switch {
	case e.glob.literal:
		v.ID(s, e.text)
	case e.glob.prefixOnly:
		v.IDs(s, e.glob.prefix, nil)
	default:
		v.IDs(s, e.glob.prefix, e.glob.match)
	}
	return s
}

type idList struct{ ids []string }

func (e *idList) print(b *strings.Builder, _ int) { b.WriteString("L@" + strings.Join(e.ids, ",")) }
func (e *idList) match(p *Peel) bool              { return slices.Contains(e.ids, p.ID) }
func (e *idList) walk(f func(expr))               { f(e) }

func (e *idList) resolve(v View) Set {
	s := NewSet(v.Size())
	for _, id := range e.ids {
		v.ID(s, id)
	}
	return s
}

type idRegexp struct {
	text   string
	prefix string
	re     *regexp.Regexp
}

func (e *idRegexp) print(b *strings.Builder, _ int) { printTerm(b, "E@", e.text) }
func (e *idRegexp) match(p *Peel) bool              { return e.re.MatchString(p.ID) }
func (e *idRegexp) walk(f func(expr))               { f(e) }

func (e *idRegexp) resolve(v View) Set {
	s := NewSet(v.Size())
	v.IDs(s, e.prefix, e.re.MatchString)
	return s
}

// address matches any of a peel's addresses.
type address struct {
	text   string
	prefix netip.Prefix
	octets string // of IPv4: what the text of every matching address starts with
}

// addressPaths are the facts that hold a peel's addresses.
var addressPaths = []string{"ipv4", "ipv6", "default_ipv4", "default_ipv6"}

func (e *address) print(b *strings.Builder, _ int) { b.WriteString("S@" + e.text) }
func (e *address) walk(f func(expr))               { f(e) }

func (e *address) contains(text string) bool {
	if !strings.HasPrefix(text, e.octets) && !strings.Contains(text, ":") {
		return false // spares the parsing of most of a fleet's addresses
	}
	a, err := netip.ParseAddr(text)
	return err == nil && e.prefix.Contains(a.Unmap().WithZone(""))
}

func (e *address) match(p *Peel) bool {
	for _, path := range addressPaths {
		if anyAt(p.Facts, path, e.contains) {
			return true
		}
	}
	return false
}

func (e *address) resolve(v View) Set {
	s := NewSet(v.Size())
	for _, path := range addressPaths {
		v.Values(s, Facts, path, e.contains)
	}
	return s
}

// group is N@name; its body is known once the target was expanded.
type group struct {
	name string
	body expr
}

func (e *group) print(b *strings.Builder, _ int) { b.WriteString("N@" + e.name) }
func (e *group) match(p *Peel) bool              { return e.body != nil && e.body.match(p) }
func (e *group) resolve(v View) Set              { return e.body.resolve(v) }

func (e *group) walk(f func(expr)) {
	f(e)
	if e.body != nil {
		e.body.walk(f)
	}
}

func walkAll(e expr, kids []expr, f func(expr)) {
	f(e)
	for _, k := range kids {
		k.walk(f)
	}
}

func printJoined(b *strings.Builder, kids []expr, sep string, own, outer int) {
	if own < outer {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	for i, k := range kids {
		if i > 0 {
			b.WriteString(sep)
		}
		k.print(b, own+1)
	}
}

// printTerm quotes a text that could not be read back as it stands, wherever it is printed.
func printTerm(b *strings.Builder, prefix, text string) {
	b.WriteString(prefix)
	s := scanner{text: text + ")"}
	t, quoted := s.term(isRegexp(prefix))
	if !quoted && t == text && text != "" && (prefix != "" || !isKeyword(text)) {
		b.WriteString(text)
		return
	}
	b.WriteString(`"` + strings.ReplaceAll(text, `"`, `""`) + `"`)
}
