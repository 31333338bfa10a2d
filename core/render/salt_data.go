package render

import (
	"strings"

	"github.com/ptorbus/zester/core/document"
)

// saltDataFilters are Salt's filters on lists and dicts.
func saltDataFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"avg": filterAvg, "union": filterUnion, "intersect": filterIntersect, "difference": filterDifference,
		"symmetric_difference": filterSymmetric, "sequence": filterSequence, "is_list": filterIsList,
		"is_iter": filterIsIter, "sorted_ignorecase": filterSortedIgnoreCase,
		"flatten": filterFlatten, "traverse": filterTraverse, "compare_lists": filterCompareLists,
		"compare_dicts": filterCompareDicts, "exactly_n_true": filterExactlyN, "exactly_one_true": filterExactlyOne,
		"to_entries": filterToEntries, "from_entries": filterFromEntries, "mysql_to_dict": filterMySQL,
		"json_encode_dict": encodeStrings(func(v any) { wantItems(v) }), "json_decode_dict": encodeStrings(func(v any) { wantItems(v) }),
		"json_encode_list": encodeStrings(func(v any) { mustIter(v) }), "json_decode_list": encodeStrings(func(v any) { mustIter(v) }),
		"json_query":    filterJSONQuery,
		"random_sample": filterSample, "random_shuffle": filterShuffle,
		"set_dict_key_value": dictKeyFilter(setKey), "append_dict_key_value": dictKeyFilter(appendKey),
		"extend_dict_key_value": dictKeyFilter(extendKey), "update_dict_key_value": dictKeyFilter(updateKey),
	}
}

// refuse is a filter that Salt has and that cannot be had here.
func refuse(name, instead string) filterFunc {
	return func(*frame, any, args) any {
		throw("TemplateRuntimeError", "the filter %s is not supported: %s", name, instead)
		return nil
	}
}

// encodeStrings turns the strings of a dict or a list into bytes, and tuples into
// lists; the filters called decode do the same.
func encodeStrings(want func(any)) filterFunc {
	var walk func(v any, depth int) any
	walk = func(v any, depth int) any {
		if depth > maxNesting {
			tooDeep()
		}
		switch x := v.(type) {
		case string:
			return []byte(x)
		case markup:
			return []byte(x)
		case *List, *Tuple:
			out := &List{}
			for _, e := range sequence(x) {
				out.items = append(out.items, walk(e, depth+1))
			}
			return out
		case *Dict:
			out := &Dict{}
			for k, e := range x.All() {
				if t, ok := k.(*Tuple); ok {
					k = &List{t.items} // which cannot be a key, in Salt neither
				}
				out.put(walk(k, depth+1), walk(e, depth+1))
			}
			return out
		}
		return v
	}
	return func(_ *frame, v any, a args) any {
		refuseUndefined(v)
		want(v)
		if _, ok := v.(*Dict); !ok {
			v = &List{collect(v)}
		}
		return walk(v, 0)
	}
}

func filterAvg(_ *frame, v any, a args) any {
	a.none("avg")
	if _, isTuple := v.(*Tuple); hashable(v) && !isTuple {
		refuseOperand(v)
		f, ok := toFloat(v)
		if !ok {
			throw("ValueError", "could not convert %s to float: %s", typeName(v), repr(v))
		}
		return f
	}
	items := collect(v)
	if len(items) == 0 {
		throw("ZeroDivisionError", "division by zero")
	}
	var sum any = int64(0)
	for _, x := range items {
		sum = binary("+", sum, x)
	}
	return float(binary("/", sum, int64(len(items))))
}

// distinct keeps the first of equal elements.
func distinct(items []any) []any {
	var out []any
	seen := &Dict{}
	for _, x := range items {
		if hashable(x) {
			if seen.find(x) >= 0 {
				continue
			}
			seen.put(x, nil)
		} else if indexOf(out, x) >= 0 {
			continue
		}
		out = append(out, x)
	}
	return out
}

// combine is a set operation of Salt: of two hashable sequences a set, else a list.
func combine(a, b any, items []any) any {
	items = distinct(items)
	if hashable(a) && hashable(b) {
		return newSet(items)
	}
	return &List{items}
}

func holdsEqual(v any) func(any) bool {
	items := collect(v)
	index := &Dict{}
	for _, x := range items {
		if hashable(x) {
			index.put(x, nil)
		}
	}
	return func(x any) bool {
		if hashable(x) {
			return index.find(x) >= 0
		}
		return indexOf(items, x) >= 0
	}
}

func pick(items []any, keep func(any) bool) []any {
	var out []any
	for _, x := range items {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}

func filterUnion(_ *frame, v any, a args) any {
	o := a.bind("union", 1, "lst2")[0]
	return combine(v, o, append(collect(v), collect(o)...))
}

func filterIntersect(_ *frame, v any, a args) any {
	o := a.bind("intersect", 1, "lst2")[0]
	return combine(v, o, pick(collect(v), holdsEqual(o)))
}

func filterDifference(_ *frame, v any, a args) any {
	o := a.bind("difference", 1, "lst2")[0]
	in := holdsEqual(o)
	return combine(v, o, pick(collect(v), func(x any) bool { return !in(x) }))
}

func filterSymmetric(_ *frame, v any, a args) any {
	o := a.bind("symmetric_difference", 1, "lst2")[0]
	inA, inB := holdsEqual(v), holdsEqual(o)
	return combine(v, o, pick(append(collect(v), collect(o)...), func(x any) bool { return inA(x) != inB(x) }))
}

func filterSequence(_ *frame, v any, a args) any {
	a.none("sequence")
	switch v.(type) {
	case *List, *Tuple, *set, *Dict:
		return v
	}
	return &List{[]any{v}}
}

func filterIsList(_ *frame, v any, a args) any {
	a.none("is_list")
	_, ok := v.(*List)
	return ok
}

func filterIsIter(_ *frame, v any, a args) any {
	a.bind("is_iter", 0, "ignore")
	if _, ok := text(v); ok {
		return false
	}
	return iterOf(v) != nil
}

func filterSortedIgnoreCase(_ *frame, v any, a args) any {
	a.none("sorted_ignorecase")
	items := collect(v)
	sortItems(items, func(x any) any { return lower(wantStr(x)) }, false)
	return &List{items}
}

func filterFlatten(_ *frame, v any, a args) any {
	b := a.bind("flatten", 0, "levels", "preserve_nulls")
	levels := -1
	if l := or(b[0], nil); l != nil {
		levels = wantInt(l)
	}
	return &List{flatten(v, levels, truth(or(b[1], false)), 0)}
}

func flatten(v any, levels int, nulls bool, depth int) []any {
	if depth > maxNesting {
		throw("RecursionError", "Reference cycle detected. Check input list.")
	}
	var out []any
	for _, x := range collect(v) {
		s, isText := text(x)
		switch {
		case !nulls && (x == nil || isText && (s == "None" || s == "null")):
		case isText || iterOf(x) == nil || levels == 0:
			out = append(out, x)
		default:
			out = append(out, flatten(x, max(levels-1, -1), nulls, depth+1)...)
		}
	}
	return out
}

func filterTraverse(_ *frame, v any, a args) any {
	b := a.bind("traverse", 1, "key", "default", "delimiter")
	var keys []any
	switch k := b[0].(type) {
	case string, markup:
		for _, p := range strings.Split(str(k), wantStr(or(b[2], ":"))) {
			keys = append(keys, p)
		}
	case int64:
		keys = []any{k}
	default:
		keys = collect(k)
	}
	refuseUndefined(v)
	for _, k := range keys {
		var ok bool
		if v, ok = traverseStep(v, k); !ok {
			return or(b[1], nil)
		}
	}
	return v
}

func traverseStep(v, k any) (any, bool) {
	switch x := v.(type) {
	case *Dict:
		if out, ok := x.get(k); ok {
			return out, true
		}
		if s, ok := text(k); ok {
			if loaded := document.Implicit(s); loaded != any(s) {
				return x.get(loaded)
			}
		}
	case *lookupValue:
		if s, ok := text(k); ok {
			return x.get(s)
		}
	case *List:
		n, isNum := toInt(k, 10)
		key := k
		if isNum {
			key = n
		}
		for _, e := range x.items {
			if d, ok := e.(*Dict); ok {
				if out, ok := d.get(key); ok {
					return out, true
				}
			}
		}
		if isNum {
			return itemAt(x, n)
		}
	}
	return nil, false
}
