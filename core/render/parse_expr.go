package render

import (
	"math"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

func (p *exprParser) expression() expr {
	defer p.enter()()
	known := len(p.c.unknown)
	x := p.or()
	for p.isName("if") {
		defer func() { p.c.unknown = p.c.unknown[:known] }() // what is not reached may be unknown
		pos := p.pos()
		p.next()
		c := &condExpr{pos: pos, yes: x, test: p.or()}
		if p.skipName("else") {
			c.else_ = p.expression()
			return c
		}
		x = c
	}
	return x
}

func (p *exprParser) or() expr {
	x := p.and()
	for n := 0; p.isName("or"); p.chain(&n) {
		pos := p.pos()
		p.next()
		x = &orExpr{pos, x, p.and()}
	}
	return x
}

func (p *exprParser) and() expr {
	x := p.not()
	for n := 0; p.isName("and"); p.chain(&n) {
		pos := p.pos()
		p.next()
		x = &andExpr{pos, x, p.not()}
	}
	return x
}

func (p *exprParser) not() expr {
	if p.isName("not") {
		defer p.enter()()
		pos := p.pos()
		p.next()
		return &notExpr{pos, p.not()}
	}
	return p.comparison()
}

func comparison(t tokens.Type) string {
	switch t {
	case tokens.Equals:
		return "=="
	case tokens.Ne:
		return "!="
	case tokens.LowerThan:
		return "<"
	case tokens.LowerThanOrEqual:
		return "<="
	case tokens.GreaterThan:
		return ">"
	case tokens.GreaterThanOrEqual:
		return ">="
	}
	return ""
}

func (p *exprParser) comparison() expr {
	x := p.sum()
	var rest []operand
	for {
		pos := p.pos()
		op := comparison(p.cur().Type)
		switch {
		case op != "":
			p.next()
		case p.isName("in"):
			op = "in"
			p.next()
		case p.isName("not") && p.nextIsName("in"):
			op = "not in"
			p.next()
			p.next()
		default:
			if rest == nil {
				return x
			}
			return &compareExpr{x, rest}
		}
		rest = append(rest, operand{pos, op, p.sum()})
	}
}

func (p *exprParser) sum() expr {
	x := p.concat()
	for n := 0; p.is(tokens.Addition) || p.is(tokens.Subtraction); p.chain(&n) {
		t := p.next()
		x = &binaryExpr{int32(t.Pos), t.Val, x, p.concat()}
	}
	return x
}

func (p *exprParser) concat() expr {
	pos := p.pos()
	x := p.product()
	if !p.is(tokens.Tilde) {
		return x
	}
	parts := []expr{x}
	for p.skip(tokens.Tilde) {
		parts = append(parts, p.product())
	}
	return &joinExpr{pos, parts}
}

func (p *exprParser) product() expr {
	x := p.power()
	for n := 0; ; p.chain(&n) {
		switch p.cur().Type {
		case tokens.Multiply, tokens.Division, tokens.FloorDivision, tokens.Modulo:
			t := p.next()
			x = &binaryExpr{int32(t.Pos), t.Val, x, p.power()}
		default:
			return x
		}
	}
}

func (p *exprParser) power() expr {
	x := p.unary(true)
	for n := 0; p.is(tokens.Power); p.chain(&n) {
		t := p.next()
		x = &binaryExpr{int32(t.Pos), "**", x, p.unary(true)}
	}
	return x
}

func (p *exprParser) unary(withFilter bool) expr {
	var x expr
	switch t := p.cur(); t.Type {
	case tokens.Subtraction, tokens.Addition:
		leave := p.enter()
		p.next()
		x = &unaryExpr{int32(t.Pos), t.Type == tokens.Subtraction, p.unary(false)}
		leave()
	default:
		x = p.primary()
	}
	x = p.postfix(x)
	if withFilter {
		x = p.filters(x)
	}
	return x
}

func (p *exprParser) primary() expr {
	t := p.cur()
	switch t.Type {
	case tokens.Name:
		p.next()
		switch t.Val {
		case "true", "True":
			return &literal{true}
		case "false", "False":
			return &literal{false}
		case "none", "None":
			return &literal{nil}
		}
		return p.c.name(t)
	case tokens.String:
		p.next()
		s := t.Val
		for p.is(tokens.String) {
			s += p.next().Val
		}
		return &literal{s}
	case tokens.Integer:
		p.next()
		return &literal{integerLiteral(t.Val)}
	case tokens.Float:
		p.next()
		v, err := strconv.ParseFloat(strings.ReplaceAll(t.Val, "_", ""), 64)
		if err != nil {
			v = math.Inf(1)
		}
		return &literal{v}
	case tokens.LeftParenthesis:
		defer p.enter()()
		p.next()
		x := p.tuple(tupleRules{parens: true})
		p.expect(tokens.RightParenthesis)
		return x
	case tokens.LeftBracket:
		return p.list()
	case tokens.LeftBrace:
		return p.dict()
	}
	p.fail("unexpected " + repr(p.got()))
	return nil
}

// tupleRules say how a tuple, with or without parentheses, may be written.
type tupleRules struct {
	parens bool // an empty one is allowed
	target bool // only primary expressions
	noCond bool // no inline if
}

func (p *exprParser) tuple(rules tupleRules) expr {
	parse := p.expression
	if rules.target {
		parse = p.primary
	} else if rules.noCond {
		parse = p.or
	}
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 && !isTuple {
			break
		}
		if p.is(tokens.BlockEnd) || p.is(tokens.RightParenthesis) {
			break
		}
		items = append(items, parse())
		if p.is(tokens.Comma) {
			isTuple = true
			p.next()
		} else {
			break
		}
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0]
		}
		if !rules.parens {
			p.fail("expected an expression, got " + repr(p.got()))
		}
	}
	return &listExpr{items, true}
}

func (p *exprParser) list() expr {
	defer p.enter()()
	p.next()
	l := &listExpr{}
	for !p.is(tokens.RightBracket) {
		if len(l.items) > 0 {
			p.expect(tokens.Comma)
			if p.is(tokens.RightBracket) {
				break
			}
		}
		l.items = append(l.items, p.expression())
	}
	p.next()
	return l
}

func (p *exprParser) dict() expr {
	defer p.enter()()
	d := &dictExpr{pos: p.pos()}
	p.next()
	for !p.is(tokens.RightBrace) {
		if len(d.keys) > 0 {
			p.expect(tokens.Comma)
			if p.is(tokens.RightBrace) {
				break
			}
		}
		k := p.expression()
		p.expect(tokens.Colon)
		d.keys = append(d.keys, k)
		d.vals = append(d.vals, p.expression())
	}
	p.next()
	return d
}
