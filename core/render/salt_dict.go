package render

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

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
