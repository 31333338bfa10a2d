package settings

import "slices"

// Merge returns base overlaid with over: mappings are merged at every depth, anything else, lists among it, is replaced. The
// keys of base come first and keep their places, those that only over has follow. Neither argument is changed; the result
// shares their parts.
func Merge(base, over *Map) *Map {
	m := merging{data: base}
	m.add(over)
	return m.data
}

// merging merges one Map after the other and copies the first once.
type merging struct {
	data *Map
	own  bool // nobody else has data
}

func (m *merging) add(over *Map) {
	if over.Len() == 0 {
		return
	}
	if m.data.Len() == 0 {
		m.data, m.own = over, false
		return
	}
	if !m.own {
		m.data, m.own = m.data.Clone(), true
	}
	for k, v := range over.All() {
		if b, isMap := v.(*Map); isMap {
			below, _ := m.data.Get(k)
			if a, both := below.(*Map); both {
				v = Merge(a, b)
			}
		}
		m.data.Set(k, v)
	}
}

// nest wraps data into the mappings that a key path names, "a:b" for {a: {b: data}}.
func nest(path []string, data *Map) *Map {
	for _, key := range slices.Backward(path) {
		outer := NewMap(1)
		outer.Set(key, data)
		data = outer
	}
	return data
}
