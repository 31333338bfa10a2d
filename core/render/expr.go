package render

import "strings"

// expr is a compiled expression.
type expr interface {
	eval(f *frame) any
}

type literal struct{ v any }

func (e *literal) eval(*frame) any { return e.v }

// ref is a variable's place: so many frames out, in that slot.
type ref struct{ hops, slot int }

// nameExpr reads a variable: the frames that may hold it, innermost first, then
// the template's context.
type nameExpr struct {
	pos  int32
	name string
	refs []ref
	at   *scope // where it was written, until names are resolved

	sealed   bool // only refs count
	exported bool // of the context, only what the template itself has set counts
}

func (e *nameExpr) eval(f *frame) any {
	if v := e.find(f); v != missing {
		if _, ok := v.(*undefined); ok {
			f.r.pos = e.pos
		}
		return v
	}
	f.r.pos = e.pos
	return f.r.undefinedName(e.name)
}

func (e *nameExpr) find(f *frame) any {
	for _, ref := range e.refs {
		fr := f
		for range ref.hops {
			fr = fr.outer
		}
		if v := fr.slots[ref.slot]; v != missing {
			return v
		}
	}
	switch {
	case e.sealed:
		return missing
	case e.exported:
		if v, ok := f.env.ctx.vars[e.name]; ok {
			return v
		}
		return missing
	}
	return f.env.ctx.lookup(f.r, e.name)
}

type listExpr struct {
	items []expr
	tuple bool
}

func (e *listExpr) eval(f *frame) any {
	items := make([]any, len(e.items))
	for i, x := range e.items {
		items[i] = x.eval(f)
	}
	if e.tuple {
		return &Tuple{items: items}
	}
	return &List{items}
}

type dictExpr struct {
	pos        int32
	keys, vals []expr
}

func (e *dictExpr) eval(f *frame) any {
	d := &Dict{}
	if len(e.keys) > 0 {
		d.entries = make([]entry, 0, len(e.keys))
	}
	for i, k := range e.keys {
		key := k.eval(f)
		val := e.vals[i].eval(f)
		f.r.pos = e.pos
		d.put(key, val)
	}
	return d
}

type condExpr struct {
	pos              int32
	test, yes, else_ expr
}

func (e *condExpr) eval(f *frame) any {
	t := e.test.eval(f)
	f.r.pos = e.pos
	if truth(t) {
		return e.yes.eval(f)
	}
	if e.else_ != nil {
		return e.else_.eval(f)
	}
	// Jinja2 uses the lenient kind here, whatever it uses elsewhere.
	return &undefined{obj: missing, hint: "the inline if-expression evaluated to false and no else section was defined."}
}

type andExpr struct {
	pos         int32
	left, right expr
}

func (e *andExpr) eval(f *frame) any {
	v := e.left.eval(f)
	f.r.pos = e.pos
	if !truth(v) {
		return v
	}
	return e.right.eval(f)
}

type orExpr struct {
	pos         int32
	left, right expr
}

func (e *orExpr) eval(f *frame) any {
	v := e.left.eval(f)
	f.r.pos = e.pos
	if truth(v) {
		return v
	}
	return e.right.eval(f)
}

type notExpr struct {
	pos int32
	x   expr
}

func (e *notExpr) eval(f *frame) any {
	v := e.x.eval(f)
	f.r.pos = e.pos
	return !truth(v)
}

// compareExpr is a chain of comparisons: a < b <= c.
type compareExpr struct {
	first expr
	rest  []operand
}

type operand struct {
	pos int32
	op  string
	x   expr
}

func (e *compareExpr) eval(f *frame) any {
	left := e.first.eval(f)
	for i := range e.rest {
		o := &e.rest[i]
		right := o.x.eval(f)
		f.r.pos = o.pos
		if !compare(o.op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func compare(op string, a, b any) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "in":
		return contains(b, a)
	case "not in":
		return !contains(b, a)
	}
	return ordered(op, a, b)
}

type binaryExpr struct {
	pos         int32
	op          string
	left, right expr
}

func (e *binaryExpr) eval(f *frame) any {
	a := e.left.eval(f)
	b := e.right.eval(f)
	f.r.pos = e.pos
	return binary(e.op, a, b)
}

// joinExpr is a ~ b ~ c.
type joinExpr struct {
	pos   int32
	parts []expr
}

func (e *joinExpr) eval(f *frame) any {
	if f.r.autoescape {
		return e.markup(f)
	}
	base := len(f.r.scratch)
	for _, p := range e.parts {
		v := p.eval(f)
		f.r.pos = e.pos
		f.r.scratch = appendStr(f.r.scratch, v)
		checkText(len(f.r.scratch))
	}
	s := string(f.r.scratch[base:])
	f.r.scratch = f.r.scratch[:base]
	return s
}

// markup joins where output is escaped: once a part is markup, the others are
// escaped.
func (e *joinExpr) markup(f *frame) any {
	parts := make([]any, len(e.parts))
	any := false
	for i, p := range e.parts {
		parts[i] = p.eval(f)
		_, is := parts[i].(markup)
		any = any || is
	}
	f.r.pos = e.pos
	var b strings.Builder
	for _, v := range parts {
		if any {
			b.WriteString(escaped(v))
		} else {
			b.WriteString(str(v))
		}
		checkText(b.Len())
	}
	if any {
		return markup(b.String())
	}
	return b.String()
}

type unaryExpr struct {
	pos   int32
	minus bool
	x     expr
}

func (e *unaryExpr) eval(f *frame) any {
	v := e.x.eval(f)
	f.r.pos = e.pos
	return negate(v, e.minus)
}

type attrExpr struct {
	pos  int32
	obj  expr
	name string
}

func (e *attrExpr) eval(f *frame) any {
	obj := e.obj.eval(f)
	f.r.pos = e.pos
	return f.getattr(obj, e.name)
}

type itemExpr struct {
	pos      int32
	obj, key expr
}

func (e *itemExpr) eval(f *frame) any {
	obj := e.obj.eval(f)
	key := e.key.eval(f)
	f.r.pos = e.pos
	return f.getitem(obj, key)
}

type sliceExpr struct {
	pos               int32
	obj               expr
	start, stop, step expr // nil where left out
}

func (e *sliceExpr) eval(f *frame) any {
	obj := e.obj.eval(f)
	part := func(x expr) any {
		if x == nil {
			return nil
		}
		return x.eval(f)
	}
	start, stop, step := part(e.start), part(e.stop), part(e.step)
	f.r.pos = e.pos
	return sliceOf(obj, start, stop, step)
}

// appendStr appends str(v).
func appendStr(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case markup:
		return append(b, v...)
	case *undefined:
		v.refuse()
		return b
	case *moduleValue:
		return append(b, v.body...)
	}
	return appendRepr(b, v, 0, nil)
}
