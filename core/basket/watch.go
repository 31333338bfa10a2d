package basket

import (
	"context"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/target"
)

// Change is one thing a watch has seen.
type Change struct {
	Entry
	Removed bool // the value was removed or has expired
	Initial bool // it was there when the watch began
}

// A watch asks again about a peel it has not met, three seconds long: a joining peel's value may
// be seen before a master has its facts. It counts the questions, since time passes on hosts that
// stand still; one without an answer, which takes longer, counts as several.
const (
	resolveTries  = 15
	resolveFailed = 5
	resolvePause  = 200 * time.Millisecond
)

// Watch calls each for every current value and then for every change, until the context ends
// or each returns an error. It needs CORE.
func (r *Reader) Watch(ctx context.Context, q Query, each func(Change) error) error {
	if err := CheckName(q.Function); err != nil {
		return err
	}
	t, err := target.Parse(q.Target)
	if err != nil {
		return err
	}
	m := &members{t: t, text: q.Target, resolver: r.Resolver, others: map[string]bool{}}
	if err := m.refresh(ctx); err != nil {
		return err
	}
	w, err := r.Conn.Watch(ctx, bus.BucketBasket, "*."+q.Function)
	if err != nil {
		return err
	}
	defer w.Stop()
	initial := true
	for e := range w.Entries() {
		if e.Key == "" {
			initial = false
			continue
		}
		entry, err := decode(e)
		if err != nil || initial && e.Deleted || !m.has(ctx, entry.Peel, !initial) {
			continue
		}
		if err := each(Change{Entry: entry, Removed: e.Deleted, Initial: initial}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// members is the set of peels a watch is for, asked for again when a stranger appears.
type members struct {
	t        *target.Target
	text     string
	resolver Resolver
	ids      []string
	others   map[string]bool // peels asked about for long enough
}

func (m *members) refresh(ctx context.Context) error {
	if m.t.IDOnly() {
		return nil
	}
	ids, err := m.resolver.Resolve(ctx, m.text, false)
	if err == nil {
		m.ids = ids
	}
	return err
}

func (m *members) has(ctx context.Context, peel string, patient bool) bool {
	if m.t.IDOnly() {
		return m.t.Match(target.Peel{ID: peel})
	}
	for tries := 0; ; {
		if _, ok := slices.BinarySearch(m.ids, peel); ok {
			return true
		}
		if !patient || m.others[peel] || ctx.Err() != nil {
			return false
		}
		if tries >= resolveTries {
			m.others[peel] = true
			return false
		}
		if tries > 0 && !sleep(ctx, resolvePause) {
			return false
		}
		if m.refresh(ctx) == nil {
			tries++
		} else {
			tries += resolveFailed
		}
	}
}
