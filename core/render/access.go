package render

import (
	"math/big"
	"slices"
	"strings"
)

// getattr is obj.name in a template.
func (f *frame) getattr(obj any, name string) any {
	if strings.HasPrefix(name, "__") && isDunder(name) {
		if u, ok := obj.(*undefined); ok {
			if !slices.Contains(ofEveryObject, name) {
				u.fail()
			}
			return u
		}
		return f.r.unsafe(obj, name)
	}
	switch o := obj.(type) {
	case *undefined:
		if o.via != nil {
			full := str(o.name) + "." + name
			if v, ok := o.via.get(full); ok {
				return v
			}
			return &undefined{obj: missing, hint: o.via.nothing(full), strict: o.strict, via: o.via, name: full}
		}
		o.fail()
	case *lookupValue:
		if v, ok := o.get(name); ok {
			return v
		}
		if m := methodOf(o, name); m != nil {
			return &method{o, name, m}
		}
		u := f.r.undefinedAttr(o, name)
		u.via = o
		return u
	case *Dict:
		if m := dictMethods[name]; m != nil {
			return &method{o, name, m}
		}
		if v, ok := o.getString(name); ok {
			return v
		}
		return f.r.undefinedAttr(obj, name)
	case attributer:
		if v, ok := o.attr(f, name); ok {
			return v
		}
		return f.r.undefinedAttr(obj, name)
	}
	if m := methodOf(obj, name); m != nil {
		return &method{obj, name, m}
	}
	if v, ok := property(obj, name); ok {
		return v
	}
	return f.r.undefinedAttr(obj, name)
}

// ofEveryObject are the attributes that an undefined value has, too.
var ofEveryObject = []string{"__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__getattribute__", "__getitem__", "__hash__",
	"__init__", "__init_subclass__", "__iter__", "__len__", "__module__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
	"__setattr__", "__sizeof__", "__slots__", "__str__", "__subclasshook__"}

// isDunder tells the attributes every Python object has and the sandbox denies.
func isDunder(name string) bool { return len(name) > 4 && strings.HasSuffix(name, "__") }

// property is a plain attribute of a number or a time.
func property(obj any, name string) (any, bool) {
	if isNumber(obj) {
		switch name {
		case "real", "numerator":
			if _, ok := obj.(float64); !ok || name == "real" {
				return negate(obj, false), true
			}
		case "imag":
			if _, ok := obj.(float64); ok {
				return 0.0, true
			}
			return int64(0), true
		case "denominator":
			if _, ok := obj.(float64); !ok {
				return int64(1), true
			}
		}
	}
	if t, ok := obj.(*timeValue); ok {
		return t.property(name)
	}
	if t, ok := obj.(*Tuple); ok {
		for i, n := range t.names {
			if n == name {
				return t.items[i], true
			}
		}
	}
	if r, ok := obj.(*rangeValue); ok {
		switch name {
		case "start":
			return r.start, true
		case "stop":
			return r.stop, true
		case "step":
			return r.step, true
		}
	}
	return nil, false
}

// getitem is obj[key] in a template.
func (f *frame) getitem(obj, key any) any {
	switch o := obj.(type) {
	case *undefined:
		if o.via != nil {
			if s, ok := text(key); ok {
				return f.getattr(o, s)
			}
		}
		o.fail()
	case *Dict:
		if hashable(key) {
			if v, ok := o.get(key); ok {
				return v
			}
		}
	case *lookupValue:
		if s, ok := text(key); ok {
			if v, ok := o.get(s); ok {
				return v
			}
			if strings.Contains(s, ".") {
				return f.r.undefinedHint(o.nothing(s))
			}
			return f.r.undefinedAttr(o, s)
		}
	default:
		if v, ok := itemAt(obj, key); ok {
			return v
		}
	}
	if s, ok := text(key); ok {
		if isDunder(s) {
			return f.r.unsafe(obj, s)
		}
		if m := methodOf(obj, s); m != nil {
			return &method{obj, s, m}
		}
		if at, ok := obj.(attributer); ok {
			if v, ok := at.attr(f, s); ok {
				return v
			}
		}
	}
	return f.r.undefinedAttr(obj, key)
}

// itemAt indexes a sequence.
func itemAt(obj, key any) (any, bool) {
	i, ok := integer(key)
	if !ok {
		return nil, false
	}
	n, ok := 0, false
	switch obj.(type) {
	case string, markup, []byte, *List, *Tuple, *rangeValue:
		n, ok = length(obj)
	}
	if !ok {
		return nil, false
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return nil, false
	}
	switch o := obj.(type) {
	case *List:
		return o.items[i], true
	case *Tuple:
		return o.items[i], true
	case string:
		return runeAt(o, int(i)), true
	case markup:
		return markup(runeAt(string(o), int(i))), true
	case []byte:
		return int64(o[i]), true
	case *rangeValue:
		return o.start + i*o.step, true
	}
	return nil, false
}

func runeAt(s string, i int) string {
	if ascii(s) {
		return s[i : i+1]
	}
	return string([]rune(s)[i])
}

func hashable(v any) bool {
	switch v := v.(type) {
	case *List, *Dict, *set:
		return false
	case *Tuple:
		for _, x := range v.items {
			if !hashable(x) {
				return false
			}
		}
	}
	return true
}

// call is fn(...) in a template.
func (f *frame) call(fn any, a args) any {
	switch fn := fn.(type) {
	case callable:
		return fn.call(f, a)
	case *undefined:
		fn.fail()
	}
	throw("TypeError", "'%s' object is not callable", typeName(fn))
	return nil
}

// sliceOf is obj[start:stop:step].
func sliceOf(obj, start, stop, step any) any {
	refuseOperand(obj)
	for _, v := range []any{start, stop, step} {
		if _, ok := integer(v); !ok && v != nil {
			if _, ok := v.(*big.Int); !ok {
				refuseOperand(v)
				throw("TypeError", "slice indices must be integers or None or have an __index__ method")
			}
		}
	}
	switch o := obj.(type) {
	case string:
		return sliceText(o, start, stop, step)
	case markup:
		return markup(sliceText(string(o), start, stop, step))
	case []byte:
		var out []byte
		each(len(o), start, stop, step, func(i int) { out = append(out, o[i]) })
		return out
	case *List:
		return &List{sliceItems(o.items, start, stop, step)}
	case *Tuple:
		return &Tuple{items: sliceItems(o.items, start, stop, step)}
	case *rangeValue:
		lo, hi, st := bounds(o.len(), start, stop, step)
		return &rangeValue{o.start + int64(lo)*o.step, o.start + int64(hi)*o.step, o.step * int64(st)}
	case *Dict:
		throw("TypeError", "unhashable type: 'slice'")
	}
	throw("TypeError", "'%s' object is not subscriptable", typeName(obj))
	return nil
}

func sliceItems(items []any, start, stop, step any) []any {
	var out []any
	each(len(items), start, stop, step, func(i int) { out = append(out, items[i]) })
	return out
}

func sliceText(s string, start, stop, step any) string {
	if ascii(s) {
		if lo, hi, st := bounds(len(s), start, stop, step); st == 1 {
			return s[lo:max(lo, hi)]
		}
		var out []byte
		each(len(s), start, stop, step, func(i int) { out = append(out, s[i]) })
		return string(out)
	}
	r := []rune(s)
	var out []rune
	each(len(r), start, stop, step, func(i int) { out = append(out, r[i]) })
	return string(out)
}

func each(n int, start, stop, step any, visit func(i int)) {
	lo, hi, st := bounds(n, start, stop, step)
	for i := lo; st > 0 && i < hi || st < 0 && i > hi; i += st {
		visit(i)
	}
}

// bounds is slice(start, stop, step).indices(n).
func bounds(n int, start, stop, step any) (lo, hi, st int) {
	st = 1
	if step != nil {
		st = max(-n-1, min(n+1, clampInt(step)))
		if st == 0 {
			throw("ValueError", "slice step cannot be zero")
		}
	}
	at := func(v any, dflt int) int {
		if v == nil {
			return dflt
		}
		i := clampInt(v)
		if i < 0 {
			i += n
		}
		if st < 0 {
			return max(-1, min(n-1, i))
		}
		return max(0, min(n, i))
	}
	if st < 0 {
		return at(start, n-1), at(stop, -1), st
	}
	return at(start, 0), at(stop, n), st
}

func clampInt(v any) int {
	if b, ok := v.(*big.Int); ok {
		return b.Sign() << 40
	}
	return wantInt(v)
}
