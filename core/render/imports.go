package render

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// moduleValue is an imported template: what it printed and what it set.
type moduleValue struct {
	env  *env
	body string
}

func (*moduleValue) typeName() string { return "TemplateModule" }

func (m *moduleValue) attr(_ *frame, name string) (any, bool) {
	if strings.HasPrefix(name, "_") || m.env.ctx.foreign[name] {
		return nil, false
	}
	v, ok := m.env.ctx.vars[name]
	return v, ok
}

// locals are the variables of the enclosing regions, as an include hands them on.
func (f *frame) locals(s *scope) map[string]any {
	var out map[string]any
	for ; s != nil; s, f = s.outer, f.outer {
		for name, slot := range s.slots {
			if name == "" || slot >= len(f.slots) || f.slots[slot] == missing {
				continue
			}
			if _, ok := out[name]; !ok {
				if out == nil {
					out = map[string]any{}
				}
				out[name] = f.slots[slot]
			}
		}
	}
	return out
}

// load finds the template a tag names: a name, or a list of names to try.
func (f *frame) load(v any, how string, choice bool) (*template, string) {
	refuseOperand(v)
	names := []any{v}
	if choice {
		switch v := v.(type) {
		case *List:
			names = v.items
		case *Tuple:
			names = v.items
		}
	}
	var tried []string
	for _, n := range names {
		refuseOperand(n)
		s, ok := text(n)
		if !ok {
			throw("TypeError", "a template's name must be a string, not %s", typeName(n))
		}
		if t, file, ok := f.open(s, how); ok {
			return t, file
		}
		tried = append(tried, s)
	}
	if len(names) == 1 && len(tried) == 1 {
		panic(&fault{"TemplateNotFound", "template " + repr(tried[0]) + " not found", fs.ErrNotExist})
	}
	panic(&fault{"TemplatesNotFound", "none of the templates given were found: " + strings.Join(tried, ", "), fs.ErrNotExist})
}

// open loads and compiles one file; !ok means that there is none.
func (f *frame) open(name, how string) (t *template, file string, ok bool) {
	r := f.r
	file, ok = resolvePath(f.env.name, name)
	if !ok {
		throw("TemplateNotFound", "template %s is outside of the tree", repr(name))
	}
	if r.eng.opts.Loader == nil {
		return nil, "", false
	}
	src, err := r.source(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "", false
		}
		panic(&fault{"TemplateNotFound", "template " + repr(name) + ": " + err.Error(), err})
	}
	t, err = r.eng.compiled(src, r.style)
	if err != nil {
		r.places = append(r.places, Place{Name: f.env.name, Line: int(r.pos), How: how})
		r.visits = append(r.visits, f.env.tmpl)
		panic(named(err, file))
	}
	return t, file, true
}

// resolvePath gives the path in the tree of a name used in a file.
func resolvePath(from, name string) (string, bool) {
	name = strings.TrimPrefix(name, "salt://")
	if strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		name = path.Join(path.Dir(from), name)
	}
	name = path.Clean(strings.TrimLeft(name, "/"))
	return name, name != "." && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsRune(name, 0)
}

type includeStmt struct {
	node
	pos     int32
	x       expr
	ignore  bool
	context bool
	at      *scope
}

func (s *includeStmt) exec(f *frame) signal {
	v := s.x.eval(f)
	f.r.pos = s.pos
	var t *template
	var name string
	if !s.try(f, func() { t, name = f.load(v, "included from", true) }) {
		return goOn
	}
	c := &scopeCtx{own: tplVars(name)}
	if s.context {
		c.base, c.given = f.env.ctx.base, f.env.ctx.snapshot(f.locals(s.at))
	}
	e := &env{t, name, c}
	muted, autoescape := f.r.muted, f.r.autoescape
	f.r.autoescape = false
	f.r.visit(e, "included from", func() { f.r.root(e) })
	f.r.muted, f.r.autoescape = muted, autoescape
	return goOn
}

// try runs the search for a template; false means it is missing and may be.
func (s *includeStmt) try(f *frame, find func()) (found bool) {
	if s.ignore {
		defer func() {
			if p := recover(); p != nil {
				if flt, ok := p.(*fault); !ok || !errors.Is(flt.err, fs.ErrNotExist) {
					panic(p)
				}
				found = false
			}
		}()
	}
	find()
	return true
}

// importModule renders a template for what it sets. Without context it is done
// once per rendering.
func (f *frame) importModule(v any, withContext bool, at *scope) *moduleValue {
	t, name := f.load(v, "imported from", false)
	if !withContext {
		if m, ok := f.r.modules[name]; ok {
			return m
		}
	}
	c := &scopeCtx{own: tplVars(name)}
	if withContext {
		c.base, c.given = f.env.ctx.base, f.env.ctx.snapshot(f.locals(at))
	}
	m := &moduleValue{env: &env{t, name, c}}
	autoescape := f.r.autoescape
	f.r.autoescape = false
	f.r.visit(m.env, "imported from", func() {
		m.body = f.r.capture(func() { f.r.root(m.env) })
	})
	f.r.autoescape = autoescape
	if !withContext {
		if f.r.modules == nil {
			f.r.modules = map[string]*moduleValue{}
		}
		f.r.modules[name] = m
	}
	return m
}

type importStmt struct {
	node
	pos     int32
	x       expr
	context bool
	at      *scope
	target  target
	load    string // the format of import_yaml, import_json and import_text
}

func (s *importStmt) exec(f *frame) signal {
	v := s.x.eval(f)
	f.r.pos = s.pos
	m := f.importModule(v, s.context, s.at)
	if s.load == "" {
		s.target.assign(f, m)
		f.env.ctx.imported(s.target)
		return goOn
	}
	f.r.visit(m.env, "imported from", func() {
		f.r.pos = 0
		s.target.assign(f, loadAs(s.load, m.body))
	})
	return goOn
}

type fromStmt struct {
	node
	pos     int32
	x       expr
	context bool
	at      *scope
	names   []string
	targets []target
}

func (s *fromStmt) exec(f *frame) signal {
	v := s.x.eval(f)
	f.r.pos = s.pos
	m := f.importModule(v, s.context, s.at)
	for i, name := range s.names {
		v, ok := m.attr(f, name)
		if !ok {
			v = f.r.undefinedHint("the template " + repr(m.env.name) + " (imported in " + repr(f.env.name) +
				") does not export the requested name " + repr(name))
		}
		s.targets[i].assign(f, v)
		f.env.ctx.imported(s.targets[i])
	}
	return goOn
}

// importContext parses "with context" and "without context".
func (t *tag) importContext(dflt bool) bool {
	if (t.isName("with") || t.isName("without")) && t.nextIsName("context") {
		with := t.next().Val == "with"
		t.next()
		return with
	}
	return dflt
}

func parseInclude(c *compiler, t *tag) stmt {
	s := &includeStmt{pos: int32(t.pos), x: t.expression(), at: c.scope}
	if t.isName("ignore") && t.nextIsName("missing") {
		t.next()
		t.next()
		s.ignore = true
	}
	s.context = t.importContext(true)
	t.end()
	return s
}

func parseImport(c *compiler, t *tag) stmt {
	s := &importStmt{pos: int32(t.pos), x: t.expression(), at: c.scope}
	t.expectName("as")
	_, s.target = t.nameTarget()
	c.assigned()
	s.context = t.importContext(false)
	t.end()
	return s
}

func parseImportData(c *compiler, t *tag) stmt {
	s := parseImport(c, t).(*importStmt)
	s.load = strings.TrimPrefix(t.name, "import_")
	return s
}

func parseFrom(c *compiler, t *tag) stmt {
	s := &fromStmt{pos: int32(t.pos), x: t.expression(), at: c.scope}
	t.expectName("import")
	for {
		if len(s.names) > 0 {
			t.expect(tokens.Comma)
		}
		if (t.isName("with") || t.isName("without")) && t.nextIsName("context") {
			s.context = t.importContext(false)
			break
		}
		tok := t.expect(tokens.Name)
		if strings.HasPrefix(tok.Val, "_") {
			failAt(tok.Pos, "names starting with an underline can not be imported")
		}
		as := tok.Val
		var to target
		if t.skipName("as") {
			_, to = t.nameTarget()
		} else {
			to = c.variable(as)
		}
		s.names = append(s.names, tok.Val)
		s.targets = append(s.targets, to)
		if t.isName("with") || t.isName("without") {
			s.context = t.importContext(false)
			break
		}
		if !t.is(tokens.Comma) {
			break
		}
	}
	t.end()
	c.assigned()
	return s
}
