package render

import (
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// signal says how a statement ended.
type signal int

const (
	goOn signal = iota
	breakLoop
	continueLoop
)

// stmt is a compiled statement. It doubles as gonja's node for a tag.
type stmt interface {
	exec(f *frame) signal
	Position() *tokens.Token
	String() string
}

// node is what gonja wants of a tag besides.
type node struct{}

func (node) Position() *tokens.Token { return nil }
func (node) String() string          { return "tag" }

func (f *frame) run(body []stmt) signal {
	for _, s := range body {
		if sig := s.exec(f); sig != goOn {
			return sig
		}
	}
	return goOn
}

type textStmt string

func (textStmt) Position() *tokens.Token { return nil }
func (textStmt) String() string          { return "text" }
func (s textStmt) exec(f *frame) signal {
	if !f.r.muted {
		f.r.out = append(f.r.out, s...)
		f.r.checkOutput()
	}
	return goOn
}

type printStmt struct {
	node
	pos int32
	x   expr
}

func (s *printStmt) exec(f *frame) signal {
	r := f.r
	if r.muted {
		return goOn
	}
	v := s.x.eval(f)
	if u, ok := v.(*undefined); ok {
		u.refuse()
		return goOn
	}
	if r.autoescape {
		r.out = append(r.out, escaped(v)...)
	} else {
		r.out = appendStr(r.out, v)
	}
	r.checkOutput()
	return goOn
}

type ifStmt struct {
	node
	pos   int32
	tests []expr
	then  [][]stmt
	else_ []stmt
}

func (s *ifStmt) exec(f *frame) signal {
	for i, t := range s.tests {
		v := t.eval(f)
		if u, ok := v.(*undefined); ok {
			u.refuse()
			continue
		}
		if truth(v) {
			return f.run(s.then[i])
		}
	}
	return f.run(s.else_)
}

type doStmt struct {
	node
	x expr
}

func (s *doStmt) exec(f *frame) signal {
	s.x.eval(f)
	return goOn
}

// jumpStmt is break or continue.
type jumpStmt struct {
	node
	sig signal
}

func (s *jumpStmt) exec(*frame) signal { return s.sig }

// seqStmt is a run of statements without variables of its own.
type seqStmt struct {
	node
	body []stmt
}

func (s *seqStmt) exec(f *frame) signal { return f.run(s.body) }

// target is what values are assigned to.
type target interface {
	assign(f *frame, v any)
}

// slotTarget is a variable of the innermost frame.
type slotTarget struct{ slot int }

func (t slotTarget) assign(f *frame, v any) { f.slots[t.slot] = v }

// globalTarget is a variable of the outermost region: it is in the context,
// where macros, blocks and importers see it.
type globalTarget struct{ name string }

func (t globalTarget) assign(f *frame, v any) { f.env.ctx.set(t.name, v) }

// fieldTarget is an attribute of a namespace.
type fieldTarget struct {
	obj  *nameExpr
	name string
}

func (t fieldTarget) assign(f *frame, v any) {
	f.r.pos = t.obj.pos
	ns, ok := t.obj.eval(f).(*namespace)
	if !ok {
		throw("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
	}
	ns.d.put(t.name, v)
}

type tupleTarget struct {
	pos   int32
	items []target
}

func (t *tupleTarget) assign(f *frame, v any) {
	f.r.pos = t.pos
	var items []any
	switch v := v.(type) {
	case *Tuple:
		items = v.items
	case *List:
		items = v.items
	default:
		it := iterOf(v)
		if it == nil {
			throw("TypeError", "cannot unpack non-iterable %s object", typeName(v))
		}
		for len(items) <= len(t.items) {
			x, ok := it.next()
			if !ok {
				break
			}
			items = append(items, x)
		}
	}
	if len(items) > len(t.items) {
		throw("ValueError", "too many values to unpack (expected %d)", len(t.items))
	}
	if len(items) < len(t.items) {
		throw("ValueError", "not enough values to unpack (expected %d, got %d)", len(t.items), len(items))
	}
	for i, x := range items {
		t.items[i].assign(f, x)
	}
}

// assignTarget parses a name, a tuple of names or, for set, namespace attributes.
func (t *tag) assignTarget(fields bool) target {
	if fields && t.is(tokens.Name) && t.look().Type == tokens.Dot {
		obj := t.c.name(t.next())
		t.next()
		return fieldTarget{obj, t.expect(tokens.Name).Val}
	}
	pos := t.pos32()
	t.c.target = true
	x := t.tuple(tupleRules{target: true})
	t.c.target = false
	return t.c.store(x, pos, fields)
}

func (t *tag) pos32() int32 { return int32(t.cur().Pos) }

// nameTarget parses a single name.
func (t *tag) nameTarget() (string, target) {
	tok := t.expect(tokens.Name)
	switch tok.Val {
	case "true", "false", "none", "True", "False", "None":
		failAt(tok.Pos, "can't assign to "+repr(tok.Val))
	}
	return tok.Val, t.c.variable(tok.Val)
}

// variable is the place of a variable assigned in the current region.
func (c *compiler) variable(name string) target {
	c.stores = append(c.stores, name)
	if c.scope == nil {
		return globalTarget{name}
	}
	return slotTarget{c.scope.declare(name)}
}

// store turns the expression of a target into what it assigns.
func (c *compiler) store(x expr, pos int32, fields bool) target {
	switch x := x.(type) {
	case *nameExpr:
		if x.name == "loop" && c.inLoop > 0 {
			failAt(int(x.pos), "can't assign to special loop variable in for-loop target")
		}
		return c.variable(x.name)
	case *listExpr:
		if x.tuple {
			t := &tupleTarget{pos: pos}
			for _, item := range x.items {
				t.items = append(t.items, c.store(item, pos, fields))
			}
			return t
		}
	}
	failAt(int(pos), "can't assign to this expression")
	return nil
}

type setStmt struct {
	node
	target target
	x      expr
}

func (s *setStmt) exec(f *frame) signal {
	s.target.assign(f, s.x.eval(f))
	return goOn
}

// setBlockStmt assigns what its body prints, filtered.
type setBlockStmt struct {
	node
	target  target
	filters []*filterExpr
	scope   *scope
	body    []stmt
	load    string // the format of a load_yaml, load_json or load_text block
	pos     int32
}

func (s *setBlockStmt) exec(f *frame) signal {
	in := f.child(s.scope)
	sig := goOn
	var v any = f.r.capture(func() { sig = in.run(s.body) })
	if sig != goOn {
		return sig
	}
	if f.r.autoescape {
		v = markup(v.(string))
	}
	for _, fl := range s.filters {
		v = fl.apply(in, v)
	}
	if s.load != "" {
		f.r.pos = s.pos
		v = loadAs(s.load, v)
	}
	s.target.assign(f, v)
	return goOn
}

// filterStmt prints its body filtered.
type filterStmt struct {
	node
	filters []*filterExpr
	scope   *scope
	body    []stmt
}

func (s *filterStmt) exec(f *frame) signal {
	in := f.child(s.scope)
	sig := goOn
	var v any = f.r.capture(func() { sig = in.run(s.body) })
	if sig != goOn {
		return sig
	}
	if f.r.autoescape {
		v = markup(v.(string))
	}
	for _, fl := range s.filters {
		v = fl.apply(in, v)
	}
	if !isText(v) {
		refuseOperand(v)
		throw("TypeError", "a filtered block must come to text, expected str instance, %s found", typeName(v))
	}
	if !f.r.muted {
		f.r.out = appendStr(f.r.out, v)
		f.r.checkOutput()
	}
	return goOn
}

type withStmt struct {
	node
	targets []target
	values  []expr
	scope   *scope
	body    []stmt
}

func (s *withStmt) exec(f *frame) signal {
	in := f.child(s.scope)
	for i, t := range s.targets {
		t.assign(in, s.values[i].eval(f))
	}
	return in.run(s.body)
}

// autoescapeStmt switches the escaping of what is printed.
type autoescapeStmt struct {
	node
	x     expr
	scope *scope
	body  []stmt
}

func (s *autoescapeStmt) exec(f *frame) signal {
	was := f.r.autoescape
	f.r.autoescape = truth(s.x.eval(f))
	sig := f.child(s.scope).run(s.body)
	f.r.autoescape = was
	return sig
}
