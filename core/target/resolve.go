package target

import "fmt"

// Source is where a value term looks.
type Source uint8

const (
	Facts    Source = iota // what the peel reports about itself
	Settings               // what the masters give it
)

// Index is a fleet that can be asked. View calls f with the fleet held still: the numbers f sees stay what they are until it returns.
type Index interface {
	View(f func(View))
}

// View is a fleet held still, each peel a number. All methods that fill a Set only add to it.
type View interface {
	// Size is one more than the highest number in use.
	Size() int
	// IDs adds the peels whose id starts with prefix and satisfies match; a nil match is satisfied by all.
	IDs(into Set, prefix string, match func(id string) bool)
	// ID adds the peel of this id, if there is one.
	ID(into Set, id string)
	// Value adds the peels that have exactly this value (as Walk gives it) at the path.
	Value(into Set, from Source, path, value string)
	// Values adds the peels that have any value at the path that satisfies match; a nil match is satisfied by all.
	Values(into Set, from Source, path string, match func(value string) bool)
	// Paths calls f with every path that some peel has.
	Paths(from Source, f func(path string))
	// List returns the ids of the set, sorted.
	List(Set) []string
}

// Resolve returns the ids of the peels in the index that the target names, sorted. The one possible error is a
// group that was not expanded.
func (t *Target) Resolve(ix Index) ([]string, error) {
	var err error
	t.root.walk(func(e expr) {
		if g, ok := e.(*group); ok && g.body == nil && err == nil {
			err = fmt.Errorf("target %q: group %q is not known here; define it or name the peels themselves", t, g.name)
		}
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	ix.View(func(v View) { ids = v.List(t.root.resolve(v)) })
	return ids, nil
}

func everyone(v View) Set {
	s := NewSet(v.Size())
	v.IDs(s, "", nil)
	return s
}
