package render

import "strings"

// lazyIter begins to iterate v when it is first asked to, after prepare; whatever
// is false counts as empty.
func lazyIter(v any, prepare func()) iterator {
	var it iterator
	return iterFunc(func() (any, bool) {
		if it == nil {
			if !truth(v) {
				return nil, false
			}
			prepare()
			it = mustIter(v)
		}
		return it.next()
	})
}

// filterMap applies a filter, or gets an attribute, lazily.
func filterMap(f *frame, v any, a args) any {
	a = args{append([]any{}, a.pos...), a.kw}
	var fn func(any) any
	it := lazyIter(v, func() { fn = f.mapped(a) })
	return generator(func() (any, bool) {
		x, ok := it.next()
		if !ok {
			return nil, false
		}
		return fn(x), true
	})
}

// mapped is what map does with each element.
func (f *frame) mapped(a args) func(any) any {
	if len(a.pos) == 0 && len(a.kw) > 0 {
		b := a.bind("map", 0, "attribute", "default")
		if b[0] == missing {
			throw("FilterArgumentError", "unexpected keyword argument %s", repr(a.kw[0].name))
		}
		if b[1] == nil {
			b[1] = missing
		}
		return f.partsGetter(attrParts(b[0]), b[1], nil)
	}
	if len(a.pos) == 0 {
		throw("FilterArgumentError", "map requires a filter argument")
	}
	name, _ := key(a.pos[0])
	filter := filterByName(name)
	if filter == nil {
		throw("TemplateRuntimeError", "%s", noFilter(str(a.pos[0])))
	}
	rest := args{a.pos[1:], a.kw}
	return func(x any) any { return filter(f, x, rest) }
}

// filterSelect is select, reject, selectattr and rejectattr, lazily.
func filterSelect(want, byAttr bool) filterFunc {
	return func(f *frame, v any, a args) any {
		pos := append([]any{}, a.pos...)
		get, test := func(x any) any { return x }, truth
		it := lazyIter(v, func() {
			if byAttr {
				if len(pos) == 0 {
					throw("FilterArgumentError", "missing parameter for attribute name")
				}
				get = f.attrGetter(pos[0], nil)
				pos = pos[1:]
			}
			if len(pos) > 0 {
				name, _ := key(pos[0])
				fn := testByName(name)
				if fn == nil {
					throw("TemplateRuntimeError", "%s", noTest(str(pos[0])))
				}
				rest := args{pos[1:], a.kw}
				test = func(x any) bool { return fn(f, x, rest) }
			}
		})
		return generator(func() (any, bool) {
			for {
				x, ok := it.next()
				if !ok {
					return nil, false
				}
				if test(get(x)) == want {
					return x, true
				}
			}
		})
	}
}

func filterAttr(f *frame, v any, a args) any {
	name := wantStr(a.bind("attr", 1, "name")[0])
	refuseOperand(v)
	if strings.HasPrefix(name, "__") {
		return f.r.unsafe(v, name)
	}
	if m := methodOf(v, name); m != nil {
		return &method{v, name, m}
	}
	if at, ok := v.(attributer); ok {
		if x, ok := at.attr(f, name); ok {
			return x
		}
	}
	if x, ok := property(v, name); ok {
		return x
	}
	return f.r.undefinedAttr(v, name)
}
