package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Watcher delivers a bucket's entries and their changes. It goes on by itself after
// reconnects, from the last revision it delivered. In a cluster a watch can be served by another
// server than the one connected to; if that one is lost, it goes on after some 20 s.
type Watcher struct {
	entries chan Entry
	cancel  context.CancelFunc
}

// Entries gives all current entries, then one with an empty Key for "that was all", then
// changes as they happen, deletions among them; of changes of one key in quick succession only
// the last is sure to be given. That an entry has expired (PutTTL) is not told. It closes when
// the context ends or on Stop.
func (w *Watcher) Entries() <-chan Entry { return w.entries }

// Stop ends the watch.
func (w *Watcher) Stop() { w.cancel() }

// Watch follows the entries of a bucket whose keys match the pattern. CORE only.
func (c *Conn) Watch(ctx context.Context, bucket, pattern string) (*Watcher, error) {
	kv, err := c.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, c.explainBucket(bucket, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{entries: make(chan Entry, 64), cancel: cancel}
	f := follower{c: c, kv: kv, bucket: bucket, pattern: pattern, out: w.entries}
	first, err := f.open(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watch %s %s: %w", bucket, pattern, err)
	}
	go f.run(ctx, first)
	return w, nil
}

func (c *Conn) explainBucket(name string, err error) error {
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("nats at %s has no bucket %q: start a master, which creates it: %w", c.opts.URL, name, ErrNotFound)
	}
	return fmt.Errorf("bucket %s: %w", name, err)
}

type follower struct {
	c       *Conn
	kv      jetstream.KeyValue
	bucket  string
	pattern string
	out     chan Entry
	last    uint64
	initial bool // the end of the initial values has been told
}

func (f *follower) open(ctx context.Context) (jetstream.KeyWatcher, error) {
	if f.last > 0 {
		return f.kv.Watch(ctx, f.pattern, jetstream.ResumeFromRevision(f.last+1))
	}
	return f.kv.Watch(ctx, f.pattern)
}

// run replaces the subscription at every reconnect: nats.go's own recovery waits for missed
// heartbeats, many seconds after a plain subscription works again.
func (f *follower) run(ctx context.Context, w jetstream.KeyWatcher) {
	defer close(f.out)
	again := make(chan struct{}, 1)
	stop := f.c.OnConnect(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})
	defer stop()
	for {
		renew := f.deliver(ctx, w, again)
		w.Stop()
		if !renew {
			return
		}
		var err error
		for w, err = f.open(ctx); err != nil; w, err = f.open(ctx) {
			f.c.log.Debug("a watch cannot be renewed yet", "bucket", f.bucket, "error", err)
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	}
}

// deliver hands on entries until the watch must be renewed (true) or is over (false).
func (f *follower) deliver(ctx context.Context, w jetstream.KeyWatcher, again <-chan struct{}) bool {
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return ctx.Err() == nil
			}
			if !f.hand(ctx, e) {
				return false
			}
		case <-again:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

func (f *follower) hand(ctx context.Context, e jetstream.KeyValueEntry) bool {
	var out Entry // the empty one says that the initial values are done
	switch {
	case e == nil && f.initial:
		return true
	case e == nil:
		f.initial = true
	case e.Revision() <= f.last:
		return true
	default:
		f.last = e.Revision()
		out = Entry{Bucket: f.bucket, Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Created: e.Created(),
			Deleted: e.Operation() != jetstream.KeyValuePut}
	}
	select {
	case f.out <- out:
		return true
	case <-ctx.Done():
		return false
	}
}
