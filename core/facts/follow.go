package facts

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/target"
)

// Follow keeps the index at the facts on the bus until the context ends, and returns its error; it returns earlier only if the
// watch cannot be started. It needs the core side. Peels that are only known by settings are left alone.
func (ix *Index) Follow(ctx context.Context, conn *bus.Conn) error {
	w, err := conn.Watch(ctx, bus.BucketFacts, ">")
	if err != nil {
		return fmt.Errorf("facts: %w", err)
	}
	defer w.Stop()
	for e := range w.Entries() {
		if e.Key == "" {
			ix.readyOnce.Do(func() { close(ix.ready) })
			continue
		}
		ix.apply(e)
	}
	return ctx.Err()
}

// Ready is closed when Follow has brought in everything there was at its start.
func (ix *Index) Ready() <-chan struct{} { return ix.ready }

// Load returns an index of the facts that are on the bus now, for a client that finds no master to ask.
func Load(ctx context.Context, conn *bus.Conn) (*Index, error) {
	entries, err := conn.GetMany(ctx, bus.BucketFacts, ">")
	if err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	ix := NewIndex()
	for _, e := range entries {
		ix.apply(e)
	}
	return ix, nil
}

// apply takes over one entry. A peel whose facts are refused stays known, without facts: what each master holds is
// decided by what is in the bucket, not by what it saw before.
func (ix *Index) apply(e bus.Entry) {
	id := bus.FromToken(e.Key)
	if e.Deleted {
		ix.Remove(id)
		return
	}
	err := ix.putEncoded(id, e.Value)
	if err == nil {
		return
	}
	if ix.Log != nil {
		ix.Log.LogAttrs(context.Background(), slog.LevelWarn, "facts refused", slog.String("error", err.Error()))
	}
	if bus.CheckPeelID(id) == nil {
		ix.reset(id)
	}
	ix.refused.Add(1) // last: who sees the count sees what came of it
}

func (ix *Index) reset(id string) {
	ix.mu.Lock()
	n := ix.number(id)
	ix.peels[n].facts = nil
	ix.replace(n, target.Facts, nil)
	ix.mu.Unlock()
	ix.changed(id)
}
