package settings

// Merge returns base overlaid with over: mappings are merged at every depth, anything else, lists among it, is replaced.
// Neither argument is changed; the result shares their parts.
func Merge(base, over map[string]any) map[string]any {
	if len(base) == 0 {
		return over
	}
	if len(over) == 0 {
		return base
	}
	out := make(map[string]any, len(base)+len(over))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		a, isMap := out[k].(map[string]any)
		if b, both := v.(map[string]any); isMap && both {
			v = Merge(a, b)
		}
		out[k] = v
	}
	return out
}

// clone copies mappings and lists, so that the result may be changed.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneMap(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case []byte:
		return append([]byte(nil), v...)
	}
	return v
}

func cloneMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, e := range m {
		out[k] = clone(e)
	}
	return out
}

// nest wraps data into the mappings that a key path names, "a:b" for {a: {b: data}}.
func nest(path []string, data map[string]any) map[string]any {
	for i := len(path) - 1; i >= 0; i-- {
		data = map[string]any{path[i]: data}
	}
	return data
}
