package states

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ptorbus/zester/core/config"
)

// Named is what a Table holds: it tells its name, and Kind what such things are called in errors, also when it is nil.
type Named interface {
	comparable
	Kind() string
	Called() string
}

// Table holds functions by name. The zero value is empty and ready to use. It is safe for concurrent use.
type Table[F Named] struct {
	mu     sync.RWMutex
	byName map[string]F
}

// Register adds functions; a name that is taken is a mistake of the program and panics.
func (t *Table[F]) Register(functions ...F) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byName == nil {
		t.byName = map[string]F{}
	}
	for _, f := range functions {
		if _, taken := t.byName[f.Called()]; taken {
			panic("the " + f.Kind() + " " + f.Called() + " is registered twice")
		}
		t.byName[f.Called()] = f
	}
}

// Lookup returns the function of that name; the error of an unknown one suggests the nearest.
func (t *Table[F]) Lookup(name string) (F, error) {
	t.mu.RLock()
	f, ok := t.byName[name]
	t.mu.RUnlock()
	if !ok {
		return f, fmt.Errorf("unknown %s %q%s", f.Kind(), name, config.DidYouMean(name, t.Names()))
	}
	return f, nil
}

// Names returns the names of all functions, sorted.
func (t *Table[F]) Names() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(maps.Keys(t.byName))
}
