package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Watcher delivers a bucket's entries and their changes. It goes on by itself after
// reconnects, from the last revision it delivered. In a cluster a watch can be served by another
// server than the one connected to; if that one is lost, it goes on after some 20 s. If the
// bucket was deleted and created anew, restored from a copy, or purged, it gives what is there
// then, and the keys that are gone as deleted; without a reconnect it notices in half a minute.
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
	f := follower{c: c, kv: kv, bucket: bucket, pattern: pattern, out: w.entries, live: map[string]struct{}{}}
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
	initial bool // the end of the initial values has been told

	created time.Time           // of the bucket's stream
	last    uint64              // revision
	live    map[string]struct{} // keys that were given and not deleted
	missing map[string]struct{} // of a bucket that was replaced: those that have not come again yet
}

// open watches from where the last watch ended, or from the start if the bucket is another one.
func (f *follower) open(ctx context.Context) (jetstream.KeyWatcher, error) {
	state, err := f.state(ctx)
	if err != nil {
		return nil, err
	}
	if f.replaced(state) {
		f.c.log.Warn("a bucket was replaced or has lost entries: it is read anew", "bucket", f.bucket,
			"revision", state.State.LastSeq, "known_revision", f.last, "entries", state.State.Msgs, "known_entries", len(f.live))
		f.last, f.missing = 0, maps.Clone(f.live)
	}
	f.created = state.Created
	if f.last > 0 {
		return f.kv.Watch(ctx, f.pattern, jetstream.ResumeFromRevision(f.last+1))
	}
	return f.kv.Watch(ctx, f.pattern)
}

func (f *follower) state(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := f.c.js.Stream(ctx, StreamOf(f.bucket))
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// replaced says whether revisions of this bucket mean something else than those seen before, or
// entries are gone without a word: purged or, in a bucket with a time to live, expired.
func (f *follower) replaced(state *jetstream.StreamInfo) bool {
	return !f.created.IsZero() &&
		(!state.Created.Equal(f.created) || state.State.LastSeq < f.last || state.State.Msgs < uint64(len(f.live)))
}

const (
	lookEvery   = 30 * time.Second // at whether the bucket is still the same
	lookTimeout = 3 * time.Second
)

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
		level := slog.LevelWarn // once; what is lost may stay so for long
		for w, err = f.open(ctx); err != nil; w, err = f.open(ctx) {
			f.c.log.Log(ctx, level, "a watch cannot be renewed yet", "bucket", f.bucket, "error", err)
			level = slog.LevelDebug
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
	look := time.NewTicker(lookEvery)
	defer look.Stop()
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
		case <-look.C:
			state, err := f.state(ctx)
			if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && f.replaced(state) {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func (f *follower) hand(ctx context.Context, e jetstream.KeyValueEntry) bool {
	switch {
	case e == nil:
		return f.handEnd(ctx)
	case e.Revision() <= f.last:
		return true
	}
	out := Entry{Bucket: f.bucket, Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Created: e.Created(),
		Deleted: e.Operation() != jetstream.KeyValuePut}
	f.last = out.Revision
	delete(f.missing, out.Key)
	if out.Deleted {
		delete(f.live, out.Key)
	} else {
		f.live[out.Key] = struct{}{}
	}
	return f.give(ctx, out)
}

// handEnd tells the end of the initial values, the first time, and later what a bucket that was
// replaced no longer has.
func (f *follower) handEnd(ctx context.Context) bool {
	for _, key := range slices.Sorted(maps.Keys(f.missing)) {
		delete(f.live, key)
		if !f.give(ctx, Entry{Bucket: f.bucket, Key: key, Revision: f.last, Deleted: true}) {
			return false
		}
	}
	f.missing = nil
	if f.initial {
		return true
	}
	f.initial = true
	return f.give(ctx, Entry{})
}

func (f *follower) give(ctx context.Context, e Entry) bool {
	select {
	case f.out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}
