package render

import "strings"

// lazyIter begins to iterate v when it is first asked to; whatever is false
// counts as empty.
func lazyIter(v any) iterator {
	var it iterator
	return iterFunc(func() (any, bool) {
		if it == nil {
			if !truth(v) {
				return nil, false
			}
			it = mustIter(v)
		}
		return it.next()
	})
}

// filterMap applies a filter, or gets an attribute, lazily.
func filterMap(f *frame, v any, a args) any {
	var fn func(any) any
	if len(a.pos) == 0 && len(a.kw) > 0 {
		b := a.bind("map", 0, "attribute", "default")
		if b[0] == missing {
			throw("FilterArgumentError", "unexpected keyword argument %s", repr(a.kw[0].name))
		}
		fn = f.partsGetter(attrParts(b[0]), or(b[1], missing), nil)
	} else {
		if len(a.pos) == 0 {
			throw("FilterArgumentError", "map requires a filter argument")
		}
		name := wantStr(a.pos[0])
		filter := filterByName(name)
		if filter == nil {
			throw("TemplateRuntimeError", "%s", noFilter(name))
		}
		rest := args{append([]any{}, a.pos[1:]...), a.kw}
		fn = func(x any) any { return filter(f, x, rest) }
	}
	it := lazyIter(v)
	return generator(func() (any, bool) {
		x, ok := it.next()
		if !ok {
			return nil, false
		}
		return fn(x), true
	})
}

// filterSelect is select, reject, selectattr and rejectattr, lazily.
func filterSelect(want, byAttr bool) filterFunc {
	return func(f *frame, v any, a args) any {
		pos := a.pos
		get := func(x any) any { return x }
		if byAttr {
			if len(pos) == 0 {
				throw("FilterArgumentError", "missing parameter for attribute name")
			}
			get = f.attrGetter(pos[0], nil)
			pos = pos[1:]
		}
		test := func(x any) bool { return truth(x) }
		if len(pos) > 0 {
			name := wantStr(pos[0])
			fn := testByName(name)
			if fn == nil {
				throw("TemplateRuntimeError", "%s", noTest(name))
			}
			rest := args{append([]any{}, pos[1:]...), a.kw}
			test = func(x any) bool { return fn(f, x, rest) }
		}
		it := lazyIter(v)
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
