package render

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// exprParser parses the arguments of one tag by Jinja2's grammar.
type exprParser struct {
	c     *compiler
	toks  []*tokens.Token // ends with the tag's end
	i     int
	depth int
}

// maxExprDepth bounds nested brackets and the length of operator chains.
const maxExprDepth = 1000

func (p *exprParser) cur() *tokens.Token { return p.toks[p.i] }

func (p *exprParser) look() *tokens.Token {
	return p.toks[min(p.i+1, len(p.toks)-1)]
}

func (p *exprParser) next() *tokens.Token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *exprParser) pos() int32 { return int32(p.cur().Pos) }

func (p *exprParser) is(t tokens.Type) bool { return p.cur().Type == t }

func (p *exprParser) isName(name string) bool {
	t := p.cur()
	return t.Type == tokens.Name && t.Val == name
}

func (p *exprParser) nextIsName(name string) bool {
	t := p.look()
	return t.Type == tokens.Name && t.Val == name
}

func (p *exprParser) skip(t tokens.Type) bool {
	if p.is(t) {
		p.next()
		return true
	}
	return false
}

func (p *exprParser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *exprParser) fail(msg string) { failAt(p.cur().Pos, msg) }

func (p *exprParser) expect(t tokens.Type) *tokens.Token {
	if !p.is(t) {
		p.fail("expected token " + repr(tokenName(t)) + ", got " + repr(p.got()))
	}
	return p.next()
}

func (p *exprParser) expectName(name string) {
	if !p.skipName(name) {
		p.fail("expected token " + repr(name) + ", got " + repr(p.got()))
	}
}

// got names the current token as an error should.
func (p *exprParser) got() string {
	t := p.cur()
	switch t.Type {
	case tokens.Name, tokens.String, tokens.Integer, tokens.Float:
		return t.Val
	}
	return tokenName(t.Type)
}

func tokenName(t tokens.Type) string {
	switch t {
	case tokens.Name:
		return "name"
	case tokens.BlockEnd:
		return "end of statement block"
	case tokens.EOF:
		return "end of template"
	case tokens.String:
		return "string"
	case tokens.Integer:
		return "integer"
	}
	for op, typ := range operators {
		if typ == t {
			return op
		}
	}
	return strings.ToLower(tokens.Names[t])
}

// end refuses what is left over.
func (p *exprParser) end() {
	if !p.is(tokens.BlockEnd) {
		p.expect(tokens.BlockEnd)
	}
}

// enter counts one level of nesting; the result undoes it.
func (p *exprParser) enter() func() {
	if p.depth++; p.depth > maxExprDepth {
		p.fail("expression nested too deeply")
	}
	return func() { p.depth-- }
}

// chain counts one more link of an operator chain.
func (p *exprParser) chain(n *int) {
	if *n++; *n > maxExprDepth {
		p.fail("expression too long")
	}
}

func (p *exprParser) expression() expr {
	defer p.enter()()
	x := p.or()
	for p.isName("if") {
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
	case len(items) == 0:
		failAt(int(pos), "expected subscript expression")
	case len(items) > 1:
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
	if n, ok := x.(*nameExpr); ok {
		pos = n.pos
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
	if e.fn == nil && p.c.soft == 0 {
		failAt(int(pos), noFilter(name))
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
	if e.fn == nil && p.c.soft == 0 {
		failAt(int(pos), noTest(name))
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
