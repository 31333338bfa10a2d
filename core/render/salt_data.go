package render

import (
	"math/rand/v2"
	"strconv"
	"strings"
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
		"json_encode_dict": recode(true), "json_decode_dict": recode(false), "json_encode_list": recode(true),
		"json_decode_list": recode(false), "json_query": refuse("json_query", "call a function through salt[...] or use traverse"),
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

// recode turns the strings of a value into bytes, or back.
func recode(encode bool) filterFunc {
	var walk func(v any, depth int) any
	walk = func(v any, depth int) any {
		if depth > maxNesting {
			tooDeep()
		}
		switch x := v.(type) {
		case string:
			if encode {
				return []byte(x)
			}
		case []byte:
			if !encode {
				return string(x)
			}
		case *List:
			out := &List{}
			for _, e := range x.items {
				out.items = append(out.items, walk(e, depth+1))
			}
			return out
		case *Dict:
			out := &Dict{}
			for k, e := range x.All() {
				out.put(walk(k, depth+1), walk(e, depth+1))
			}
			return out
		}
		return v
	}
	return func(_ *frame, v any, a args) any {
		refuseUndefined(v)
		return walk(v, 0)
	}
}

func filterAvg(_ *frame, v any, a args) any {
	a.none("avg")
	if isNumber(v) {
		return float(v)
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
			if loaded := implicit(s); loaded != any(s) {
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

func filterCompareLists(_ *frame, v any, a args) any {
	o := a.bind("compare_lists", 1, "new")[0]
	inOld, inNew := holdsEqual(v), holdsEqual(o)
	d := &Dict{}
	if added := pick(collect(o), func(x any) bool { return !inOld(x) }); len(added) > 0 {
		d.put("new", &List{added})
	}
	if gone := pick(collect(v), func(x any) bool { return !inNew(x) }); len(gone) > 0 {
		d.put("old", &List{gone})
	}
	return d
}

func filterCompareDicts(_ *frame, v any, a args) any {
	from, to := wantDict(v), wantDict(a.bind("compare_dicts", 1, "new")[0])
	out := &Dict{}
	change := func(k, old, new any) {
		d := &Dict{}
		d.put("old", old)
		d.put("new", new)
		out.put(k, d)
	}
	for k, x := range to.All() {
		if old, ok := from.get(k); !ok {
			change(k, "", x)
		} else if !equal(old, x) {
			change(k, old, x)
		}
	}
	for k, x := range from.All() {
		if to.find(k) < 0 {
			d := &Dict{}
			d.put("new", "")
			d.put("old", x)
			out.put(k, d)
		}
	}
	return out
}

func filterExactlyN(_ *frame, v any, a args) any {
	want := wantInt(or(a.bind("exactly_n_true", 0, "amount")[0], int64(1)))
	return len(pick(collect(v), truth)) == want
}

func filterExactlyOne(_ *frame, v any, a args) any {
	a.none("exactly_one_true")
	return len(pick(collect(v), truth)) == 1
}

func filterToEntries(_ *frame, v any, a args) any {
	a.none("to_entries")
	out := &List{}
	add := func(k, x any) {
		d := &Dict{}
		d.put("key", k)
		d.put("value", x)
		out.items = append(out.items, d)
	}
	switch x := v.(type) {
	case *Dict:
		for k, val := range x.All() {
			add(k, val)
		}
	case *List:
		for i, val := range x.items {
			add(int64(i), val)
		}
	default:
		refuseUndefined(v)
		throw("TypeError", "Input data must be a dict or list")
	}
	return out
}

func filterFromEntries(_ *frame, v any, a args) any {
	a.none("from_entries")
	out := &Dict{}
	for _, e := range collect(v) {
		entry := &Dict{}
		for k, x := range wantDict(e).All() {
			entry.put(foldCase(k), x)
		}
		for _, name := range []string{"key", "name"} {
			if k, ok := entry.get(name); ok && truth(k) {
				x, _ := entry.get("value")
				out.put(k, x)
				break
			}
		}
	}
	return out
}

// filterMySQL reads the table the mysql command prints.
func filterMySQL(f *frame, v any, a args) any {
	key := a.bind("mysql_to_dict", 1, "key")[0]
	out := &Dict{}
	var headers []string
	for _, l := range collect(v) {
		line := wantStr(l)
		if line == "" || line[0] == '+' {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimFunc(cells[i], isSpace)
		}
		if len(headers) < 2 {
			headers = cells
			continue
		}
		row := &Dict{}
		for i := 1; i < len(headers)-1 && i < len(cells); i++ {
			row.put(headers[i], filterToNum(f, cells[i], args{}))
		}
		k, ok := row.get(key)
		if !ok {
			throw("KeyError", "%s", repr(key))
		}
		out.put(k, row)
	}
	return out
}

// seededRand is random, or repeatable where a seed is given.
func seededRand(seed any) *rand.Rand {
	if seed == nil {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	h := uint64(14695981039346656037)
	for _, c := range []byte(repr(seed)) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(h, h))
}

func filterSample(_ *frame, v any, a args) any {
	b := a.bind("random_sample", 1, "size", "seed")
	return sample(v, wantInt(b[0]), or(b[1], nil))
}

func filterShuffle(_ *frame, v any, a args) any {
	b := a.bind("random_shuffle", 0, "seed")
	return sample(v, mustLen(v), or(b[0], nil))
}

func sample(v any, n int, seed any) any {
	items := collect(v)
	if n < 0 || n > len(items) {
		throw("ValueError", "Sample larger than population or is negative")
	}
	seededRand(seed).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	return &List{items[:n]}
}

// dictKeyFilter changes the value at a nested key of a dict, making the dicts on
// the way there.
func dictKeyFilter(change func(d *Dict, key, val any)) filterFunc {
	return func(_ *frame, v any, a args) any {
		b := a.bind("set_dict_key_value", 2, "keys", "value", "delimiter", "ordered_dict")
		keys := strings.Split(wantStr(b[0]), wantStr(or(b[2], ":")))
		d := wantDict(v)
		for _, k := range keys[:len(keys)-1] {
			x, _ := d.get(k)
			in, ok := x.(*Dict)
			if !ok {
				in = &Dict{}
				d.put(k, in)
			}
			d = in
		}
		change(d, keys[len(keys)-1], b[1])
		return v
	}
}

func setKey(d *Dict, key, val any) { d.put(key, val) }

func listAt(d *Dict, key any, verb string) *List {
	x, _ := d.get(key)
	if x == nil {
		l := &List{}
		d.put(key, l)
		return l
	}
	l, ok := x.(*List)
	if !ok {
		throw("TypeError", "The last key contains a %s, which cannot %s.", typeName(x), verb)
	}
	return l
}

func appendKey(d *Dict, key, val any) {
	l := listAt(d, key, "append")
	l.items = append(l.items, val)
}

func extendKey(d *Dict, key, val any) {
	l := listAt(d, key, "extend")
	if iterOf(val) == nil {
		throw("TypeError", "Cannot extend list with a %s.", typeName(val))
	}
	l.items = append(l.items, collect(val)...)
}

func updateKey(d *Dict, key, val any) {
	x, _ := d.get(key)
	if x == nil {
		x = &Dict{}
		d.put(key, x)
	}
	in, ok := x.(*Dict)
	if !ok {
		throw("TypeError", "The last key contains a %s, which cannot update.", typeName(x))
	}
	updateDict(in, val)
}

// Traverse follows a path like "a:b:0" through plain Go data, as the filter
// traverse and Salt's pillar.get do; in a list a key is looked for in its mappings
// first, then taken for an index.
func Traverse(data any, path, delimiter string) (any, bool) {
	for _, key := range strings.Split(path, delimiter) {
		switch d := data.(type) {
		case map[string]any:
			v, ok := d[key]
			if !ok {
				return nil, false
			}
			data = v
		case []any:
			v, ok := traverseList(d, key)
			if !ok {
				return nil, false
			}
			data = v
		default:
			return nil, false
		}
	}
	return data, true
}

func traverseList(l []any, key string) (any, bool) {
	for _, e := range l {
		if m, ok := e.(map[string]any); ok {
			if v, ok := m[key]; ok {
				return v, true
			}
		}
	}
	i, err := strconv.Atoi(key)
	if err != nil {
		return nil, false
	}
	if i < 0 {
		i += len(l)
	}
	if i < 0 || i >= len(l) {
		return nil, false
	}
	return l[i], true
}
