package facts

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ptorbus/zester/core/target"
)

// pathValue is something a target can match.
type pathValue struct{ path, value string }

// limits bound what is indexed of one peel.
type limits struct{ depth, terms int }

var (
	factLimits = limits{MaxDepth, MaxTerms}
	// Settings come from the masters' own files, and are large where people keep everything in them.
	settingLimits = limits{64, 1 << 18}
)

// termsOf returns the distinct terms of a set of facts or settings, within the limits.
func termsOf(values map[string]any, limit limits) ([]pathValue, error) {
	if deeper(values, limit.depth) {
		return nil, fmt.Errorf("nested deeper than %d", limit.depth)
	}
	var terms []pathValue
	var long string
	total := 0
	target.Walk(values, func(path, value string) {
		total++
		if len(path) > maxPath {
			long = path
		} else if total <= limit.terms {
			terms = append(terms, pathValue{path, value})
		}
	})
	if total > limit.terms {
		return nil, fmt.Errorf("%d values; there can be %d, keys of nested maps among them", total, limit.terms)
	}
	if long != "" {
		return nil, fmt.Errorf("the keys of %.40q... have %d bytes together; use %d at most", long, len(long), maxPath)
	}
	slices.SortFunc(terms, func(a, b pathValue) int {
		if c := cmp.Compare(a.path, b.path); c != 0 {
			return c
		}
		return cmp.Compare(a.value, b.value)
	})
	return slices.Compact(terms), nil
}

// deeper reports whether maps and lists are in each other more than depth times.
func deeper(v any, depth int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			if depth == 0 || deeper(child, depth-1) {
				return true
			}
		}
	case []any:
		for _, child := range v {
			if depth == 0 || deeper(child, depth-1) {
				return true
			}
		}
	}
	return false
}

// columns finds the peels that have a value at a path.
type columns struct {
	byPath map[string]*column
	terms  []term
	free   []uint32
}

type column struct {
	path   string
	values map[string]uint32 // the number of the term
}

type term struct {
	column *column
	value  string
	peels  posting
}

// term returns the number of a term, a new one if nobody has it yet.
func (c *columns) term(t pathValue) uint32 {
	col := c.byPath[t.path]
	if col == nil {
		col = &column{path: t.path, values: map[string]uint32{}}
		c.byPath[t.path] = col
	}
	if n, ok := col.values[t.value]; ok {
		return n
	}
	var n uint32
	if last := len(c.free) - 1; last >= 0 {
		n = c.free[last]
		c.free = c.free[:last]
	} else {
		n = uint32(len(c.terms))
		c.terms = append(c.terms, term{})
	}
	c.terms[n] = term{column: col, value: t.value}
	col.values[t.value] = n
	return n
}

// removePeel takes a peel off a term, and forgets the term with its last peel.
func (c *columns) removePeel(n, peel uint32, size int) {
	t := &c.terms[n]
	if t.peels.remove(peel, size) > 0 {
		return
	}
	delete(t.column.values, t.value)
	if len(t.column.values) == 0 {
		delete(c.byPath, t.column.path)
	}
	*t = term{}
	c.free = append(c.free, n)
}
