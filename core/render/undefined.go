package render

import "fmt"

// fault is a Python exception on its way out: it is thrown as a panic inside the
// package and becomes an *Error where rendering ends.
type fault struct {
	kind string
	msg  string
	err  error
}

func throw(kind, format string, a ...any) {
	msg := format
	if len(a) > 0 {
		msg = fmt.Sprintf(format, a...)
	}
	panic(&fault{kind: kind, msg: msg})
}

// maxNesting bounds how deep values nest when they are printed, compared,
// hashed or converted.
const maxNesting = 500

func tooDeep() {
	throw("RecursionError", "value nested deeper than %d levels", maxNesting)
}

// undefined is the value of a name, attribute or item that does not exist.
type undefined struct {
	hint   string // replaces the message when set
	obj    any    // what was looked into, or missing
	name   any
	strict bool
	kind   string       // error class; "" means UndefinedError
	via    *lookupValue // the lookup that may know "name.attr"
	run    *run         // of an undefined variable
}

func (*undefined) typeName() string { return "Undefined" }

func (u *undefined) message() string {
	switch {
	case u.hint != "":
		return u.hint
	case u.obj == missing:
		return repr(u.name) + " is undefined" + u.nearest()
	}
	if _, ok := text(u.name); !ok {
		return describe(u.obj) + " has no element " + repr(u.name)
	}
	return repr(describe(u.obj)) + " has no attribute " + repr(u.name) + u.nearest()
}

// nearest suggests the variable or key that was perhaps meant.
func (u *undefined) nearest() string {
	name := str(u.name)
	if d, ok := u.obj.(*Dict); ok && d.Len() <= 1000 {
		return suggestFrom(name, func(yield func(string) bool) {
			for k := range d.All() {
				if s, ok := text(k); ok && !yield(s) {
					return
				}
			}
		})
	}
	if u.run == nil {
		return ""
	}
	return suggestFrom(name, func(yield func(string) bool) {
		for _, m := range []map[string]any{u.run.vars, u.run.env.ctx.vars, u.run.env.ctx.given, globals} {
			for k := range m {
				if !yield(k) {
					return
				}
			}
		}
	})
}

// modulesOf are the Python modules of the types that are not built in, which
// Jinja2's errors name.
var modulesOf = map[string]string{
	"Markup": "markupsafe.", "Namespace": "jinja2.utils.", "Cycler": "jinja2.utils.", "Joiner": "jinja2.utils.", "LoopContext": "jinja2.runtime.",
	"Macro": "jinja2.runtime.", "TemplateReference": "jinja2.runtime.", "BlockReference": "jinja2.runtime.", "TemplateModule": "jinja2.environment.",
}

// describe names the kind of object an error speaks of.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *lookupValue:
		return v.name
	}
	name := typeName(v)
	return modulesOf[name] + name + " object"
}

// fail raises the error every real use of an undefined value raises.
func (u *undefined) fail() {
	kind := u.kind
	if kind == "" {
		kind = "UndefinedError"
	}
	panic(&fault{kind: kind, msg: u.message()})
}

// refuse fails where a strict undefined does: on printing, iterating, testing
// and comparing.
func (u *undefined) refuse() {
	if u.strict {
		u.fail()
	}
}

func (r *run) undefinedName(name string) *undefined {
	return &undefined{obj: missing, name: name, strict: r.strict, run: r}
}

func (r *run) undefinedAttr(obj, name any) *undefined {
	return &undefined{obj: obj, name: name, strict: r.strict}
}

func (r *run) undefinedHint(hint string) *undefined {
	return &undefined{obj: missing, hint: hint, strict: r.strict}
}

func (r *run) unsafe(obj any, name string) *undefined {
	return &undefined{
		hint:   fmt.Sprintf("access to attribute %s of %s object is unsafe.", repr(name), repr(typeName(obj))),
		strict: r.strict, kind: "SecurityError",
	}
}
