package render

import (
	"math/big"
	"strconv"
	"strings"
)

// attrGetter makes the function that gets "a.b.0" from an element; nil gets the
// element itself.
func (f *frame) attrGetter(attribute any, post func(any) any) func(any) any {
	parts := attrParts(attribute)
	return f.partsGetter(parts, missing, post)
}

func attrParts(attribute any) []any {
	switch at := attribute.(type) {
	case nil:
		return nil
	case string, markup:
		var parts []any
		for _, p := range strings.Split(str(at), ".") {
			if n, err := strconv.ParseInt(p, 10, 64); err == nil && isDigits(p) {
				parts = append(parts, n)
			} else {
				parts = append(parts, p)
			}
		}
		return parts
	}
	return []any{attribute}
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (f *frame) partsGetter(parts []any, dflt any, post func(any) any) func(any) any {
	return func(x any) any {
		for _, p := range parts {
			x = f.getitem(x, p)
			if _, ok := x.(*undefined); ok && dflt != missing {
				x = dflt
			}
		}
		if post != nil {
			x = post(x)
		}
		return x
	}
}

// foldCase is how elements compare when case is to be ignored.
func foldCase(v any) any {
	if s, ok := text(v); ok {
		return lower(s)
	}
	return v
}

func caseOf(sensitive any) func(any) any {
	if truth(sensitive) {
		return nil
	}
	return foldCase
}

func filterFirst(f *frame, v any, a args) any {
	a.none("first")
	if x, ok := mustIter(v).next(); ok {
		return x
	}
	return f.r.undefinedHint("no first item, sequence was empty.")
}

func filterLast(f *frame, v any, a args) any {
	a.none("last")
	refuseUndefined(v)
	switch v.(type) {
	case *iterValue:
		throw("TypeError", "'%s' object is not reversible", typeName(v))
	}
	items := collect(v)
	if len(items) == 0 {
		return f.r.undefinedHint("no last item, sequence was empty.")
	}
	return items[len(items)-1]
}

func filterJoin(f *frame, v any, a args) any {
	var get func(any) any
	var d any = ""
	if len(a.pos) == 1 && len(a.kw) == 0 {
		d = a.pos[0]
	} else {
		b := a.bind("join", 0, "d", "attribute")
		d = or(b[0], "")
		if at := or(b[1], nil); at != nil {
			get = f.attrGetter(at, nil)
		}
	}
	if f.r.autoescape {
		return joinEscaped(v, d, get)
	}
	sep, ok := d.(string)
	if !ok {
		sep = string(appendStr(nil, d))
	}
	base := len(f.r.scratch)
	it := mustIter(v)
	for i := 0; ; i++ {
		x, ok := it.next()
		if !ok {
			break
		}
		if i > 0 {
			f.r.scratch = append(f.r.scratch, sep...)
		}
		if get != nil {
			x = get(x)
		}
		f.r.scratch = appendStr(f.r.scratch, x)
		checkText(len(f.r.scratch))
	}
	s := string(f.r.scratch[base:])
	f.r.scratch = f.r.scratch[:base]
	return s
}

// joinEscaped joins where output is escaped: markup in it makes markup of it all.
func joinEscaped(v, d any, get func(any) any) any {
	items := collect(v)
	_, safe := d.(markup)
	for i, x := range items {
		if get != nil {
			items[i] = get(x)
		}
		_, is := items[i].(markup)
		safe = safe || is
	}
	text := str
	if safe {
		text = escaped
	}
	var b strings.Builder
	for i, x := range items {
		if i > 0 {
			b.WriteString(text(d))
		}
		b.WriteString(text(x))
		checkText(b.Len())
	}
	if safe {
		return markup(b.String())
	}
	return b.String()
}

func filterDictSort(_ *frame, v any, a args) any {
	b := a.bind("dictsort", 0, "case_sensitive", "by", "reverse")
	pos := 0
	switch by := or(b[1], "key"); by {
	case "key":
	case "value":
		pos = 1
	default:
		throw("FilterArgumentError", "you can only sort by either \"key\" or \"value\"")
	}
	items := collect(&view{wantItems(v), "dict_items"})
	fold := caseOf(or(b[0], false))
	sortItems(items, func(x any) any {
		k := x.(*Tuple).items[pos]
		if fold != nil {
			k = fold(k)
		}
		return k
	}, wantInt(or(b[2], false)) != 0)
	return &List{items}
}

// wantItems is a mapping whose items a filter asks for.
func wantItems(v any) *Dict {
	switch v.(type) {
	case *Dict, *lookupValue, *undefined:
		return wantDict(v)
	}
	throw("TypeError", "'%s' object has no attribute 'items'", typeName(v))
	return nil
}

func filterSort(f *frame, v any, a args) any {
	b := a.bind("sort", 0, "reverse", "case_sensitive", "attribute")
	fold := caseOf(or(b[1], false))
	items := collect(v)
	key := func(x any) any {
		if fold != nil {
			x = fold(x)
		}
		switch x.(type) {
		case string, bool, int64, float64, *big.Int:
			return x
		}
		return sortKey{x}
	}
	if at := or(b[2], nil); at != nil {
		var getters []func(any) any
		if s, ok := text(at); ok {
			for _, one := range strings.Split(s, ",") {
				getters = append(getters, f.attrGetter(one, fold))
			}
		} else {
			getters = append(getters, f.attrGetter(at, fold))
		}
		key = func(x any) any {
			t := &Tuple{}
			for _, g := range getters {
				t.items = append(t.items, g(x))
			}
			return t
		}
	}
	sortItems(items, key, wantInt(or(b[0], false)) != 0)
	return &List{items}
}

// sortKey is an element as the list Jinja2 sorts it by: what is equal needs no order.
type sortKey struct{ v any }

func filterUnique(f *frame, v any, a args) any {
	b := a.bind("unique", 0, "case_sensitive", "attribute")
	get := f.attrGetter(or(b[1], nil), caseOf(or(b[0], false)))
	seen := &Dict{}
	it := mustIter(v)
	return generator(func() (any, bool) {
		for {
			x, ok := it.next()
			if !ok {
				return nil, false
			}
			if k := get(x); seen.find(k) < 0 {
				seen.put(k, nil)
				return x, true
			}
		}
	})
}

func filterExtreme(name, op string) filterFunc {
	return func(f *frame, v any, a args) any {
		b := a.bind(name, 0, "case_sensitive", "attribute")
		key := f.attrGetter(or(b[1], nil), caseOf(or(b[0], false)))
		var best, bestKey any
		found := false
		it := mustIter(v)
		for {
			x, ok := it.next()
			if !ok {
				break
			}
			k := key(x)
			if !found || ordered(op, k, bestKey) {
				best, bestKey, found = x, k, true
			}
		}
		if !found {
			return f.r.undefinedHint("no aggregated item, sequence was empty.")
		}
		return best
	}
}

func filterReverse(_ *frame, v any, a args) any {
	a.none("reverse")
	if isText(v) {
		return sliceOf(v, nil, nil, int64(-1))
	}
	items := collect(v)
	i := len(items)
	return &iterValue{"list_reverseiterator", iterFunc(func() (any, bool) {
		if i == 0 {
			return nil, false
		}
		i--
		return items[i], true
	})}
}

func filterBatch(_ *frame, v any, a args) any {
	b := a.bind("batch", 1, "linecount", "fill_with")
	full := func(n int) bool { return equal(int64(n), b[0]) }
	fill := or(b[1], nil)
	it := mustIter(v)
	done := false
	l := &List{}
	return generator(func() (any, bool) {
		if done {
			return nil, false
		}
		for {
			x, ok := it.next()
			if !ok {
				break
			}
			if full(len(l.items)) {
				out := l
				l = &List{[]any{x}}
				return out, true
			}
			l.items = append(l.items, x)
		}
		done = true
		if len(l.items) == 0 {
			return nil, false
		}
		if fill != nil && ordered("<", int64(len(l.items)), b[0]) {
			size := wantInt(b[0])
			checkItems(size)
			for len(l.items) < size {
				l.items = append(l.items, fill)
			}
		}
		return l, true
	})
}

func filterSlice(_ *frame, v any, a args) any {
	b := a.bind("slice", 1, "slices", "fill_with")
	n, fill := wantInt(b[0]), or(b[1], nil)
	items := collect(v)
	if n == 0 {
		throw("ZeroDivisionError", "integer division or modulo by zero")
	}
	each, extra := len(items)/max(n, 1), len(items)%max(n, 1)
	i, start := 0, 0
	return generator(func() (any, bool) {
		if i >= n {
			return nil, false
		}
		size := each
		if i < extra {
			size++
		}
		l := &List{append([]any{}, items[start:start+size]...)}
		if fill != nil && i >= extra {
			l.items = append(l.items, fill)
		}
		start += size
		i++
		return l, true
	})
}

func filterGroupBy(f *frame, v any, a args) any {
	b := a.bind("groupby", 1, "attribute", "default", "case_sensitive")
	fold := caseOf(or(b[2], false))
	dflt := or(b[1], nil)
	if dflt == nil {
		dflt = missing
	}
	raw := f.partsGetter(attrParts(b[0]), dflt, nil)
	key := func(x any) any {
		if k := raw(x); fold != nil {
			return fold(k)
		} else {
			return k
		}
	}
	items := collect(v)
	sortItems(items, key, false)
	out := &List{}
	var last any
	for i, x := range items {
		k := key(x)
		if i == 0 || !equal(k, last) {
			out.items = append(out.items, &group{grouper: raw(x), list: &List{}})
			last = k
		}
		g := out.items[len(out.items)-1].(*group)
		g.list.items = append(g.list.items, x)
	}
	for i, g := range out.items {
		out.items[i] = g.(*group).tuple()
	}
	return out
}

// group is one result of groupby while it is gathered.
type group struct {
	grouper any
	list    *List
}

func (g *group) tuple() any {
	return &Tuple{items: []any{g.grouper, g.list}, names: []string{"grouper", "list"}}
}
