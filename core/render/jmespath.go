package render

import (
	"slices"
	"strconv"
)

// JMESPath, which Salt's json_query asks in. The library for Go forgets the order
// of keys, on which projections and the text of a result depend; so this works
// on the values of templates.

// jmesNode is a part of an expression: what it makes of a value.
type jmesNode struct {
	eval  func(v any) any
	field string // the name, where it is nothing but one
}

type jmesParser struct {
	expr string
	toks []jmesToken
	at   int
}

func (p *jmesParser) kind(ahead int) string { return p.toks[min(p.at+ahead, len(p.toks)-1)].kind }

func (p *jmesParser) next() jmesToken {
	t := p.toks[p.at]
	p.at = min(p.at+1, len(p.toks)-1)
	return t
}

func (p *jmesParser) fail(t jmesToken) {
	what := "unexpected " + repr(t.text)
	if t.kind == "eof" {
		what = "it is not complete"
	}
	throw("ParseError", "JMESPath expression %s: %s at column %d", repr(p.expr), what, runeLen(p.expr[:t.pos])+1)
}

func (p *jmesParser) expect(kind string) jmesToken {
	if p.kind(0) != kind {
		p.fail(p.toks[p.at])
	}
	return p.next()
}

// jmesPower is how strongly a token binds to what is left of it; below ten it
// ends a projection.
var jmesPower = map[string]int{
	"|": 1, "||": 2, "&&": 3, "==": 5, ">": 5, "<": 5, ">=": 5, "<=": 5, "!=": 5,
	"[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "{": 50, "[": 55, "(": 60,
}

// compileJMES parses an expression.
func compileJMES(expr string) func(v any) any {
	p := &jmesParser{expr: expr, toks: lexJMES(expr)}
	n := p.expression(0, 0)
	if p.kind(0) != "eof" {
		p.fail(p.toks[p.at])
	}
	return n.eval
}

func (p *jmesParser) expression(power, depth int) *jmesNode {
	if depth > 100 {
		throw("ParseError", "JMESPath expression %s: nested too deep", repr(p.expr))
	}
	left := p.prefix(p.next(), depth)
	for power < jmesPower[p.kind(0)] {
		left = p.infix(left, p.next(), depth)
	}
	return left
}

func jmesOf(eval func(v any) any) *jmesNode { return &jmesNode{eval: eval} }

var jmesSelf = jmesOf(func(v any) any { return v })

func (p *jmesParser) prefix(t jmesToken, depth int) *jmesNode {
	switch t.kind {
	case "literal":
		return jmesOf(func(any) any { return t.val })
	case "name", "quoted":
		if t.kind == "quoted" && p.kind(0) == "(" {
			p.fail(t)
		}
		name := t.val.(string)
		return &jmesNode{field: name, eval: func(v any) any { return jmesField(v, name) }}
	case "*":
		if p.kind(0) == "]" {
			return jmesValues(jmesSelf, jmesSelf)
		}
		return jmesValues(jmesSelf, p.projected(jmesPower["*"], depth))
	case "[?", "[]":
		return p.infix(jmesSelf, t, depth)
	case "{":
		return p.multiHash(depth)
	case "(":
		n := p.expression(0, depth+1)
		p.expect(")")
		return jmesOf(n.eval)
	case "!":
		n := p.expression(jmesPower["!"], depth+1)
		return jmesOf(func(v any) any { return !jmesTruth(n.eval(v)) })
	case "[":
		if k := p.kind(0); k == "number" || k == ":" {
			return p.index(jmesSelf, depth)
		} else if k == "*" && p.kind(1) == "]" {
			return p.infix(jmesSelf, t, depth)
		}
		return p.multiList(depth)
	case "@":
		return jmesSelf
	case "&":
		n := p.expression(0, depth+1)
		return jmesOf(func(any) any { return jmesRef(n.eval) })
	}
	p.fail(t)
	return nil
}

// jmesRef is an expression passed to a function.
type jmesRef func(v any) any

func (jmesRef) typeName() string { return "expref" }

func (p *jmesParser) infix(left *jmesNode, t jmesToken, depth int) *jmesNode {
	depth++
	switch t.kind {
	case ".":
		if p.kind(0) == "*" {
			p.next()
			return jmesValues(left, p.projected(jmesPower["."], depth))
		}
		return jmesThen(left, p.afterDot(jmesPower["."], depth))
	case "|":
		return jmesThen(left, p.expression(jmesPower["|"], depth))
	case "||", "&&":
		right := p.expression(jmesPower[t.kind], depth)
		return jmesOf(func(v any) any {
			if x := left.eval(v); jmesTruth(x) == (t.kind == "||") {
				return x
			}
			return right.eval(v)
		})
	case "(":
		return p.function(left, t, depth)
	case "[?":
		cond := p.expression(0, depth)
		p.expect("]")
		right := jmesSelf
		if p.kind(0) != "[]" {
			right = p.projected(jmesPower["[?"], depth)
		}
		return jmesProject(left, right, func(x any) bool { return jmesTruth(cond.eval(x)) })
	case "[]":
		right := p.projected(jmesPower["[]"], depth)
		return jmesProject(jmesOf(func(v any) any { return jmesFlatten(left.eval(v)) }), right, nil)
	case "[":
		if k := p.kind(0); k == "number" || k == ":" {
			return p.index(left, depth)
		}
		p.expect("*")
		p.expect("]")
		return jmesProject(left, p.projected(jmesPower["*"], depth), nil)
	case "==", "!=", "<", "<=", ">", ">=":
		right := p.expression(jmesPower["=="], depth)
		return jmesOf(func(v any) any { return jmesCompare(t.kind, left.eval(v), right.eval(v)) })
	}
	p.fail(t)
	return nil
}

// projected is what is done with each element of a projection.
func (p *jmesParser) projected(power, depth int) *jmesNode {
	switch k := p.kind(0); {
	case jmesPower[k] < 10:
		return jmesSelf
	case k == "[" || k == "[?":
		return p.expression(power, depth+1)
	case k == ".":
		p.next()
		return p.afterDot(power, depth)
	}
	p.fail(p.toks[p.at])
	return nil
}

func (p *jmesParser) afterDot(power, depth int) *jmesNode {
	switch p.kind(0) {
	case "name", "quoted", "*":
		return p.expression(power, depth+1)
	case "[":
		p.next()
		return p.multiList(depth + 1)
	case "{":
		p.next()
		return p.multiHash(depth + 1)
	}
	p.fail(p.toks[p.at])
	return nil
}

// index parses [n] or a slice, which projects.
func (p *jmesParser) index(left *jmesNode, depth int) *jmesNode {
	if p.kind(0) == "number" && p.kind(1) == "]" {
		n := p.next().val
		p.next()
		return jmesOf(func(v any) any {
			l, ok := left.eval(v).(*List)
			if !ok {
				return nil
			}
			x, _ := itemAt(l, n)
			return x
		})
	}
	parts := make([]any, 3)
	for i := 0; p.kind(0) != "]"; {
		switch t := p.next(); {
		case t.kind == ":" && i < 2:
			i++
		case t.kind == "number" && parts[i] == nil:
			parts[i] = t.val
		default:
			p.fail(t)
		}
	}
	p.next()
	cut := jmesOf(func(v any) any {
		l, ok := left.eval(v).(*List)
		if !ok {
			return nil
		}
		return sliceOf(l, parts[0], parts[1], parts[2])
	})
	return jmesProject(cut, p.projected(jmesPower["*"], depth), nil)
}

func (p *jmesParser) multiList(depth int) *jmesNode {
	var parts []*jmesNode
	for {
		parts = append(parts, p.expression(0, depth+1))
		if p.kind(0) == "]" {
			break
		}
		p.expect(",")
	}
	p.next()
	return jmesOf(func(v any) any {
		if v == nil {
			return nil
		}
		l := &List{}
		for _, n := range parts {
			l.items = append(l.items, n.eval(v))
		}
		return l
	})
}

func (p *jmesParser) multiHash(depth int) *jmesNode {
	var keys []any
	var parts []*jmesNode
	for {
		t := p.next()
		if t.kind != "name" && t.kind != "quoted" {
			p.fail(t)
		}
		p.expect(":")
		keys, parts = append(keys, t.val), append(parts, p.expression(0, depth+1))
		if p.kind(0) == "}" {
			break
		}
		p.expect(",")
	}
	p.next()
	return jmesOf(func(v any) any {
		if v == nil {
			return nil
		}
		d := &Dict{}
		for i, n := range parts {
			d.put(keys[i], n.eval(v))
		}
		return d
	})
}

func (p *jmesParser) function(left *jmesNode, t jmesToken, depth int) *jmesNode {
	if left.field == "" {
		p.fail(t)
	}
	fn, ok := jmesFunctions[left.field]
	if !ok {
		throw("UnknownFunctionError", "JMESPath expression %s: unknown function %s%s", repr(p.expr), repr(left.field), suggest(left.field, jmesFunctions))
	}
	var args []*jmesNode
	for p.kind(0) != ")" {
		args = append(args, p.expression(0, depth))
		if p.kind(0) == "," {
			p.next()
		} else if p.kind(0) != ")" {
			p.fail(p.toks[p.at])
		}
	}
	p.next()
	if len(args) < len(fn.takes) || len(args) > len(fn.takes) && !fn.more {
		throw("ArityError", "JMESPath expression %s: %s() takes %d argument(s), got %d", repr(p.expr), left.field, len(fn.takes), len(args))
	}
	return jmesOf(func(v any) any {
		vals := make([]any, len(args))
		for i, n := range args {
			vals[i] = n.eval(v)
			want := fn.takes[min(i, len(fn.takes)-1)]
			if want != nil && !slices.Contains(want, jmesType(vals[i])) && !(slices.Contains(want, jmesType(vals[i])+"-"+jmesElements(vals[i]))) {
				throw("JMESPathTypeError", "JMESPath expression %s: %s() cannot take %s as argument %d", repr(p.expr), left.field, jmesType(vals[i]), i+1)
			}
		}
		return fn.call(vals)
	})
}

// jmesElements is the type that all elements of a list have; empty ones pass for numbers.
func jmesElements(v any) string {
	l, ok := v.(*List)
	if !ok {
		return ""
	}
	kind := "number"
	for i, x := range l.items {
		if k := jmesType(x); i == 0 {
			kind = k
		} else if k != kind {
			return ""
		}
	}
	return kind
}

// jmesNumber reads a number of an expression.
func jmesNumber(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
