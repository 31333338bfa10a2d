package render

// callArgs are the arguments of a call as written.
type callArgs struct {
	pos         []expr
	kwNames     []string
	kwVals      []expr
	star, star2 expr
	constant    bool // pos are all literals and there is nothing else
	values      []any
}

// eval evaluates the arguments. The caller gives the stack of arguments back
// with release.
func (c *callArgs) eval(f *frame) args {
	if c.constant {
		return args{pos: c.values}
	}
	r := f.r
	base := len(r.stack)
	for _, x := range c.pos {
		v := x.eval(f)
		r.stack = append(r.stack, v)
	}
	if c.star != nil {
		v := c.star.eval(f)
		it := iterOf(v)
		if it == nil {
			throw("TypeError", "argument after * must be an iterable, not %s", typeName(v))
		}
		r.stack = append(r.stack, drain(it)...)
	}
	a := args{pos: r.stack[base:len(r.stack):len(r.stack)]}
	if len(c.kwNames) > 0 || c.star2 != nil {
		a.kw = make([]kwarg, 0, len(c.kwNames)+4)
		for i, name := range c.kwNames {
			a.kw = append(a.kw, kwarg{name, c.kwVals[i].eval(f)})
		}
		if c.star2 != nil {
			a.kw = spread(a.kw, c.star2.eval(f))
		}
	}
	return a
}

// spread adds the arguments of **v.
func spread(kw []kwarg, v any) []kwarg {
	d, ok := v.(*Dict)
	if l, isLookup := v.(*lookupValue); isLookup {
		d, ok = l.dict()
	}
	if !ok {
		refuseOperand(v)
		throw("TypeError", "argument after ** must be a mapping, not %s", typeName(v))
	}
	for k, x := range d.All() {
		name, ok := text(k)
		if !ok {
			throw("TypeError", "keywords must be strings")
		}
		for _, have := range kw {
			if have.name == name {
				throw("TypeError", "got multiple values for keyword argument '%s'", name)
			}
		}
		kw = append(kw, kwarg{name, x})
	}
	return kw
}

type callExpr struct {
	pos  int32
	fn   expr
	args callArgs
}

func (e *callExpr) eval(f *frame) any {
	base := len(f.r.stack)
	if at, ok := e.fn.(*attrExpr); ok {
		obj := at.obj.eval(f)
		if m := methodOf(obj, at.name); m != nil {
			a := e.args.eval(f)
			f.r.pos = at.pos
			v := m(f, obj, a)
			f.r.stack = f.r.stack[:base]
			return v
		}
		f.r.pos = at.pos
		fn := f.getattr(obj, at.name)
		return e.invoke(f, fn, base)
	}
	return e.invoke(f, e.fn.eval(f), base)
}

func (e *callExpr) invoke(f *frame, fn any, base int) any {
	if _, ok := fn.(*undefined); ok {
		f.r.pos = e.pos
		f.call(fn, args{})
	}
	a := e.args.eval(f)
	f.r.pos = e.pos
	v := f.call(fn, a)
	f.r.stack = f.r.stack[:base]
	return v
}

type filterExpr struct {
	pos  int32
	x    expr // nil: the captured body of a filter or set block
	name string
	fn   filterFunc // nil: unknown, an error when it is reached
	args callArgs
}

func (e *filterExpr) eval(f *frame) any {
	return e.apply(f, e.x.eval(f))
}

func (e *filterExpr) apply(f *frame, v any) any {
	base := len(f.r.stack)
	a := e.args.eval(f)
	f.r.pos = e.pos
	if e.fn == nil {
		throw("TemplateRuntimeError", "%s", noFilter(e.name))
	}
	v = e.fn(f, v, a)
	f.r.stack = f.r.stack[:base]
	return v
}

type testExpr struct {
	pos    int32
	x      expr
	name   string
	negate bool
	fn     testFunc
	args   callArgs
}

func (e *testExpr) eval(f *frame) any {
	v := e.x.eval(f)
	base := len(f.r.stack)
	a := e.args.eval(f)
	f.r.pos = e.pos
	if e.fn == nil {
		throw("TemplateRuntimeError", "%s", noTest(e.name))
	}
	ok := e.fn(f, v, a)
	f.r.stack = f.r.stack[:base]
	return ok != e.negate
}
