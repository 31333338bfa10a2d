package facts

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"strings"

	"github.com/ptorbus/zester/core/target"
)

// idTable finds peels by id. Changes are gathered and sorted in when somebody asks, so that loading a fleet sorts once.
type idTable struct {
	sorted []numbered
	added  []numbered
	dirty  bool
}

type numbered struct {
	id string
	n  uint32
}

func (t *idTable) add(id string, n uint32) {
	t.added = append(t.added, numbered{id, n})
	t.dirty = true
}

func (t *idTable) remove() { t.dirty = true }

// tidy brings the table up to date: an entry that does not agree with its peel was removed since.
func (t *idTable) tidy(peels []indexed) {
	byID := func(a, b numbered) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(t.added, byID)
	out := make([]numbered, 0, len(t.sorted)+len(t.added))
	keep := func(e numbered) {
		last := len(out) - 1
		if peels[e.n].id == e.id && (last < 0 || out[last].id != e.id) {
			out = append(out, e)
		}
	}
	old := t.sorted
	for _, e := range t.added {
		for len(old) > 0 && byID(old[0], e) <= 0 {
			keep(old[0])
			old = old[1:]
		}
		keep(e)
	}
	for _, e := range old {
		keep(e)
	}
	t.sorted, t.added, t.dirty = out, nil, false
}

// View implements target.Index.
func (ix *Index) View(f func(target.View)) {
	ix.mu.RLock()
	for ix.ids.dirty {
		ix.mu.RUnlock()
		ix.mu.Lock()
		if ix.ids.dirty {
			ix.ids.tidy(ix.peels)
		}
		ix.mu.Unlock()
		ix.mu.RLock()
	}
	defer ix.mu.RUnlock()
	f((*view)(ix))
}

// view is an Index whose read lock is held and whose id table is tidy.
type view Index

func (v *view) Size() int { return len(v.peels) }

func (v *view) ID(into target.Set, id string) {
	if n, ok := v.numbers[id]; ok {
		into.Add(n)
	}
}

func (v *view) IDs(into target.Set, prefix string, match func(string) bool) {
	ids := v.ids.sorted
	from, _ := slices.BinarySearchFunc(ids, prefix, func(e numbered, id string) int { return cmp.Compare(e.id, id) })
	ids = ids[from:]
	if prefix != "" {
		end := sort.Search(len(ids), func(i int) bool { return !strings.HasPrefix(ids[i].id, prefix) })
		ids = ids[:end]
	}
	for _, e := range ids {
		if match == nil || match(e.id) {
			into.Add(e.n)
		}
	}
}

func (v *view) Value(into target.Set, from target.Source, path, value string) {
	c := &v.columns[from]
	if col := c.byPath[path]; col != nil {
		if n, ok := col.values[value]; ok {
			c.terms[n].peels.addTo(into)
		}
	}
}

func (v *view) Values(into target.Set, from target.Source, path string, match func(string) bool) {
	c := &v.columns[from]
	col := c.byPath[path]
	if col == nil {
		return
	}
	for value, n := range col.values {
		if match == nil || match(value) {
			c.terms[n].peels.addTo(into)
		}
	}
}

func (v *view) Paths(from target.Source, f func(path string)) {
	for path := range v.columns[from].byPath {
		f(path)
	}
}

// List sorts a small set, and goes through the sorted table for a large one.
func (v *view) List(set target.Set) []string {
	count := set.Count()
	out := make([]string, 0, count)
	if count < len(v.ids.sorted)/32 {
		each(set, func(n uint32) { out = append(out, v.peels[n].id) })
		slices.Sort(out)
		return out
	}
	for _, e := range v.ids.sorted {
		if set.Has(e.n) {
			out = append(out, e.id)
		}
	}
	return out
}

// each calls f with the members in ascending order.
func each(set target.Set, f func(n uint32)) {
	for i, w := range set {
		for ; w != 0; w &= w - 1 {
			f(uint32(i<<6 + bits.TrailingZeros64(w)))
		}
	}
}
