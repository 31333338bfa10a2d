package render

import (
	"iter"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Dict is a mapping that keeps the order in which its keys were added. Keys are
// any hashable value; 1, 1.0 and true are one key, as in Python. It is not safe
// for concurrent use.
type Dict struct {
	entries []entry
	index   map[any]int    // built when there are more than smallDict entries
	dead    int            // removed entries still in the slice
	src     map[string]any // a caller's map that nobody has looked into yet
	ordered Ordered        // the same, of a caller's mapping that has an order
}

// Ordered is a mapping of a caller's that keeps the order of its keys. It is taken
// over as a map is: a level at a time when it is first looked into, never written to.
type Ordered interface {
	Len() int
	All() iter.Seq2[string, any]
}

type entry struct {
	key, val any
	live     bool
}

const smallDict = 8

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// Set adds or replaces a key.
func (d *Dict) Set(key string, v any) { d.put(key, toValue(v)) }

// Get returns the value of a string key.
func (d *Dict) Get(key string) (any, bool) { return d.getString(key) }

// Len is the number of keys.
func (d *Dict) Len() int {
	if d.src != nil {
		return len(d.src)
	}
	if d.ordered != nil {
		return d.ordered.Len()
	}
	return len(d.entries) - d.dead
}

// All walks keys and values in order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		d.load()
		for i := range d.entries {
			if e := &d.entries[i]; e.live && !yield(e.key, e.val) {
				return
			}
		}
	}
}

// load takes over a caller's map, one level of it: in its own order, or else sorted by key.
func (d *Dict) load() {
	if o := d.ordered; o != nil {
		d.ordered = nil
		d.entries = make([]entry, 0, o.Len())
		for k, v := range o.All() {
			d.put(k, toValue(v))
		}
		return
	}
	if d.src == nil {
		return
	}
	src := d.src
	d.src = nil
	d.entries = make([]entry, 0, len(src))
	for k, v := range src {
		d.entries = append(d.entries, entry{k, toValue(v), true})
	}
	slices.SortFunc(d.entries, func(a, b entry) int { return strings.Compare(a.key.(string), b.key.(string)) })
	if len(d.entries) > smallDict {
		d.reindex()
	}
}

// getString is get for a string key, without making it a value first.
func (d *Dict) getString(key string) (any, bool) {
	d.load()
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return d.entries[i].val, true
		}
		return nil, false
	}
	for i := range d.entries {
		e := &d.entries[i]
		switch k := e.key.(type) {
		case string:
			if k == key && e.live {
				return e.val, true
			}
		case markup:
			if string(k) == key && e.live {
				return e.val, true
			}
		}
	}
	return nil, false
}

func (d *Dict) find(key any) int {
	d.load()
	if s, ok := key.(string); ok && d.index == nil {
		for i := range d.entries {
			e := &d.entries[i]
			if k, ok := e.key.(string); ok && k == s && e.live {
				return i
			}
			if k, ok := e.key.(markup); ok && string(k) == s && e.live {
				return i
			}
		}
		return -1
	}
	h := hashKey(key, 0)
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.live && hashKey(e.key, 0) == h {
			return i
		}
	}
	return -1
}

func (d *Dict) get(key any) (any, bool) {
	if i := d.find(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

func (d *Dict) put(key, val any) {
	if i := d.find(key); i >= 0 {
		d.entries[i].val = val
		return
	}
	d.entries = append(d.entries, entry{key, val, true})
	if d.index != nil {
		d.index[hashKey(key, 0)] = len(d.entries) - 1
	} else if len(d.entries) > smallDict {
		d.reindex()
	}
}

func (d *Dict) reindex() {
	d.index = make(map[any]int, 2*len(d.entries))
	for i := range d.entries {
		if d.entries[i].live {
			d.index[hashKey(d.entries[i].key, 0)] = i
		}
	}
}

func (d *Dict) remove(key any) (any, bool) {
	i := d.find(key)
	if i < 0 {
		return nil, false
	}
	val := d.entries[i].val
	if d.index != nil {
		delete(d.index, hashKey(key, 0))
	}
	d.entries[i] = entry{}
	d.dead++
	if d.dead > smallDict && d.dead > len(d.entries)/2 {
		d.entries = slices.DeleteFunc(d.entries, func(e entry) bool { return !e.live })
		d.dead = 0
		if d.index != nil {
			d.reindex()
		}
	}
	return val, true
}

func (d *Dict) clear() { *d = Dict{} }

func (d *Dict) copy() *Dict {
	c := &Dict{entries: make([]entry, 0, d.Len())}
	c.merge(d)
	return c
}

// merge takes every key of o.
func (d *Dict) merge(o *Dict) {
	o.load()
	for i := 0; i < len(o.entries); i++ {
		if e := o.entries[i]; e.live {
			d.put(e.key, e.val)
		}
	}
}

func (d *Dict) keys() []any {
	d.load()
	out := make([]any, 0, d.Len())
	for i := range d.entries {
		if d.entries[i].live {
			out = append(out, d.entries[i].key)
		}
	}
	return out
}

// The comparable forms that stand for keys Go cannot compare as Python does.
type (
	noneKey      struct{}
	undefinedKey struct{}
	bigKey       string
	bytesKey     string
	pairKey      struct{ head, tail any } // a tuple, as a linked list
	tupleEnd     struct{}
)

// hashKey maps equal keys to equal, comparable Go values.
func hashKey(v any, depth int) any {
	switch v := v.(type) {
	case nil:
		return noneKey{}
	case string:
		return v
	case markup:
		return string(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			b, _ := big.NewFloat(v).Int(nil)
			return bigKey(b.String())
		}
		return v
	case *big.Int:
		return bigKey(v.String())
	case []byte:
		return bytesKey(v)
	case *Tuple:
		if depth > maxNesting || len(v.items) > 10_000 {
			tooDeep()
		}
		var h any = tupleEnd{}
		for i := len(v.items) - 1; i >= 0; i-- {
			h = pairKey{hashKey(v.items[i], depth+1), h}
		}
		return h
	case *undefined:
		v.refuse()
		return undefinedKey{}
	case *List, *Dict, *set:
		throw("TypeError", "unhashable type: '%s'", typeName(v))
	case *funcValue:
		return v
	}
	return v
}
