package render

import "unicode/utf8"

// iterator yields the elements of a value one by one.
type iterator interface {
	next() (any, bool)
}

type iterFunc func() (any, bool)

func (f iterFunc) next() (any, bool) { return f() }

// listIter walks a list as it is, growing or shrinking underneath.
type listIter struct {
	l *List
	i int
}

func (it *listIter) next() (any, bool) {
	if it.i >= len(it.l.items) {
		return nil, false
	}
	it.i++
	return it.l.items[it.i-1], true
}

type sliceIter struct {
	items []any
	i     int
}

func (it *sliceIter) next() (any, bool) {
	if it.i >= len(it.items) {
		return nil, false
	}
	it.i++
	return it.items[it.i-1], true
}

// viewIter walks a dict and refuses to go on when its size changed.
type viewIter struct {
	v    view
	i    int
	size int
}

func (it *viewIter) next() (any, bool) {
	d := it.v.d
	if d.Len() != it.size {
		throw("RuntimeError", "dictionary changed size during iteration")
	}
	for it.i < len(d.entries) {
		e := &d.entries[it.i]
		it.i++
		if e.live {
			return it.v.of(e), true
		}
	}
	return nil, false
}

func iterView(d *Dict, kind string) *viewIter {
	d.load()
	return &viewIter{v: view{d, kind}, size: d.Len()}
}

// iterOf is iter(v), or nil for what cannot be iterated.
func iterOf(v any) iterator {
	switch v := v.(type) {
	case *List:
		return &listIter{l: v}
	case *Tuple:
		return &sliceIter{items: v.items}
	case *Dict:
		return iterView(v, "dict_keys")
	case *view:
		return iterView(v.d, v.kind)
	case *set:
		return iterView(v.d, "dict_keys")
	case *rangeValue:
		i, n := int64(0), int64(v.len())
		return iterFunc(func() (any, bool) {
			if i >= n {
				return nil, false
			}
			i++
			return v.start + (i-1)*v.step, true
		})
	case string:
		return runeIter(v)
	case markup:
		return runeIter(string(v))
	case []byte:
		i := -1
		return iterFunc(func() (any, bool) {
			if i++; i >= len(v) {
				return nil, false
			}
			return int64(v[i]), true
		})
	case *iterValue:
		return v.it
	case *loopValue: // what is left of it, as Jinja2's own loops take it
		return iterFunc(func() (any, bool) {
			x, ok := v.next()
			return &Tuple{items: []any{x, v}}, ok
		})
	case *lookupValue:
		if d, ok := v.dict(); ok {
			return iterView(d, "dict_keys")
		}
	case *undefined:
		v.refuse()
		return &sliceIter{}
	}
	return nil
}

func runeIter(s string) iterator {
	return iterFunc(func() (any, bool) {
		if s == "" {
			return nil, false
		}
		_, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		return c, true
	})
}

func mustIter(v any) iterator {
	it := iterOf(v)
	if it == nil {
		throw("TypeError", "'%s' object is not iterable", typeName(v))
	}
	return it
}

// collect is list(v); the slice is new.
func collect(v any) []any {
	switch v := v.(type) {
	case *List:
		return append(make([]any, 0, len(v.items)), v.items...)
	case *Tuple:
		return append(make([]any, 0, len(v.items)), v.items...)
	case *Dict:
		return v.keys()
	}
	return drain(mustIter(v))
}

func drain(it iterator) []any {
	var out []any
	for {
		x, ok := it.next()
		if !ok {
			return out
		}
		out = append(out, x)
		if len(out) > maxItems {
			throw("MemoryError", "more than %d elements in one sequence", maxItems)
		}
	}
}

// maxItems bounds the sequences an expression can build.
const maxItems = 2_000_000

// checkItems refuses to build a sequence of n elements when that is too many.
func checkItems(n int) {
	if n < 0 || n > maxItems {
		throw("MemoryError", "more than %d elements in one sequence", maxItems)
	}
}

func generator(fn func() (any, bool)) *iterValue {
	return &iterValue{"generator", iterFunc(fn)}
}
