package render

import (
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// blockDef is a block as written.
type blockDef struct {
	name     string
	scope    *scope
	body     []stmt
	required bool
	super    int // slot of super
}

type blockStmt struct {
	node
	pos    int32
	def    *blockDef
	scoped bool
	at     *scope
	top    bool
}

func (s *blockStmt) exec(f *frame) signal {
	c := f.env.ctx
	if s.top && c.extends != nil {
		return goOn
	}
	f.r.pos = s.pos
	if s.def.required && len(c.blocks[s.def.name]) <= 1 {
		throw("TemplateRuntimeError", "required block %s is not filled", repr(s.def.name))
	}
	var locals map[string]any
	if s.scoped {
		locals = f.locals(s.at)
	}
	f.r.block(c, s.def.name, 0, locals)
	return goOn
}

// block renders the nth definition of a block, counted from the most derived.
func (r *run) block(c *scopeCtx, name string, n int, locals map[string]any) {
	b := c.blocks[name][n]
	ctx := c
	if locals != nil {
		ctx = &scopeCtx{given: c.snapshot(locals), own: c.own, base: c.base, blocks: c.blocks}
	}
	r.visit(b.env, "block "+repr(name)+" placed at", func() {
		muted, autoescape := r.muted, r.autoescape
		r.muted, r.autoescape = false, false
		in := &frame{r: r, env: &env{b.env.tmpl, b.env.name, ctx}}
		in.reset(b.def.scope)
		if b.def.super >= 0 {
			in.slots[b.def.super] = superOf(r, ctx, name, n)
		}
		in.run(b.def.body)
		r.muted, r.autoescape = muted, autoescape
	})
}

// blockText is what a block called as a function returns.
func (r *run) blockText(c *scopeCtx, name string, n int) any {
	s := r.capture(func() { r.block(c, name, n, nil) })
	if r.autoescape {
		return markup(s)
	}
	return s
}

// addBlocks adds the blocks of a template that is less derived than those so far.
func (c *scopeCtx) addBlocks(e *env) {
	for name, b := range e.tmpl.blocks {
		if c.blocks == nil {
			c.blocks = map[string][]*boundBlock{}
		}
		c.blocks[name] = append(c.blocks[name], &boundBlock{b, e})
	}
}

// superValue is the variable super of the block after the nth.
type superValue struct {
	ctx  *scopeCtx
	name string
	n    int
}

func superOf(r *run, c *scopeCtx, name string, n int) any {
	if n+1 >= len(c.blocks[name]) {
		return r.undefinedHint("there is no parent block called " + repr(name) + ".")
	}
	return &superValue{c, name, n + 1}
}

func (*superValue) typeName() string { return "BlockReference" }

func (s *superValue) call(f *frame, a args) any {
	a.bind("super", 0)
	return f.r.blockText(s.ctx, s.name, s.n)
}

func (s *superValue) attr(f *frame, name string) (any, bool) {
	if name != "super" {
		return nil, false
	}
	return superOf(f.r, s.ctx, s.name, s.n), true
}

// selfValue is the variable self: the blocks as functions.
type selfValue struct{ ctx *scopeCtx }

func (*selfValue) typeName() string { return "TemplateReference" }

func (s *selfValue) attr(_ *frame, name string) (any, bool) {
	if len(s.ctx.blocks[name]) == 0 {
		return nil, false
	}
	return &builtin{name, func(f *frame, a args) any {
		a.bind(name, 0)
		return f.r.blockText(s.ctx, name, 0)
	}}, true
}

type extendsStmt struct {
	node
	pos int32
	x   expr
}

func (s *extendsStmt) exec(f *frame) signal {
	v := s.x.eval(f)
	f.r.pos = s.pos
	c := f.env.ctx
	if c.extends != nil {
		throw("TemplateRuntimeError", "extended multiple times")
	}
	t, name := f.load(v, "extended by", false)
	c.extends = &env{t, name, c}
	c.addBlocks(c.extends)
	f.r.muted = true
	return goOn
}

func parseBlock(c *compiler, t *tag) stmt {
	name := t.expect(tokens.Name).Val
	if c.tmpl.blocks[name] != nil {
		failAt(t.pos, "block "+repr(name)+" defined twice")
	}
	def := &blockDef{name: name, scope: &scope{block: true}, super: -1}
	c.tmpl.blocks[name] = def
	s := &blockStmt{pos: int32(t.pos), def: def, at: c.scope, top: c.scope == nil}
	s.scoped = t.skipName("scoped")
	def.required = t.skipName("required")
	t.end()
	if s.scoped {
		for _, loop := range c.fors {
			loop.extended = true
		}
	}
	scope, loops := c.scope, c.loops
	c.scope, c.loops = nil, 0
	from := len(c.names)
	body, end := t.inner(def.scope, "endblock")
	c.scope, c.loops = scope, loops
	def.body = body
	if def.required && !isBlank(body) {
		failAt(t.pos, "required block "+repr(name)+" can only contain comments or white space")
	}
	for _, n := range c.names[from:] {
		if n.name == "super" {
			def.super = def.scope.declare("super")
			break
		}
	}
	end.skipName(name)
	end.end()
	return s
}

// isBlank tells whether a block prints white space only.
func isBlank(body []stmt) bool {
	for _, s := range body {
		if text, ok := s.(textStmt); !ok || strings.TrimFunc(string(text), isSpace) != "" {
			return false
		}
	}
	return true
}

func parseExtends(_ *compiler, t *tag) stmt {
	s := &extendsStmt{pos: int32(t.pos), x: t.expression()}
	t.end()
	return s
}
