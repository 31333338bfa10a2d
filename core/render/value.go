package render

import (
	"math/big"

	"github.com/ptorbus/zester/core/document"
)

// The values of a template. Scalars are plain Go: nil is None, then bool, int64,
// *big.Int (only beyond int64), float64, string, []byte. The rest are the types
// below; lists and dicts are references, as in Python.

// List is a mutable sequence. It is not safe for concurrent use.
type List struct{ items []any }

// NewList returns a list of the given values.
func NewList(items ...any) *List { return &List{items} }

// Items gives the elements; the slice is the list's own.
func (l *List) Items() []any { return l.items }

// Tuple is an immutable sequence.
type Tuple struct {
	items []any
	names []string // of the elements, where the tuple is a named one
}

// NewTuple returns a tuple of the given values.
func NewTuple(items ...any) *Tuple { return &Tuple{items: items} }

// Items gives the elements; the slice must not be written to.
func (t *Tuple) Items() []any { return t.items }

// markup is a string that is already escaped for HTML: what the filters escape
// and safe return. It differs from a string when it is added to or formatted.
type markup string

// object is a value that names its Python type.
type object interface{ typeName() string }

// attributer is an object with attributes of its own.
type attributer interface {
	attr(f *frame, name string) (any, bool)
}

// callable is a value that can be called.
type callable interface {
	call(f *frame, a args) any
}

// args are the arguments of one call. Both slices belong to the caller and must
// be copied to be kept.
type args struct {
	pos []any
	kw  []kwarg
}

type kwarg struct {
	name string
	val  any
}

// sentinel marks what has no value at all, not even an undefined one.
type sentinel struct{}

var missing any = &sentinel{}

// rangeValue is what range() returns.
type rangeValue struct{ start, stop, step int64 }

func (*rangeValue) typeName() string { return "range" }

func (r *rangeValue) len() int {
	switch {
	case r.step > 0 && r.start < r.stop:
		return int((r.stop-r.start-1)/r.step) + 1
	case r.step < 0 && r.start > r.stop:
		return int((r.start-r.stop-1)/-r.step) + 1
	}
	return 0
}

// view is what a dict's keys, values and items methods return.
type view struct {
	d    *Dict
	kind string // "dict_keys", "dict_values", "dict_items"
}

func (v *view) typeName() string { return v.kind }

func (v *view) of(e *entry) any {
	switch v.kind {
	case "dict_keys":
		return e.key
	case "dict_values":
		return e.val
	}
	return &Tuple{items: []any{e.key, e.val}}
}

// set is an unordered collection in Python; here it keeps insertion order.
type set struct{ d *Dict }

func (*set) typeName() string { return "set" }

func newSet(items []any) *set {
	s := &set{&Dict{}}
	for _, v := range items {
		s.d.put(v, nil)
	}
	return s
}

// iterValue is a value that can be iterated once: a generator.
type iterValue struct {
	kind string
	it   iterator
}

func (i *iterValue) typeName() string { return i.kind }

// builtin is a callable written in Go.
type builtin struct {
	name string
	fn   func(f *frame, a args) any
}

func (*builtin) typeName() string            { return "function" }
func (b *builtin) call(f *frame, a args) any { return b.fn(f, a) }

// method is a builtin bound to the value it was looked up on.
type method struct {
	self any
	name string
	fn   methodFunc
}

type methodFunc func(f *frame, self any, a args) any

func (*method) typeName() string            { return "builtin_function_or_method" }
func (m *method) call(f *frame, a args) any { return m.fn(f, m.self, a) }

// namespace is the only value whose attributes {% set %} may assign.
type namespace struct{ d *Dict }

func (*namespace) typeName() string { return "Namespace" }
func (n *namespace) attr(_ *frame, name string) (any, bool) {
	return n.d.getString(name)
}

// typeName is type(v).__name__.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case []byte:
		return "bytes"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case object:
		return v.typeName()
	}
	return "object"
}

// truth is bool(v).
func truth(v any) bool {
	if truth, known := document.Truth(v); known {
		return truth
	}
	switch v := v.(type) {
	case *undefined:
		v.refuse()
		return false
	case *big.Int, *iterValue, callable, *namespace:
		return true
	}
	if n, ok := length(v); ok {
		return n > 0
	}
	return true
}

// length is len(v) for what has one.
func length(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		return runeLen(v), true
	case markup:
		return runeLen(string(v)), true
	case []byte:
		return len(v), true
	case *List:
		return len(v.items), true
	case *Tuple:
		return len(v.items), true
	case *Dict:
		return v.Len(), true
	case *rangeValue:
		return v.len(), true
	case *view:
		return v.d.Len(), true
	case *set:
		return v.d.Len(), true
	case *lookupValue:
		return v.len()
	case *loopValue:
		return v.length(), true
	case *undefined:
		v.refuse()
		return 0, true
	}
	return 0, false
}

// mustLen is len(v), or Python's TypeError.
func mustLen(v any) int {
	n, ok := length(v)
	if !ok {
		throw("TypeError", "object of type '%s' has no len()", typeName(v))
	}
	return n
}

// text gives the Go string of a str or markup value.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

func isText(v any) bool {
	_, ok := text(v)
	return ok
}

// integer gives the int64 of a value that Python accepts as an index.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func bigInt(v any) (*big.Int, bool) {
	if n, ok := integer(v); ok {
		return big.NewInt(n), true
	}
	b, ok := v.(*big.Int)
	return b, ok
}

// normal turns a big integer into an int64 where it fits.
func normal(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

func isNumber(v any) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}
