package render

import (
	"math/big"
	"slices"
)

// methodOf finds a method of a value by name, nil where it has none.
func methodOf(v any, name string) methodFunc {
	switch v.(type) {
	case string:
		return strMethods[name]
	case markup:
		if m := markupMethods[name]; m != nil {
			return m
		}
		return strMethods[name]
	case *Dict:
		return dictMethods[name]
	case *List:
		return listMethods[name]
	case *Tuple, *rangeValue:
		return tupleMethods[name]
	case *set:
		return setMethods[name]
	case *lookupValue:
		return lookupMethods[name]
	case []byte:
		return bytesMethod(name)
	case int64, *big.Int, bool:
		return intMethods[name]
	case float64:
		return floatMethods[name]
	case *timeValue:
		return timeMethods[name]
	}
	return nil
}

var (
	dictMethods, listMethods, tupleMethods, setMethods, lookupMethods,
	bytesMethods, intMethods, floatMethods map[string]methodFunc
)

func init() {
	dictMethods = map[string]methodFunc{
		"get": dictGet, "keys": dictView("dict_keys"), "values": dictView("dict_values"), "items": dictView("dict_items"),
		"update": dictUpdate, "pop": dictPop, "popitem": dictPopItem, "setdefault": dictSetDefault,
		"copy": dictCopy, "clear": dictClear, "fromkeys": dictFromKeys,
	}
	listMethods = map[string]methodFunc{
		"append": listAppend, "extend": listExtend, "insert": listInsert, "pop": listPop, "remove": listRemove,
		"clear": listClear, "copy": listCopy, "reverse": listReverse, "sort": listSort, "index": seqIndex, "count": seqCount,
	}
	tupleMethods = map[string]methodFunc{"index": seqIndex, "count": seqCount}
	setMethods = map[string]methodFunc{
		"add": setAdd, "remove": setDiscard(true), "discard": setDiscard(false), "copy": setCopy,
		"union": setUnion, "update": setUpdate, "difference": setDifference, "intersection": setIntersection,
		"issubset": setIsSubset, "issuperset": setIsSuperset,
	}
	lookupMethods = map[string]methodFunc{
		"get": lookupGet, "keys": lookupView("dict_keys"), "values": lookupView("dict_values"), "items": lookupView("dict_items"),
	}
	bytesMethods = map[string]methodFunc{"decode": bytesDecode, "hex": bytesHex}
	intMethods = map[string]methodFunc{
		"bit_length": intBitLength, "bit_count": intBitCount, "to_bytes": intToBytes,
		"conjugate": func(_ *frame, self any, a args) any { a.none("conjugate"); return negate(self, false) },
		"as_integer_ratio": func(_ *frame, self any, a args) any {
			a.none("as_integer_ratio")
			return &Tuple{items: []any{negate(self, false), int64(1)}}
		},
	}
	floatMethods = map[string]methodFunc{
		"is_integer": floatIsInteger, "hex": floatHex, "as_integer_ratio": floatRatio,
		"conjugate": func(_ *frame, self any, a args) any { a.none("conjugate"); return self },
	}
}

func dictGet(_ *frame, self any, a args) any {
	d := self.(*Dict)
	if len(a.kw) > 0 {
		throw("TypeError", "get() takes no keyword arguments")
	}
	if len(a.pos) == 0 || len(a.pos) > 2 {
		throw("TypeError", "get expected 1 to 2 arguments, got %d", len(a.pos))
	}
	if v, ok := d.get(a.pos[0]); ok {
		return v
	}
	if len(a.pos) == 2 {
		return a.pos[1]
	}
	return nil
}

func dictView(kind string) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none(kind[len("dict_"):])
		return &view{self.(*Dict), kind}
	}
}

func dictUpdate(_ *frame, self any, a args) any {
	d := self.(*Dict)
	if len(a.pos) > 1 {
		throw("TypeError", "update expected at most 1 argument, got %d", len(a.pos))
	}
	if len(a.pos) == 1 {
		updateDict(d, a.pos[0])
	}
	for _, k := range a.kw {
		d.put(k.name, k.val)
	}
	return nil
}

func dictPop(_ *frame, self any, a args) any {
	b := a.bind("pop", 1, "key", "default")
	if v, ok := self.(*Dict).remove(b[0]); ok {
		return v
	}
	if b[1] == missing {
		throw("KeyError", "%s", repr(b[0]))
	}
	return b[1]
}

func dictPopItem(_ *frame, self any, a args) any {
	a.none("popitem")
	d := self.(*Dict)
	keys := d.keys()
	if len(keys) == 0 {
		throw("KeyError", "popitem(): dictionary is empty")
	}
	k := keys[len(keys)-1]
	v, _ := d.remove(k)
	return &Tuple{items: []any{k, v}}
}

func dictSetDefault(_ *frame, self any, a args) any {
	b := a.bind("setdefault", 1, "key", "default")
	d := self.(*Dict)
	if v, ok := d.get(b[0]); ok {
		return v
	}
	v := or(b[1], nil)
	d.put(b[0], v)
	return v
}

func dictCopy(_ *frame, self any, a args) any {
	a.none("copy")
	return self.(*Dict).copy()
}

func dictClear(_ *frame, self any, a args) any {
	a.none("clear")
	self.(*Dict).clear()
	return nil
}

func dictFromKeys(_ *frame, _ any, a args) any {
	b := a.bind("fromkeys", 1, "iterable", "value")
	d := &Dict{}
	for _, k := range collect(b[0]) {
		d.put(k, or(b[1], nil))
	}
	return d
}

func lookupGet(_ *frame, self any, a args) any {
	b := a.bind("get", 1, "key", "default")
	if s, ok := text(b[0]); ok {
		if v, ok := self.(*lookupValue).get(s); ok {
			return v
		}
	}
	return or(b[1], nil)
}

func lookupView(kind string) methodFunc {
	return func(_ *frame, self any, a args) any {
		a.none(kind[len("dict_"):])
		return &view{wantDict(self), kind}
	}
}

func listAppend(_ *frame, self any, a args) any {
	l := self.(*List)
	b := a.bind("append", 1, "object")
	checkItems(len(l.items) + 1)
	l.items = append(l.items, b[0])
	return nil
}

func listExtend(_ *frame, self any, a args) any {
	l := self.(*List)
	items := collect(a.bind("extend", 1, "iterable")[0])
	checkItems(len(l.items) + len(items))
	l.items = append(l.items, items...)
	return nil
}

func listInsert(_ *frame, self any, a args) any {
	l := self.(*List)
	b := a.bind("insert", 2, "index", "object")
	i := wantInt(b[0])
	if i < 0 {
		i = max(0, i+len(l.items))
	}
	l.items = slices.Insert(l.items, min(i, len(l.items)), b[1])
	return nil
}

func listPop(_ *frame, self any, a args) any {
	l := self.(*List)
	i := wantInt(or(a.bind("pop", 0, "index")[0], int64(-1)))
	if len(l.items) == 0 {
		throw("IndexError", "pop from empty list")
	}
	if i < 0 {
		i += len(l.items)
	}
	if i < 0 || i >= len(l.items) {
		throw("IndexError", "pop index out of range")
	}
	v := l.items[i]
	l.items = slices.Delete(l.items, i, i+1)
	return v
}

func listRemove(_ *frame, self any, a args) any {
	l := self.(*List)
	i := indexOf(l.items, a.bind("remove", 1, "value")[0])
	if i < 0 {
		throw("ValueError", "list.remove(x): x not in list")
	}
	l.items = slices.Delete(l.items, i, i+1)
	return nil
}

func listClear(_ *frame, self any, a args) any {
	a.none("clear")
	self.(*List).items = nil
	return nil
}

func listCopy(_ *frame, self any, a args) any {
	a.none("copy")
	return &List{slices.Clone(self.(*List).items)}
}

func listReverse(_ *frame, self any, a args) any {
	a.none("reverse")
	slices.Reverse(self.(*List).items)
	return nil
}

func listSort(f *frame, self any, a args) any {
	l := self.(*List)
	if len(a.pos) > 0 {
		throw("TypeError", "sort() takes no positional arguments")
	}
	b := a.bind("sort", 0, "key", "reverse")
	items := slices.Clone(l.items)
	var key func(any) any
	if fn := or(b[0], nil); fn != nil {
		key = func(x any) any { return f.call(fn, args{pos: []any{x}}) }
	}
	sortItems(items, key, wantInt(or(b[1], false)) != 0)
	l.items = items
	return nil
}

// sortItems is list.sort: stable, also in reverse.
func sortItems(items []any, key func(any) any, reverse bool) {
	type keyed struct{ k, v any }
	ks := make([]keyed, len(items))
	for i, x := range items {
		ks[i] = keyed{x, x}
		if key != nil {
			ks[i].k = key(x)
		}
	}
	slices.SortStableFunc(ks, func(a, b keyed) int {
		if reverse {
			a, b = b, a
		}
		switch {
		case less(a.k, b.k):
			return -1
		case less(b.k, a.k):
			return 1
		}
		return 0
	})
	for i := range ks {
		items[i] = ks[i].v
	}
}

func seqIndex(_ *frame, self any, a args) any {
	b := a.bind("index", 1, "value", "start", "stop")
	items := sequence(self)
	lo, hi, _ := bounds(len(items), or(b[1], nil), or(b[2], nil), nil)
	for i := lo; i < hi; i++ {
		if same(items[i], b[0]) {
			return int64(i)
		}
	}
	throw("ValueError", "%s is not in %s", repr(b[0]), typeName(self))
	return nil
}

// sequence is the elements of a list or tuple, without copying.
func sequence(v any) []any {
	switch v := v.(type) {
	case *List:
		return v.items
	case *Tuple:
		return v.items
	}
	return collect(v)
}

func seqCount(_ *frame, self any, a args) any {
	v := a.bind("count", 1, "value")[0]
	n := int64(0)
	for _, x := range sequence(self) {
		if same(x, v) {
			n++
		}
	}
	return n
}
