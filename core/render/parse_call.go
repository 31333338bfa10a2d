package render

import (
	"slices"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// What follows a primary expression: attributes, subscripts, calls, filters, tests.

func (p *exprParser) postfix(x expr) expr {
	for n := 0; ; p.chain(&n) {
		switch p.cur().Type {
		case tokens.Dot:
			x = p.attribute(x)
		case tokens.LeftBracket:
			x = p.subscript(x)
		case tokens.LeftParenthesis:
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *exprParser) attribute(x expr) expr {
	p.next()
	t := p.next()
	switch t.Type {
	case tokens.Name:
		return &attrExpr{int32(t.Pos), x, t.Val}
	case tokens.Integer:
		return &itemExpr{int32(t.Pos), x, &literal{integerLiteral(t.Val)}}
	}
	failAt(t.Pos, "expected name or number")
	return nil
}

func (p *exprParser) subscript(x expr) expr {
	defer p.enter()()
	pos := p.pos()
	p.next()
	var items []expr
	var cut *sliceExpr
	for !p.is(tokens.RightBracket) {
		if len(items) > 0 {
			p.expect(tokens.Comma)
		}
		item, s := p.subscribed(pos, x)
		items, cut = append(items, item), s
	}
	p.next()
	switch {
	case len(items) != 1:
		return &itemExpr{pos, x, &listExpr{items, true}}
	case cut != nil:
		return cut
	}
	return &itemExpr{pos, x, items[0]}
}

// subscribed parses one subscript: an expression, or a slice of x.
func (p *exprParser) subscribed(pos int32, x expr) (expr, *sliceExpr) {
	var start expr
	if !p.is(tokens.Colon) {
		start = p.expression()
		if !p.is(tokens.Colon) {
			return start, nil
		}
	}
	p.next()
	s := &sliceExpr{pos: pos, obj: x, start: start}
	if !p.is(tokens.Colon) && !p.is(tokens.RightBracket) && !p.is(tokens.Comma) {
		s.stop = p.expression()
	}
	if p.skip(tokens.Colon) && !p.is(tokens.RightBracket) && !p.is(tokens.Comma) {
		s.step = p.expression()
	}
	return s, s
}

func (p *exprParser) call(x expr) *callExpr {
	pos := p.pos()
	switch x := x.(type) {
	case *nameExpr:
		pos = x.pos
	case *itemExpr:
		pos = x.pos
	case *attrExpr:
		pos = x.pos
	}
	return &callExpr{pos, x, p.callArgs()}
}

func (p *exprParser) callArgs() callArgs {
	defer p.enter()()
	at := p.cur().Pos
	p.expect(tokens.LeftParenthesis)
	var a callArgs
	ensure := func(ok bool) {
		if !ok {
			failAt(at, "invalid syntax for function call expression")
		}
	}
	for first := true; !p.is(tokens.RightParenthesis); first = false {
		if !first {
			p.expect(tokens.Comma)
			if p.is(tokens.RightParenthesis) {
				break
			}
		}
		switch {
		case p.is(tokens.Multiply):
			ensure(a.star == nil && a.star2 == nil)
			p.next()
			a.star = p.expression()
		case p.is(tokens.Power):
			ensure(a.star2 == nil)
			p.next()
			a.star2 = p.expression()
		case p.is(tokens.Name) && p.look().Type == tokens.Assign:
			ensure(a.star2 == nil)
			name := p.next().Val
			p.next()
			if slices.Contains(a.kwNames, name) {
				failAt(at, "keyword argument repeated: "+name)
			}
			a.kwNames = append(a.kwNames, name)
			a.kwVals = append(a.kwVals, p.expression())
		default:
			ensure(a.star == nil && a.star2 == nil && len(a.kwNames) == 0)
			a.pos = append(a.pos, p.expression())
		}
	}
	p.next()
	a.fold()
	return a
}

// fold evaluates arguments that are all literals once and for all.
func (a *callArgs) fold() {
	if len(a.kwNames) > 0 || a.star != nil || a.star2 != nil {
		return
	}
	a.values = make([]any, len(a.pos))
	for i, x := range a.pos {
		l, ok := x.(*literal)
		if !ok {
			a.values = nil
			return
		}
		a.values[i] = l.v
	}
	a.constant = true
}

func (p *exprParser) filters(x expr) expr {
	for n := 0; ; p.chain(&n) {
		switch {
		case p.is(tokens.Pipe):
			p.next()
			x = p.filter(x)
		case p.isName("is"):
			x = p.test(x)
		case p.is(tokens.LeftParenthesis):
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *exprParser) dotted() (string, int32) {
	t := p.expect(tokens.Name)
	name := t.Val
	for p.skip(tokens.Dot) {
		name += "." + p.expect(tokens.Name).Val
	}
	return name, int32(t.Pos)
}

// filter parses name and arguments of one filter.
func (p *exprParser) filter(x expr) *filterExpr {
	name, pos := p.dotted()
	e := &filterExpr{pos: pos, x: x, name: name, fn: filterByName(name)}
	if e.fn == nil && !p.c.inBranch() {
		p.c.unknown = append(p.c.unknown, syntaxError{int(pos), noFilter(name)})
	}
	if p.is(tokens.LeftParenthesis) {
		e.args = p.callArgs()
	} else {
		e.args.constant = true
	}
	return e
}

// filterChain parses a|b|c for the blocks that filter what they captured.
func (p *exprParser) filterChain() []*filterExpr {
	soft := p.c.soft
	p.c.soft = p.c.here().soft
	defer func() { p.c.soft = soft }()
	chain := []*filterExpr{p.filter(nil)}
	for p.skip(tokens.Pipe) {
		chain = append(chain, p.filter(nil))
	}
	return chain
}

func (p *exprParser) test(x expr) expr {
	p.next()
	negated := p.skipName("not")
	name, pos := p.dotted()
	e := &testExpr{pos: pos, x: x, name: name, negate: negated, fn: testByName(name)}
	if e.fn == nil && !p.c.inBranch() {
		p.c.unknown = append(p.c.unknown, syntaxError{int(pos), noTest(name)})
	}
	switch t := p.cur(); {
	case t.Type == tokens.LeftParenthesis:
		e.args = p.callArgs()
		return e
	case t.Type == tokens.Name && slices.Contains([]string{"else", "or", "and"}, t.Val):
	case t.Type == tokens.Name, t.Type == tokens.String, t.Type == tokens.Integer, t.Type == tokens.Float,
		t.Type == tokens.LeftBracket, t.Type == tokens.LeftBrace:
		if p.isName("is") {
			p.fail("you cannot chain multiple tests with is")
		}
		e.args.pos = []expr{p.postfix(p.primary())}
	}
	e.args.fold()
	return e
}
