package render

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"time"
)

// toValue turns what a caller passed into a value of the template. Maps are
// taken over a level at a time when they are first looked into, and never
// written to.
func toValue(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, *big.Int, float64, string, markup, []byte, *List, *Tuple, *Dict:
		return v
	case int:
		return int64(v)
	case map[string]any:
		if v == nil {
			return &Dict{}
		}
		return &Dict{src: v}
	case []any:
		items := make([]any, len(v))
		for i, x := range v {
			items[i] = toValue(x)
		}
		return &List{items}
	case []string:
		items := make([]any, len(v))
		for i, x := range v {
			items[i] = x
		}
		return &List{items}
	case Func:
		return &funcValue{name: "function", fn: v}
	case func(context.Context, []any, map[string]any) (any, error):
		return &funcValue{name: "function", fn: v}
	case ValueFunc:
		return &funcValue{name: "function", raw: v}
	case func(context.Context, []any, *Dict) (any, error):
		return &funcValue{name: "function", raw: v}
	case Ordered:
		return &Dict{ordered: v}
	case Lookup:
		return &lookupValue{lookup: v, name: "mapping"}
	case time.Time:
		return &timeValue{v}
	case object:
		return v
	}
	return reflectValue(v)
}

// reflectValue handles named and less usual Go types.
func reflectValue(v any) any {
	if n, ok := v.(json.Number); ok {
		return parseNumber(n.String())
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return nil
		}
		return toValue(r.Elem().Interface())
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return normal(new(big.Int).SetUint64(r.Uint()))
	case reflect.Float32, reflect.Float64:
		return r.Float()
	case reflect.String:
		return r.String()
	case reflect.Slice, reflect.Array:
		if r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8 {
			return r.Bytes()
		}
		items := make([]any, r.Len())
		for i := range items {
			items[i] = toValue(r.Index(i).Interface())
		}
		return &List{items}
	case reflect.Map:
		return reflectMap(r)
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	throw("TypeError", "a variable of Go type %s cannot be used in a template", r.Type())
	return nil
}

func reflectMap(r reflect.Value) any {
	keys := r.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		x, y := fmt.Sprint(a.Interface()), fmt.Sprint(b.Interface())
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	d := &Dict{}
	for _, k := range keys {
		d.put(toValue(k.Interface()), toValue(r.MapIndex(k).Interface()))
	}
	return d
}

// Plain turns a value of a template into plain Go data: nil, bool, int64,
// float64, string, []byte, []any and map[string]any. Tuples become lists, keys
// that are not strings their text, integers beyond int64 a float64; callables
// and undefined values are errors.
func Plain(v any) (out any, err error) {
	defer catch(&err)
	return plain(v, 0), nil
}

func plain(v any, depth int) any {
	if depth > maxNesting {
		tooDeep()
	}
	list := func(items []any) any {
		out := make([]any, len(items))
		for i, x := range items {
			out[i] = plain(x, depth+1)
		}
		return out
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []byte:
		return v
	case markup:
		return string(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case *List:
		return list(v.items)
	case *Tuple:
		return list(v.items)
	case *Dict:
		out := make(map[string]any, v.Len())
		for k, x := range v.All() {
			out[plainKey(k)] = plain(x, depth+1)
		}
		return out
	case *undefined:
		v.fail()
	case *rangeValue, *view, *set, *iterValue:
		return list(collect(v))
	case *timeValue:
		return v.t
	case *namespace:
		return plain(v.d, depth)
	case *lookupValue:
		if d, ok := v.dict(); ok {
			return plain(d, depth)
		}
	}
	throw("TypeError", "%s cannot be passed on as data", describe(v))
	return nil
}

func plainKey(k any) string { return str(k) }

// catch turns a thrown fault into an error.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *fault:
		if p.err != nil {
			*err = p.err
			return
		}
		*err = fmt.Errorf("%s", p.msg)
	default:
		*err = fmt.Errorf("internal error: %v", p)
	}
}

// funcValue is a caller's function.
type funcValue struct {
	name string
	fn   Func
	raw  ValueFunc
}

func (*funcValue) typeName() string { return "function" }

func (fv *funcValue) call(f *frame, a args) any {
	var out any
	var err error
	if fv.raw != nil {
		kwargs := &Dict{}
		for _, k := range a.kw {
			kwargs.put(k.name, k.val)
		}
		out, err = fv.raw(f.r.ctx, slices.Clone(a.pos), kwargs)
	} else {
		pos := make([]any, len(a.pos))
		for i, x := range a.pos {
			pos[i] = plain(x, 0)
		}
		kwargs := make(map[string]any, len(a.kw))
		for _, k := range a.kw {
			kwargs[k.name] = plain(k.val, 0)
		}
		out, err = fv.fn(f.r.ctx, pos, kwargs)
	}
	if err != nil {
		panic(&fault{kind: "Error", msg: err.Error(), err: err})
	}
	return toValue(out)
}

// lookupValue is a caller's Lookup under the name it has in the template.
type lookupValue struct {
	lookup Lookup
	name   string
}

func (l *lookupValue) typeName() string { return l.name }

func (l *lookupValue) get(name string) (any, bool) {
	v, ok := l.lookup.Lookup(name)
	if !ok {
		return nil, false
	}
	v = toValue(v)
	switch v := v.(type) {
	case *funcValue:
		v.name = name
	case *lookupValue:
		v.name = l.name + "." + name
	}
	return v, true
}

// nothing is the error of a name the Lookup does not know.
func (l *lookupValue) nothing(name string) string {
	msg := repr(l.name) + " has nothing called " + repr(name)
	if k, ok := l.lookup.(Keyed); ok {
		msg += suggestFrom(name, slices.Values(k.Keys()))
	}
	return msg
}

// dict is the whole mapping, where the Lookup can be listed.
func (l *lookupValue) dict() (*Dict, bool) {
	k, ok := l.lookup.(Keyed)
	if !ok {
		return nil, false
	}
	d := &Dict{}
	for _, name := range k.Keys() {
		if v, ok := l.get(name); ok {
			d.put(name, v)
		}
	}
	return d, true
}

func (l *lookupValue) len() (int, bool) {
	if k, ok := l.lookup.(Keyed); ok {
		return len(k.Keys()), true
	}
	return 0, false
}

// timeValue is a date and time.
type timeValue struct{ t time.Time }

func (*timeValue) typeName() string { return "datetime" }
func (t *timeValue) String() string {
	if t.t.Nanosecond() != 0 {
		return t.t.Format("2006-01-02 15:04:05.000000")
	}
	return t.t.Format("2006-01-02 15:04:05")
}
