package render

import (
	"context"
	"errors"
	"fmt"
	"path"
)

// run is one rendering.
type run struct {
	ctx        context.Context
	eng        *Engine
	strict     bool
	style      style // of this template and those it loads
	autoescape bool
	muted      bool // after extends, output outside of blocks is dropped
	vars       map[string]any
	seen       map[string]any // variables already converted
	out        []byte
	scratch    []byte
	stack      []any // arguments of the calls being made
	pos        int32 // where evaluation is, for errors
	env        *env
	places     []Place     // how evaluation came here; Line is an offset until an error needs it
	visits     []*template // the templates of places
	depth      int
	steps      int
	modules    map[string]*moduleValue
	sources    map[string][]byte
}

// env is a template being rendered: which, under what name, in what context.
type env struct {
	tmpl *template
	name string
	ctx  *scopeCtx
}

// scopeCtx holds the variables of a template's outermost region and what it can
// see besides.
type scopeCtx struct {
	vars    map[string]any  // set at the outermost level: what an import exports
	foreign map[string]bool // those of vars that are imported themselves, and not exported
	given   map[string]any  // handed over by an include or an import with context
	own     map[string]any  // tplfile, tpldir and the like of a loaded file
	base    bool            // the variables of the rendering are visible
	blocks  map[string][]*boundBlock
	extends *env // the parent, once extends has run
}

// boundBlock is a block of one template of an inheritance chain.
type boundBlock struct {
	def *blockDef
	env *env
}

func (c *scopeCtx) set(name string, v any) {
	if c.vars == nil {
		c.vars = map[string]any{}
	}
	c.vars[name] = v
	if c.foreign != nil {
		delete(c.foreign, name)
	}
}

// imported notes that the outermost region has a name from another template.
func (c *scopeCtx) imported(t target) {
	if g, ok := t.(globalTarget); ok {
		if c.foreign == nil {
			c.foreign = map[string]bool{}
		}
		c.foreign[g.name] = true
	}
}

// everywhere are the variables that Salt makes globals: templates imported without context see them too.
var everywhere = map[string]bool{
	"salt": true, "grains": true, "pillar": true, "facts": true, "settings": true, "basket": true, "opts": true, "env": true, "saltenv": true,
}

// lookup finds a name in the context, or missing.
func (c *scopeCtx) lookup(r *run, name string) any {
	if v, ok := c.vars[name]; ok {
		return v
	}
	if name == "self" {
		return &selfValue{c}
	}
	if v, ok := c.given[name]; ok {
		return v
	}
	if c.base || everywhere[name] {
		if v, ok := r.variable(name); ok {
			return v
		}
	}
	if v, ok := c.own[name]; ok {
		return v
	}
	if v, ok := globals[name]; ok {
		return v
	}
	return missing
}

// snapshot is everything a template has set or was given.
func (c *scopeCtx) snapshot(locals map[string]any) map[string]any {
	if len(c.vars) == 0 && len(locals) == 0 {
		return c.given
	}
	out := make(map[string]any, len(c.given)+len(c.vars)+len(locals))
	for _, m := range []map[string]any{c.given, c.vars, locals} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// variable is one of the caller's variables.
func (r *run) variable(name string) (any, bool) {
	if v, ok := r.seen[name]; ok {
		return v, true
	}
	v, ok := r.vars[name]
	if !ok {
		return nil, false
	}
	v = toValue(v)
	switch v := v.(type) {
	case *lookupValue:
		v.name = name
	case *funcValue:
		v.name = name
	}
	if r.seen == nil {
		r.seen = map[string]any{}
	}
	r.seen[name] = v
	return v, true
}

// frame holds the variables of one region during one pass through it.
type frame struct {
	r     *run
	env   *env
	slots []any
	outer *frame
}

// child is a frame for a region inside this one.
func (f *frame) child(s *scope) *frame {
	in := &frame{r: f.r, env: f.env, outer: f}
	in.reset(s)
	return in
}

func (f *frame) reset(s *scope) {
	if len(s.slots) > 0 && f.slots == nil {
		f.slots = make([]any, len(s.slots))
	}
	for i := range f.slots {
		f.slots[i] = missing
	}
}

func (r *run) checkOutput() {
	if len(r.out) > r.eng.opts.MaxOutput {
		throw("LimitError", "output is larger than %d bytes", r.eng.opts.MaxOutput)
	}
}

// step counts one pass through a loop and looks whether to go on at all.
func (r *run) step() {
	r.steps++
	if r.steps > r.eng.opts.MaxIterations {
		throw("LimitError", "more than %d loop iterations", r.eng.opts.MaxIterations)
	}
	if r.steps&63 == 0 {
		r.checkContext()
	}
}

func (r *run) checkContext() {
	if err := r.ctx.Err(); err != nil {
		panic(&fault{kind: "Canceled", msg: "rendering stopped: " + err.Error(), err: err})
	}
}

// capture returns what fn prints.
func (r *run) capture(fn func()) string {
	base, muted := len(r.out), r.muted
	r.muted = false
	fn()
	s := string(r.out[base:])
	r.out, r.muted = r.out[:base], muted
	return s
}

// visit runs fn in another template or macro and keeps the way there for errors.
func (r *run) visit(e *env, how string, fn func()) {
	r.deeper()
	env, pos := r.env, r.pos
	r.places = append(r.places, Place{Name: env.name, Line: int(pos), How: how})
	r.visits = append(r.visits, env.tmpl)
	r.env = e
	fn()
	r.env, r.pos = env, pos
	r.places = r.places[:len(r.places)-1]
	r.visits = r.visits[:len(r.visits)-1]
	r.depth--
}

// deeper counts one more template, block or macro on the way to where evaluation is.
func (r *run) deeper() {
	if r.depth++; r.depth > r.eng.opts.MaxDepth {
		throw("RecursionError", "calls, includes and imports nested deeper than %d", r.eng.opts.MaxDepth)
	}
	r.checkContext()
}

func (e *Engine) render(ctx context.Context, name string, source []byte, vars map[string]any) (out string, err error) {
	r := &run{ctx: ctx, eng: e, strict: e.opts.Undefined == Strict, vars: vars}
	defer func() {
		if p := recover(); p != nil {
			out, err = "", r.failure(p)
		}
	}()
	t, err := e.compiled(source, headed)
	if err != nil {
		return "", named(err, name)
	}
	r.style = t.style
	r.checkContext()
	r.env = &env{tmpl: t, name: name, ctx: &scopeCtx{base: true}}
	r.out = make([]byte, 0, len(source)+len(source)/2)
	r.root(r.env)
	return string(r.out), nil
}

// named gives a compile error the name of its file.
func named(err error, name string) error {
	var e *Error
	if errors.As(err, &e) {
		e.Name = name
	}
	return err
}

// failure turns what was thrown into an *Error at the place evaluation had come to.
func (r *run) failure(p any) error {
	e, ok := p.(*Error)
	if !ok {
		flt, ok := p.(*fault)
		if !ok {
			flt = &fault{kind: "InternalError", msg: fmt.Sprintf("internal error: %v", p)}
		}
		if r.env == nil {
			return &Error{Kind: flt.kind, Msg: flt.msg, Err: flt.err}
		}
		e = r.env.tmpl.errorAt(int(r.pos), flt.kind, flt.msg)
		e.Name, e.Err = r.env.name, flt.err
	}
	for i := len(r.places) - 1; i >= 0; i-- {
		p := r.places[i]
		p.Line = r.visits[i].line(p.Line)
		e.Chain = append(e.Chain, p)
	}
	return e
}

// root renders a template and then the ones it extends.
func (r *run) root(e *env) {
	c := e.ctx
	c.addBlocks(e)
	depth := r.depth
	for e != nil {
		c.extends = nil
		f := &frame{r: r, env: e}
		f.run(e.tmpl.body)
		r.muted = false
		next := c.extends
		if next == nil {
			r.depth = depth
			return
		}
		r.deeper()
		r.places = append(r.places, Place{Name: e.name, Line: int(r.pos), How: "extended by"})
		r.visits = append(r.visits, e.tmpl)
		r.env, e = next, next
	}
}

// source loads a file once per rendering.
func (r *run) source(file string) ([]byte, error) {
	if b, ok := r.sources[file]; ok {
		return b, nil
	}
	b, err := r.eng.opts.Loader.Load(r.ctx, file)
	if err != nil {
		return nil, err
	}
	if r.sources == nil {
		r.sources = map[string][]byte{}
	}
	r.sources[file] = b
	return b, nil
}

// tplVars are the variables a loaded file has of its own.
func tplVars(file string) map[string]any {
	dir := path.Dir(file)
	return map[string]any{"tplfile": file, "tplpath": file, "tpldir": dir}
}
