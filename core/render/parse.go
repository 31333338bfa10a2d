package render

import (
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
	case tokens.Name, tokens.BlockEnd:
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
