package facts

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Get finds a value by path, with dots or colons between the keys. A key that holds dots or colons itself wins over descent, and a
// number takes an element of a list, from the end if it is negative.
func Get(facts map[string]any, path string) (any, bool) {
	return get(facts, path)
}

func get(v any, path string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if value, ok := v[path]; ok {
			return value, true
		}
		// The longest key first, so that a.b.c is a.b > c before a > b > c.
		for i := len(path) - 1; i > 0; i-- {
			if path[i] != '.' && path[i] != ':' {
				continue
			}
			if child, ok := v[path[:i]]; ok {
				if value, ok := get(child, path[i+1:]); ok {
					return value, true
				}
			}
		}
	case []any:
		index, rest := path, ""
		if i := strings.IndexAny(path, ".:"); i >= 0 {
			index, rest = path[:i], path[i+1:]
		}
		n, err := strconv.Atoi(index)
		if n < 0 {
			n += len(v)
		}
		if err != nil || n < 0 || n >= len(v) {
			return nil, false
		}
		if len(index) == len(path) {
			return v[n], true
		}
		return get(v[n], rest)
	}
	return nil, false
}

// Keys returns the names of the facts, sorted.
func Keys(facts map[string]any) []string {
	return slices.Sorted(maps.Keys(facts))
}
