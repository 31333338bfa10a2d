package render

import (
	"strings"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// template is a compiled source. It is immutable and knows nothing of the name
// it is rendered under.
type template struct {
	key    cacheKey
	style  style
	src    string // normalized
	lines  []int
	body   []stmt
	blocks map[string]*blockDef
}

// compiler turns one source into a template. gonja's parser drives it: it is the
// parser's table of tags.
type compiler struct {
	autoescape bool // output is escaped here
	tmpl       *template
	scope      *scope
	root       scope // the outermost region, which is no frame
	names      []*nameExpr
	stores     []string   // assigned by the tag being parsed, not yet noted
	target     bool       // what is being parsed is assigned to
	soft       int        // inside branches, where an unknown filter is no error yet
	open       []openTag  // tags waiting for their end
	loops      int        // enclosing loops, for break and continue
	inLoop     int        // enclosing loops, also those around a macro or block
	fors       []*forStmt // the same
	depth      int
	unknown    []syntaxError // filters and tests there are none of, outside of branches
}

type openTag struct {
	name string
	pos  int
	ends []string
}

// compile parses a source. The error is an *Error without a name.
func compile(key cacheKey, keepTrailing bool) (t *template, err error) {
	src := normalize(key.source, keepTrailing)
	t = &template{key: key, style: key.style, src: src, lines: lineStarts(src), blocks: map[string]*blockDef{}}
	c := &compiler{tmpl: t}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *syntaxError:
			t, err = nil, t.errorAt(p.pos, "TemplateSyntaxError", p.msg)
		case *fault:
			t, err = nil, t.errorAt(0, p.kind, p.msg)
		default:
			panic(p)
		}
	}()
	l := &lexer{src: src, keep: keepTrailing}
	if key.style&headed != 0 {
		t.style = l.header()
	}
	l.style = t.style
	cfg := config.New()
	cfg.KeepTrailingNewline = true
	p := parser.NewParser("", tokens.NewStream(l.run()), cfg, nil, c)
	doc, perr := p.Parse()
	if perr != nil {
		c.unfinished(perr)
	}
	t.body = c.statements(doc.Nodes)
	if len(c.unknown) > 0 {
		failAt(c.unknown[0].pos, c.unknown[0].msg)
	}
	c.resolve()
	return t, nil
}

// unfinished words gonja's complaint, which is always about an end that is
// missing or in the wrong place.
func (c *compiler) unfinished(err error) {
	if len(c.open) == 0 {
		failAt(0, strings.ToLower(err.Error()))
	}
	tag := c.open[len(c.open)-1]
	failAt(tag.pos, "unexpected end of template: looking for "+oneOf(tag.ends)+
		"; the innermost block that needs to be closed is "+repr(tag.name))
}

func oneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = repr(n)
	}
	return strings.Join(quoted, " or ")
}

// Get is gonja's way to ask how a tag is parsed.
func (c *compiler) Get(name string) (parser.ControlStructureParser, bool) {
	return func(p, argParser *parser.Parser) (nodes.ControlStructure, error) {
		t := c.arguments(name, p, argParser)
		parse, ok := tags[name]
		if !ok {
			c.unknownTag(name, t.pos)
		}
		if c.depth++; c.depth > maxBlockDepth {
			failAt(t.pos, "blocks nested too deeply")
		}
		s := parse(c, t)
		c.depth--
		return s, nil
	}, true
}

// maxBlockDepth bounds nested tags.
const maxBlockDepth = 200

func (c *compiler) unknownTag(name string, pos int) {
	msg := "unknown tag " + repr(name)
	if len(c.open) > 0 {
		tag := c.open[len(c.open)-1]
		msg += ": looking for " + oneOf(tag.ends) + "; the innermost block that needs to be closed is " + repr(tag.name)
	}
	failAt(pos, msg)
}

// tag is one tag being parsed: its arguments, and the parser for its body.
type tag struct {
	exprParser
	name string
	pos  int
	doc  *parser.Parser
}

// arguments takes the tokens of a tag; the lexer put its position first.
func (c *compiler) arguments(name string, doc, argParser *parser.Parser) *tag {
	t := &tag{name: name, doc: doc}
	t.c = c
	for !argParser.End() {
		t.toks = append(t.toks, argParser.Next())
	}
	if len(t.toks) > 0 && t.toks[0].Type == tokens.Initial {
		t.pos = t.toks[0].Pos
		t.toks = t.toks[1:]
	}
	end := t.pos
	if n := len(t.toks); n > 0 {
		end = t.toks[n-1].Pos + len(t.toks[n-1].Val)
	}
	last := &tokens.Token{Type: tokens.BlockEnd, Pos: end, Val: "end of statement block"}
	if name == printTag {
		last.Val = "end of print statement"
	}
	t.toks = append(t.toks, last)
	return t
}

// body parses up to one of the given end tags and returns which, with its
// arguments.
func (t *tag) body(ends ...string) ([]stmt, *tag) {
	c := t.c
	c.open = append(c.open, openTag{t.name, t.pos, ends})
	wrapped, argParser, err := t.doc.WrapUntil(ends...)
	if err != nil {
		c.unfinished(err)
	}
	c.open = c.open[:len(c.open)-1]
	return c.statements(wrapped.Nodes), c.arguments(wrapped.EndTag, t.doc, argParser)
}

// inner parses a body with variables of its own.
func (t *tag) inner(s *scope, ends ...string) ([]stmt, *tag) {
	t.c.push(s)
	body, end := t.body(ends...)
	t.c.pop() // not deferred: an error ends the whole compilation
	return body, end
}

func (c *compiler) push(s *scope) *scope {
	s.outer, s.soft = c.scope, c.soft
	c.scope = s
	return s
}

func (c *compiler) pop() { c.scope = c.scope.outer }

// statements takes our statements, and the text, out of gonja's nodes.
func (c *compiler) statements(list []nodes.Node) []stmt {
	var out []stmt
	for _, n := range list {
		switch n := n.(type) {
		case *nodes.Data:
			s := n.Data.Val
			if n.Trim.Left {
				s = strings.TrimLeftFunc(s, isSpace)
			}
			if n.Trim.Right {
				s = strings.TrimRightFunc(s, isSpace)
			}
			if s != "" {
				out = append(out, textStmt(s))
			}
		case *nodes.ControlStructureBlock:
			if s, ok := n.ControlStructure.(stmt); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// name makes a reference to a variable, to be resolved when the whole source has
// been seen.
func (c *compiler) name(t *tokens.Token) *nameExpr {
	n := &nameExpr{pos: int32(t.Pos), name: t.Val, at: c.scope}
	if c.target {
		return n
	}
	c.names = append(c.names, n)
	c.here().note(t.Val, reads)
	if t.Val == "loop" {
		for s := c.scope; s != nil; s = s.outer {
			if s.loop != nil {
				s.loop.extended = true // an enclosing one too: an include may look at it
			}
		}
	}
	return n
}

// line is the 1-based line of an offset.
func (t *template) line(pos int) int {
	lo, hi := 0, len(t.lines)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; t.lines[mid] <= pos {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + 1
}

// errorAt makes the error for a place in this source.
func (t *template) errorAt(pos int, kind, msg string) *Error {
	pos = max(0, min(pos, len(t.src)))
	line := t.line(pos)
	start := t.lines[line-1]
	end := len(t.src)
	if line < len(t.lines) {
		end = t.lines[line] - 1
	}
	return &Error{
		Line: line, Column: runeLen(t.src[start:max(start, min(pos, end))]) + 1,
		Kind: kind, Msg: msg, Source: t.src[start:end], Expr: t.exprAt(pos),
	}
}

// exprAt is the expression or tag around an offset, on one line and not too long.
func (t *template) exprAt(pos int) string {
	from := strings.LastIndex(t.src[:min(pos+2, len(t.src))], "{")
	for from > 0 && from+1 < len(t.src) && !strings.ContainsRune("{%", rune(t.src[from+1])) {
		from = strings.LastIndex(t.src[:from], "{")
	}
	if from < 0 || from+1 >= len(t.src) || !strings.ContainsRune("{%", rune(t.src[from+1])) {
		return ""
	}
	closer := "}}"
	if t.src[from+1] == '%' {
		closer = "%}"
	}
	inside := t.src[from+2:]
	if to := strings.Index(inside, closer); to >= 0 {
		inside = inside[:to]
	} else {
		inside = inside[:min(len(inside), 300)]
	}
	s := strings.Join(strings.Fields(strings.Trim(inside, "-+ \t\n")), " ")
	if r := []rune(s); len(r) > 80 {
		s = string(r[:77]) + "..."
	}
	return s
}
