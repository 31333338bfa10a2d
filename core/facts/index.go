package facts

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/target"
)

// Limits on what one peel may report: a peel is not trusted, and every master holds the facts of all of them.
const (
	MaxSize  = 256 << 10 // bytes, encoded
	MaxDepth = 16        // maps and lists in each other
	MaxTerms = 4096      // values that a target can match
	maxPath  = 1024      // bytes of all keys from the top to a value
)

// Index holds what is known of all peels so that targets are resolved without looking at each. It is safe for concurrent
// use. A peel's facts are kept encoded, its values as posting lists: see the benchmark for bytes per peel. Put costs what has
// changed, not what there is.
type Index struct {
	// Log, if not nil, hears of entries that are refused. Set it before Follow.
	Log *slog.Logger
	// Changed, if not nil, is called after a peel's facts have changed or gone. It must not block. Set it before Follow.
	Changed func(id string)

	refused   atomic.Uint64
	ready     chan struct{}
	readyOnce sync.Once

	mu      sync.RWMutex
	numbers map[string]uint32
	peels   []indexed // by number; a free number has no id
	free    []uint32
	ids     idTable
	columns [2]columns // by target.Source
}

type indexed struct {
	id    string
	facts []byte      // encoded; nil if never reported
	terms [2][]uint32 // sorted
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	ix := &Index{numbers: map[string]uint32{}, ready: make(chan struct{})}
	for i := range ix.columns {
		ix.columns[i].byPath = map[string]*column{}
	}
	return ix
}

var _ target.Index = (*Index)(nil)

// Put sets the facts of a peel, which is new or known. Facts beyond the limits are refused with an error and change nothing.
func (ix *Index) Put(id string, facts map[string]any) error {
	data, err := bus.Marshal(facts)
	if err != nil {
		return fmt.Errorf("facts of %q: %w", id, err)
	}
	return ix.put(id, facts, data)
}

// putEncoded is Put for facts as they are on the bus.
func (ix *Index) putEncoded(id string, data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("facts of %q: %d bytes; a peel can report %d", id, len(data), MaxSize)
	}
	if ix.holds(id, data) {
		return nil
	}
	var facts map[string]any
	if err := bus.Unmarshal(data, &facts); err != nil {
		return fmt.Errorf("facts of %q: %w", id, err)
	}
	return ix.put(id, facts, bytes.Clone(data))
}

func (ix *Index) holds(id string, data []byte) bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	n, ok := ix.numbers[id]
	return ok && ix.peels[n].facts != nil && bytes.Equal(ix.peels[n].facts, data)
}

func (ix *Index) put(id string, facts map[string]any, data []byte) error {
	if err := bus.CheckPeelID(id); err != nil {
		return err
	}
	if len(data) > MaxSize {
		return fmt.Errorf("facts of %q: %d bytes; a peel can report %d", id, len(data), MaxSize)
	}
	terms, err := termsOf(facts, factLimits)
	if err != nil {
		return fmt.Errorf("facts of %q: %w", id, err)
	}
	ix.mu.Lock()
	n := ix.number(id)
	ix.peels[n].facts = data
	ix.replace(n, target.Facts, terms)
	ix.mu.Unlock()
	ix.changed(id)
	return nil
}

// PutSettings sets what I@ matches for a peel, which is new or known; nil for nothing. Only the index of the values is kept.
func (ix *Index) PutSettings(id string, settings map[string]any) error {
	if err := bus.CheckPeelID(id); err != nil {
		return err
	}
	terms, err := termsOf(settings, settingLimits)
	if err != nil {
		return fmt.Errorf("settings of %q: %w", id, err)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.replace(ix.number(id), target.Settings, terms)
	return nil
}

// Remove forgets a peel. Removing an unknown one is no error.
func (ix *Index) Remove(id string) {
	if ix.remove(id) {
		ix.changed(id)
	}
}

func (ix *Index) remove(id string) bool {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	n, ok := ix.numbers[id]
	if !ok {
		return false
	}
	for source := range ix.columns {
		ix.replace(n, target.Source(source), nil)
	}
	delete(ix.numbers, id)
	ix.peels[n] = indexed{}
	ix.free = append(ix.free, n)
	ix.ids.remove()
	return true
}

func (ix *Index) changed(id string) {
	if ix.Changed != nil {
		ix.Changed(id)
	}
}

// Len is how many peels are known.
func (ix *Index) Len() int {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return len(ix.numbers)
}

// Has reports whether the peel is known.
func (ix *Index) Has(id string) bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	_, ok := ix.numbers[id]
	return ok
}

// IDs returns the ids of all peels, sorted.
func (ix *Index) IDs() []string {
	var ids []string
	ix.View(func(v target.View) {
		all := target.NewSet(v.Size())
		v.IDs(all, "", nil)
		ids = v.List(all)
	})
	return ids
}

// Facts returns a copy of the facts of a peel, nil if it is unknown or has reported none.
func (ix *Index) Facts(id string) map[string]any {
	ix.mu.RLock()
	n, ok := ix.numbers[id]
	var data []byte
	if ok {
		data = ix.peels[n].facts
	}
	ix.mu.RUnlock()
	if data == nil {
		return nil
	}
	var facts map[string]any
	if err := bus.Unmarshal(data, &facts); err != nil {
		return nil // not reached: put has encoded or decoded these bytes
	}
	return facts
}

// Refused is how many entries of the bucket were not accepted since the start.
func (ix *Index) Refused() uint64 { return ix.refused.Load() }

// number returns the number of a peel, a new one if it is not known. Numbers are dense, for the bitmaps.
func (ix *Index) number(id string) uint32 {
	if n, ok := ix.numbers[id]; ok {
		return n
	}
	id = strings.Clone(id)
	var n uint32
	if last := len(ix.free) - 1; last >= 0 {
		n = ix.free[last]
		ix.free = ix.free[:last]
	} else {
		n = uint32(len(ix.peels))
		ix.peels = append(ix.peels, indexed{})
	}
	ix.peels[n] = indexed{id: id}
	ix.numbers[id] = n
	ix.ids.add(id, n)
	return n
}

// replace gives peel n new terms, and touches only those that differ from the old ones.
func (ix *Index) replace(n uint32, source target.Source, terms []pathValue) {
	c := &ix.columns[source]
	next := make([]uint32, len(terms))
	for i, t := range terms {
		next[i] = c.term(t)
	}
	slices.Sort(next)
	old := ix.peels[n].terms[source]
	for _, t := range next {
		if _, had := slices.BinarySearch(old, t); !had {
			c.terms[t].peels.add(n, len(ix.peels))
		}
	}
	for _, t := range old {
		if _, has := slices.BinarySearch(next, t); !has {
			c.removePeel(t, n, len(ix.peels))
		}
	}
	ix.peels[n].terms[source] = next
}

// Terms is how many different values at different paths are indexed, for a gauge.
func (ix *Index) Terms() int {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	n := 0
	for i := range ix.columns {
		n += len(ix.columns[i].terms) - len(ix.columns[i].free)
	}
	return n
}
