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
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{entries: make(chan Entry, 64), cancel: cancel}
	f := follower{c: c, bucket: bucket, pattern: pattern, out: w.entries, live: map[string]struct{}{}}
	first, err := f.openFirst(ctx)
	if err != nil {
		cancel()
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, fmt.Errorf("nats at %s has no bucket %q: start a master, which creates it: %w", redacted(c.opts.URL), bucket, ErrNotFound)
		}
		return nil, fmt.Errorf("watch %s %s: %w", bucket, pattern, err)
	}
	go f.run(ctx, first)
	return w, nil
}

type follower struct {
	c       *Conn
	bucket  string
	pattern string
	out     chan Entry
	initial bool // the end of the initial values has been told

	created time.Time           // of the bucket's stream
	last    uint64              // revision
	live    map[string]struct{} // keys that were given and not deleted
	missing map[string]struct{} // of a bucket that was replaced: those that have not come again yet
}

// openFirst is open of a watch that nobody has yet: an answer that is late, or lost with a leader, does not fail it.
func (f *follower) openFirst(ctx context.Context) (*feed, error) {
	for deadline := time.Now().Add(answerWait); ; {
		w, err := f.open(ctx)
		if err == nil || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || time.Now().After(deadline) {
			return w, err
		}
	}
}

// open follows from where the last feed ended, or from the start if the bucket is another one.
func (f *follower) open(ctx context.Context) (*feed, error) {
	s, err := f.stream(ctx)
	if err != nil {
		return nil, err
	}
	state := s.CachedInfo()
	if f.replaced(state) {
		f.c.log.Warn("a bucket was replaced or has lost entries: it is read anew", "bucket", f.bucket,
			"revision", state.State.LastSeq, "known_revision", f.last, "entries", state.State.Msgs, "known_entries", len(f.live))
		f.last, f.missing = 0, maps.Clone(f.live)
	}
	f.created = state.Created
	from := uint64(0)
	if f.last > 0 {
		from = f.last + 1
	}
	return f.c.follow(ctx, s, f.bucket, f.pattern, from)
}

func (f *follower) stream(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return f.c.js.Stream(ctx, StreamOf(f.bucket))
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

// run replaces the feed at every reconnect, and when something is missing from it.
func (f *follower) run(ctx context.Context, w *feed) {
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
		w.stop()
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
func (f *follower) deliver(ctx context.Context, w *feed, again <-chan struct{}) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case e := <-w.entries:
			if !f.hand(ctx, e) {
				return false
			}
		case <-again:
			return true
		case <-w.broken:
			return true
		case <-look.C:
			s, err := f.stream(ctx)
			if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && f.replaced(s.CachedInfo()) {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func (f *follower) hand(ctx context.Context, e Entry) bool {
	switch {
	case e.Key == "":
		return f.handEnd(ctx)
	case e.Revision <= f.last:
		return true
	}
	f.last = e.Revision
	delete(f.missing, e.Key)
	if e.Deleted {
		delete(f.live, e.Key)
	} else {
		f.live[e.Key] = struct{}{}
	}
	return f.give(ctx, e)
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
