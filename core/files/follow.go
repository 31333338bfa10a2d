package files

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Follow keeps the configured trees published until the context ends: it publishes them now and whenever their directories
// change. Errors are logged, kept for Problems, and tried again. It is made for bus.Conn.Lease, and looks at each start for what
// another master has published meanwhile.
func (p *Publisher) Follow(ctx context.Context) {
	p.mu.Lock()
	p.store = nil
	p.trees = map[string]*published{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for tree, dir := range p.o.Trees {
		wg.Go(func() { p.follow(ctx, tree, dir) })
	}
	wg.Wait()
}

func (p *Publisher) follow(ctx context.Context, tree, dir string) {
	changes := ChangesIn(ctx, append(slices.Collect(maps.Values(p.o.Environments[tree])), dir), p.o.Log)
	var last string
	retry := time.NewTimer(0)
	<-retry.C
	delay := firstRetry
	for {
		select {
		case _, ok := <-changes:
			if !ok {
				return
			}
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		_, err := p.Publish(ctx, tree, dir)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			last, delay = "", firstRetry
			continue
		}
		if err.Error() != last {
			last = err.Error()
			p.o.Log.Error("cannot publish a tree", "tree", tree, "directory", dir, "error", err)
		}
		if waitsForChange(err) {
			continue
		}
		retry.Reset(delay)
		delay = min(2*delay, lastRetry)
	}
}

// waitsForChange tells errors that only a change of the directory can mend.
func waitsForChange(err error) bool {
	return errors.Is(err, ErrOlder) || errors.Is(err, ErrEmptied) || errors.Is(err, fs.ErrNotExist)
}
