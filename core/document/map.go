package document

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// Map is a mapping in the order in which its keys are written. Its values are nil, bool, int64, float64, string, []byte,
// []any and *Map. It is built with Set by one goroutine and is not changed once others have it; then it is safe for
// concurrent use. A nil Map is an empty one that cannot be set.
type Map struct {
	keys   []string
	values map[string]any
	plain  atomic.Pointer[map[string]any] // made when first asked for
}

// NewMap returns an empty Map with room for n keys.
func NewMap(n int) *Map { return &Map{keys: make([]string, 0, n), values: make(map[string]any, n)} }

// FromPlain makes a Map of plain data, at every depth, with the keys sorted: the data has no order.
func FromPlain(data map[string]any) *Map {
	m := NewMap(len(data))
	for _, k := range slices.Sorted(maps.Keys(data)) {
		m.Set(k, Ordered(data[k]))
	}
	return m
}

// Ordered turns plain data into data in order, with sorted keys where it has none.
func Ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return FromPlain(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Ordered(e)
		}
		return out
	}
	return v
}

// Clone returns a Map with the same keys and values that can be set for itself.
func (m *Map) Clone() *Map {
	if m == nil {
		return NewMap(0)
	}
	return &Map{keys: slices.Clone(m.keys), values: maps.Clone(m.values)}
}

// Set gives a key its value. A key that is there keeps its place.
func (m *Map) Set(key string, v any) {
	if _, ok := m.values[key]; !ok {
		m.keys = append(m.keys, key)
	}
	m.values[key] = v
}

// Get returns the value of a key.
func (m *Map) Get(key string) (any, bool) {
	if m == nil {
		return nil, false
	}
	v, ok := m.values[key]
	return v, ok
}

// Len is the number of keys.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.keys)
}

// All walks keys and values in order.
func (m *Map) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if m == nil {
			return
		}
		for _, k := range m.keys {
			if !yield(k, m.values[k]) {
				return
			}
		}
	}
}

// Plain returns the same data without its order, as map[string]any at every depth. It is made once and shared: read it only.
func (m *Map) Plain() map[string]any {
	if m == nil {
		return map[string]any{}
	}
	if p := m.plain.Load(); p != nil {
		return *p
	}
	out := make(map[string]any, len(m.keys))
	for k, v := range m.values {
		out[k] = Plain(v)
	}
	m.plain.Store(&out)
	return out
}

// Plain turns a value of a Map into plain data; any other value is returned as it is.
func Plain(v any) any {
	switch v := v.(type) {
	case *Map:
		return v.Plain()
	case []any:
		for i, e := range v {
			switch e.(type) {
			case *Map, []any:
				out := slices.Clone(v)
				for j := i; j < len(out); j++ {
					out[j] = Plain(out[j])
				}
				return out
			}
		}
	}
	return v
}

// MarshalJSON writes the keys in their order.
func (m *Map) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for k, v := range m.All() {
		key, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// Truth is Python's bool of data. known is false of a value that is none.
func Truth(v any) (truth, known bool) {
	switch v := v.(type) {
	case nil:
		return false, true
	case bool:
		return v, true
	case string:
		return v != "", true
	case int64:
		return v != 0, true
	case float64:
		return v != 0, true
	case []byte:
		return len(v) > 0, true
	case []any:
		return len(v) > 0, true
	case map[string]any:
		return len(v) > 0, true
	case *Map:
		return v.Len() > 0, true
	}
	return false, false
}
