package basket

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/target"
)

// Entry is a published value.
type Entry struct {
	Peel     string
	Function string
	Value    any
	Updated  time.Time // when the value was published, by the server's clock
	Gone     bool      // the peel is not connected; set by those who know, see Mark
}

// Age is how long ago the value was published.
func (e Entry) Age(now time.Time) time.Duration { return max(0, now.Sub(e.Updated)) }

// Plain is the entry as templates see it: peel_id, value, updated (RFC 3339) and age in seconds.
func (e Entry) Plain(now time.Time) map[string]any {
	return map[string]any{
		"peel_id": e.Peel, "value": e.Value,
		"updated": e.Updated.UTC().Format(time.RFC3339), "age": e.Age(now).Seconds(),
	}
}

// Resolver says which peels a target means: a master, or an index of one's own.
type Resolver interface {
	// Resolve gives ids in order; live leaves out peels that are not connected.
	Resolve(ctx context.Context, target string, live bool) ([]string, error)
}

// Reader reads the basket on either side of the bus.
type Reader struct {
	Conn     *bus.Conn
	Resolver Resolver
}

// Query asks for one function's values.
type Query struct {
	Target   string
	Function string
	Scope    string // a further target that limits the answer, e.g. the setting basket_scope
	Live     bool   // leave out peels that are not connected
}

// maxNamed is up to how many peels are asked for by name instead of reading the function of all.
const maxNamed = 1000

// Get answers a query in the order of peel ids. Targets by id are answered from the bucket
// alone, whether or not a master runs.
func (r *Reader) Get(ctx context.Context, q Query) ([]Entry, error) {
	if err := CheckName(q.Function); err != nil {
		return nil, err
	}
	text := q.Target
	if q.Scope != "" {
		text = "(" + text + ") and (" + q.Scope + ")"
	}
	t, err := target.Parse(text)
	if err != nil {
		return nil, err
	}
	if t.IDOnly() && !q.Live {
		entries, err := r.read(ctx, "*."+q.Function)
		return slices.DeleteFunc(entries, func(e Entry) bool { return !t.Match(target.Peel{ID: e.Peel}) }), err
	}
	ids, err := r.Resolver.Resolve(ctx, text, q.Live)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if len(ids) > maxNamed {
		entries, err := r.read(ctx, "*."+q.Function)
		return slices.DeleteFunc(entries, func(e Entry) bool {
			_, ok := slices.BinarySearch(ids, e.Peel)
			return !ok
		}), err
	}
	named := make([]string, len(ids))
	for i, id := range ids {
		named[i] = key(id, q.Function)
	}
	return r.read(ctx, named...)
}

// List gives everything one peel publishes, by function.
func (r *Reader) List(ctx context.Context, peel string) ([]Entry, error) {
	return r.read(ctx, bus.Token(peel)+".>")
}

// All gives everything in the basket.
func (r *Reader) All(ctx context.Context) ([]Entry, error) { return r.read(ctx, ">") }

func (r *Reader) read(ctx context.Context, patterns ...string) ([]Entry, error) {
	raw, err := r.Conn.GetMany(ctx, bus.BucketBasket, patterns...)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(raw))
	for _, e := range raw {
		entry, err := decode(e)
		if err != nil { // another peel's broken entry is no reason to withhold the rest
			continue
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if c := strings.Compare(a.Peel, b.Peel); c != 0 {
			return c
		}
		return strings.Compare(a.Function, b.Function)
	})
	return entries, nil
}

func decode(e bus.Entry) (Entry, error) {
	token, function, ok := strings.Cut(e.Key, ".")
	if !ok {
		return Entry{}, fmt.Errorf("basket key %q has no function", e.Key)
	}
	entry := Entry{Peel: bus.FromToken(token), Function: function, Updated: e.Created}
	if e.Deleted {
		return entry, nil
	}
	return entry, bus.Unmarshal(e.Value, &entry.Value)
}

// Mark sets Gone on the entries of peels that connected does not know.
func Mark(entries []Entry, connected func(id string) bool) {
	for i := range entries {
		entries[i].Gone = !connected(entries[i].Peel)
	}
}

// Remove deletes an entry. Its peel publishes it again when the value changes or it restarts.
func (r *Reader) Remove(ctx context.Context, e Entry) error {
	return r.Conn.Delete(ctx, bus.BucketBasket, key(e.Peel, e.Function))
}
