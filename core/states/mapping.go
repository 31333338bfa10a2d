package states

import (
	"iter"

	"go.yaml.in/yaml/v3"
)

// Mapping is a mapping in the order in which it is written, for parameters that are Ordered: what a template iterates
// over. Its values are plain data, with a *Mapping for each mapping below. It is not changed once made.
type Mapping struct {
	keys   []string
	values []any
}

// Len is the number of keys.
func (m *Mapping) Len() int {
	if m == nil {
		return 0
	}
	return len(m.keys)
}

// All walks keys and values in order.
func (m *Mapping) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i := range m.Len() {
			if !yield(m.keys[i], m.values[i]) {
				return
			}
		}
	}
}

// Plain returns the mapping as map[string]any at every depth.
func (m *Mapping) Plain() map[string]any {
	out := make(map[string]any, m.Len())
	for key, value := range m.All() {
		out[key] = plain(value)
	}
	return out
}

func plain(v any) any {
	switch v := v.(type) {
	case *Mapping:
		return v.Plain()
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	}
	return v
}

// ordered makes Mappings of plain data, with sorted keys: it has no order.
func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := &Mapping{}
		for _, key := range sortedKeys(v) {
			m.keys, m.values = append(m.keys, key), append(m.values, ordered(v[key]))
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = ordered(item)
		}
		return out
	}
	return v
}

// set adds a key, or gives one that is there another value in its place.
func (m *Mapping) set(key string, value any) {
	for i := range m.keys {
		if m.keys[i] == key {
			m.values[i] = value
			return
		}
	}
	m.keys, m.values = append(m.keys, key), append(m.values, value)
}

// ordered returns the data of node with its mappings in their order.
func (r *reader) ordered(node *yaml.Node) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, failAt(node, "the file expands to more than %d values", maxNodes)
	}
	switch node = resolve(node); node.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			var err error
			if list[i], err = r.ordered(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		m := &Mapping{}
		err := r.pairs(node, func(key string, _, value *yaml.Node) error {
			v, err := r.ordered(value)
			m.keys, m.values = append(m.keys, key), append(m.values, v)
			return err
		})
		return m, err
	}
	return r.value(node)
}

// orderedMapping is what an Ordered parameter of kind Map holds: a mapping, or a list of mappings as one.
func orderedMapping(v any) (*Mapping, bool) {
	switch v := v.(type) {
	case *Mapping:
		return v, true
	case []any:
		all := &Mapping{}
		for _, item := range v {
			m, ok := item.(*Mapping)
			if !ok {
				return nil, false
			}
			for key, value := range m.All() {
				all.set(key, value)
			}
		}
		return all, true
	}
	return nil, false
}
