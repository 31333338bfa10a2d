package render

// bind matches arguments to parameters as Python does. The result has a value
// for each name, missing where none was given.
func (a args) bind(fn string, required int, names ...string) []any {
	if len(a.pos) > len(names) {
		throw("TypeError", "%s() takes at most %d argument(s), got %d", fn, len(names), len(a.pos))
	}
	out := make([]any, len(names))
	n := copy(out, a.pos)
	for i := n; i < len(out); i++ {
		out[i] = missing
	}
	for _, k := range a.kw {
		i := 0
		for i < len(names) && names[i] != k.name {
			i++
		}
		switch {
		case i == len(names):
			throw("TypeError", "%s() got an unexpected keyword argument '%s'", fn, k.name)
		case out[i] != missing:
			throw("TypeError", "%s() got multiple values for argument '%s'", fn, k.name)
		}
		out[i] = k.val
	}
	for i := range required {
		if out[i] == missing {
			throw("TypeError", "%s() missing required argument '%s'", fn, names[i])
		}
	}
	return out
}

// none refuses any argument.
func (a args) none(fn string) {
	if len(a.pos)+len(a.kw) > 0 {
		throw("TypeError", "%s() takes no arguments", fn)
	}
}

// noKeywords refuses keyword arguments.
func (a args) noKeywords(fn string) {
	if len(a.kw) > 0 {
		throw("TypeError", "%s() got an unexpected keyword argument '%s'", fn, a.kw[0].name)
	}
}

// or is v, or dflt where v was not given.
func or(v, dflt any) any {
	if v == missing {
		return dflt
	}
	return v
}

// wantInt is an int argument.
func wantInt(v any) int {
	n, ok := integer(v)
	if !ok {
		refuseOperand(v)
		throw("TypeError", "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	const limit = 1 << 40
	return int(max(-limit, min(limit, n)))
}

// wantStr is a str argument.
func wantStr(v any) string {
	s, ok := text(v)
	if !ok {
		refuseOperand(v)
		throw("TypeError", "expected str, got %s", typeName(v))
	}
	return s
}

// wantDict is a mapping argument.
func wantDict(v any) *Dict {
	switch v := v.(type) {
	case *Dict:
		return v
	case *lookupValue:
		if d, ok := v.dict(); ok {
			return d
		}
	case *namespace:
		return v.d
	case *undefined:
		v.fail()
	}
	throw("TypeError", "expected a mapping, got %s", typeName(v))
	return nil
}
