package render

import (
	"slices"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// macroDef is a macro, or the body of a call block, as written.
type macroDef struct {
	name     string
	params   []string
	slots    []int
	defaults []expr // aligned with params; nil where there is none
	scope    *scope
	body     []stmt
	varargs  int // slots of the special variables, -1 where the body does not look
	kwargs   int
	caller   int

	autoescape bool // what it prints is escaped where it is written, not where it is called
	anonymous  bool // of a call block: name is only what errors call it
}

// macroValue is a macro with the variables it closes over.
type macroValue struct {
	def *macroDef
	at  *frame
}

func (*macroValue) typeName() string { return "Macro" }

func (m *macroValue) attr(_ *frame, name string) (any, bool) {
	switch name {
	case "name":
		if m.def.anonymous {
			return nil, true
		}
		return m.def.name, true
	case "arguments":
		t := &Tuple{}
		for _, p := range m.def.params {
			t.items = append(t.items, p)
		}
		return t, true
	case "catch_varargs":
		return m.def.varargs >= 0, true
	case "catch_kwargs":
		return m.def.kwargs >= 0, true
	case "caller":
		return m.def.caller >= 0, true
	}
	return nil, false
}

func (m *macroValue) call(f *frame, a args) any {
	in := m.at.child(m.def.scope)
	m.bind(in, a)
	var out string
	outside := f.r.autoescape
	f.r.autoescape = m.def.autoescape
	f.r.visit(m.at.env, "macro "+repr(m.def.name)+" called from", func() {
		out = f.r.capture(func() {
			m.defaults(in)
			in.run(m.def.body)
		})
	})
	f.r.autoescape = outside
	if outside || m.def.autoescape {
		return markup(out)
	}
	return out
}

// bind puts the arguments into the macro's frame.
func (m *macroValue) bind(in *frame, a args) {
	d := m.def
	for i, slot := range d.slots {
		if i < len(a.pos) {
			in.slots[slot] = a.pos[i]
		}
	}
	var extra *Dict
	for _, k := range a.kw {
		i := slices.Index(d.params, k.name)
		switch {
		case i >= len(a.pos):
			in.slots[d.slots[i]] = k.val
		case k.name == "caller" && d.caller >= 0 && i < 0:
			in.slots[d.caller] = k.val
		case d.kwargs < 0:
			throw("TypeError", "macro %s takes no keyword argument %s", repr(d.name), repr(k.name))
		default:
			if extra == nil {
				extra = &Dict{}
			}
			extra.put(k.name, k.val)
		}
	}
	if d.caller >= 0 && in.slots[d.caller] == missing && !slices.Contains(d.params, "caller") {
		in.slots[d.caller] = in.r.undefinedHint("No caller defined")
	}
	if d.kwargs >= 0 {
		if extra == nil {
			extra = &Dict{}
		}
		in.slots[d.kwargs] = extra
	}
	over := min(len(d.params), len(a.pos))
	if d.varargs >= 0 {
		in.slots[d.varargs] = &Tuple{items: slices.Clone(a.pos[over:])}
	} else if over < len(a.pos) {
		throw("TypeError", "macro %s takes not more than %d argument(s)", repr(d.name), len(d.params))
	}
}

func (m *macroValue) defaults(in *frame) {
	d := m.def
	for i, slot := range d.slots {
		if in.slots[slot] != missing {
			continue
		}
		if d.defaults[i] != nil {
			in.slots[slot] = d.defaults[i].eval(in)
		} else {
			in.slots[slot] = in.r.undefinedHint("parameter " + repr(d.params[i]) + " was not provided")
		}
	}
}

type macroStmt struct {
	node
	target target
	def    *macroDef
}

func (s *macroStmt) exec(f *frame) signal {
	s.target.assign(f, &macroValue{s.def, f})
	return goOn
}

// callStmt prints what a macro makes of the block's body.
type callStmt struct {
	node
	call *callExpr
	def  *macroDef
}

func (s *callStmt) exec(f *frame) signal {
	base := len(f.r.stack)
	fn := s.call.fn.eval(f)
	a := s.call.args.eval(f)
	a.kw = slices.Insert(slices.Clone(a.kw), len(s.call.args.kwNames), kwarg{"caller", &macroValue{s.def, f}}) // before those of **
	f.r.pos = s.call.pos
	v := f.call(fn, a)
	f.r.stack = f.r.stack[:base]
	if !f.r.muted {
		f.r.out = appendStr(f.r.out, v)
		f.r.checkOutput()
	}
	return goOn
}

func parseMacro(c *compiler, t *tag) stmt {
	name, target := t.nameTarget()
	c.assigned()
	def := parseMacroBody(c, t, name, "endmacro", true, func() { t.end() })
	return &macroStmt{target: target, def: def}
}

func parseCall(c *compiler, t *tag) stmt {
	var call *callExpr
	at := c.scope
	def := parseMacroBody(c, t, "caller", "endcall", t.is(tokens.LeftParenthesis), func() {
		own := c.scope
		c.scope = at // the call itself is not part of its body
		pos := t.pos32()
		call, _ = t.expression().(*callExpr)
		if call == nil {
			failAt(int(pos), "expected call")
		}
		t.end()
		c.scope = own
	})
	def.anonymous = true
	return &callStmt{call: call, def: def}
}

// parseMacroBody parses a signature, what follows it in the tag, and the body.
func parseMacroBody(c *compiler, t *tag, name, endTag string, signature bool, rest func()) *macroDef {
	def := &macroDef{name: name, scope: &scope{}, varargs: -1, kwargs: -1, caller: -1, autoescape: c.autoescape}
	for s := c.scope; s != nil; s = s.outer {
		s.captured = true
	}
	loops := c.loops
	c.loops = 0
	c.push(def.scope)
	from := len(c.names)
	if signature {
		t.expect(tokens.LeftParenthesis)
		for !t.is(tokens.RightParenthesis) {
			if len(def.params) > 0 {
				t.expect(tokens.Comma)
			}
			param, target := t.nameTarget()
			c.assigned()
			if slices.Contains(def.params, param) {
				t.fail("duplicate argument " + repr(param) + " of macro " + repr(name))
			}
			def.params = append(def.params, param)
			def.slots = append(def.slots, target.(slotTarget).slot)
			var dflt expr
			if t.skip(tokens.Assign) {
				dflt = t.expression()
			} else if n := len(def.defaults); n > 0 && def.defaults[n-1] != nil {
				t.fail("non-default argument follows default argument")
			}
			def.defaults = append(def.defaults, dflt)
		}
		t.next()
	}
	special := len(c.names)
	rest()
	after := len(c.names)
	var end *tag
	def.body, end = t.body(endTag)
	end.end()
	for i, n := range c.names[from:] {
		if i+from >= special && i+from < after {
			continue
		}
		if i := slices.Index(def.params, "caller"); n.name == "caller" && i >= 0 && def.defaults[i] == nil {
			failAt(t.pos, `when defining macros or call blocks the special "caller" argument must be omitted or be given a default`)
		}
		def.uses(n.name)
	}
	c.pop()
	c.loops = loops
	return def
}

// uses notes that the body looks at one of the special variables.
func (d *macroDef) uses(name string) {
	slot := map[string]*int{"varargs": &d.varargs, "kwargs": &d.kwargs, "caller": &d.caller}[name]
	if slot == nil || *slot >= 0 || name != "caller" && slices.Contains(d.params, name) {
		return
	}
	*slot = d.scope.declare(name)
}
