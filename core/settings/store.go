package settings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/keys"
)

// ErrNone: no settings have been stored for this peel yet.
var ErrNone = errors.New("no settings yet")

// StoreOptions configure a Store.
type StoreOptions struct {
	Conn      *bus.Conn // nil: cache only
	ID        string
	Identity  *keys.Identity
	Account   string       // the account's public key
	CacheFile string       // where the sealed settings are kept; "" for nowhere
	Log       *slog.Logger // nil: nobody
}

// Store is a peel's own settings.
type Store struct {
	o       StoreOptions
	loaded  chan struct{} // closed when there are settings
	reading sync.Mutex    // one Refresh at a time

	mu     sync.Mutex
	serial int64
	parcel
	have  bool
	hooks map[int]func(*Map)
	next  int
}

// NewStore makes a Store and takes up what is cached. A cache that cannot be used is logged and passed over.
func NewStore(o StoreOptions) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, loaded: make(chan struct{}), parcel: parcel{data: NewMap(0)}, hooks: map[int]func(*Map){}}
	if o.CacheFile == "" {
		return s
	}
	data, err := os.ReadFile(o.CacheFile)
	if errors.Is(err, fs.ErrNotExist) {
		return s
	}
	if err == nil {
		_, err = s.take(data, false)
	}
	if err != nil {
		o.Log.Warn("the cached settings cannot be used; waiting for the bus", "file", o.CacheFile, "error", err)
	}
	return s
}

// take opens an entry and makes it the current one if it is newer. It is cached first: what a reader has seen is not
// forgotten by a crash, so that an older entry cannot come after it.
func (s *Store) take(data []byte, cache bool) (changed bool, err error) {
	serial, p, err := open(s.o.Identity, s.o.Account, s.o.ID, data)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	have, known := s.have, s.serial
	s.mu.Unlock()
	switch {
	case have && serial < known:
		return false, fmt.Errorf("%w: sealed %s, and the known ones %s", errOlder, sealedAt(serial), sealedAt(known))
	case have && serial == known:
		return false, nil
	}
	if cache && s.o.CacheFile != "" {
		if err := config.WriteFile(s.o.CacheFile, data, 0o600); err != nil {
			s.o.Log.Warn("cannot cache the settings", "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.have {
		close(s.loaded)
	}
	s.serial, s.parcel, s.have = serial, p, true
	return true, nil
}

// errOlder: the bucket holds settings from before those that are known.
var errOlder = errors.New("older than what this peel has had, and not taken: was NATS restored from a copy, or is somebody playing back old settings?")

func sealedAt(serial int64) string { return time.Unix(0, serial).UTC().Format(time.RFC3339) }

// Get returns the settings, empty if there are none yet.
func (s *Store) Get() *Map {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// Groups says of each group of peels that the masters know whether this peel belongs to it. Read it only.
func (s *Store) Groups() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups
}

// Plain returns the settings without their order, shared: read them only.
func (s *Store) Plain() map[string]any { return s.Get().Plain() }

// Lookup finds one value by path, "a:b" or "a.b", as facts.Get does. The value is plain data, shared: read it only.
func (s *Store) Lookup(path string) (any, bool) { return facts.Get(s.Plain(), path) }

// Wait returns when there are settings, from the cache or the bus, or with the context's error.
func (s *Store) Wait(ctx context.Context) error {
	select {
	case <-s.loaded:
		return nil
	default:
	}
	select {
	case <-s.loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("settings of %q: %w: %w", s.o.ID, ErrNone, context.Cause(ctx))
	}
}

// OnChange calls f with the settings whenever they have changed, one call at a time, until stop is called.
func (s *Store) OnChange(f func(*Map)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.hooks[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hooks, id)
	}
}

// Refresh reads this peel's entry. An entry older than what is known is passed over.
func (s *Store) Refresh(ctx context.Context) error {
	_, err := s.refresh(ctx)
	if err != nil && !errors.Is(err, errOlder) {
		return fmt.Errorf("settings of %q: %w", s.o.ID, err)
	}
	return nil
}

func (s *Store) refresh(ctx context.Context) (changed bool, err error) {
	if s.o.Conn == nil {
		return false, ErrNone
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	e, err := s.o.Conn.Get(ctx, bus.BucketSettings, bus.Token(s.o.ID))
	if errors.Is(err, bus.ErrNotFound) {
		return false, ErrNone
	}
	if err != nil {
		return false, err
	}
	changed, err = s.take(e.Value, true)
	if changed {
		s.tell()
	}
	return changed, err
}

func (s *Store) tell() {
	s.mu.Lock()
	hooks := make([]func(*Map), 0, len(s.hooks))
	for _, f := range s.hooks {
		hooks = append(hooks, f)
	}
	s.mu.Unlock()
	for _, f := range hooks {
		f(s.Get())
	}
}

const (
	refreshTimeout = 10 * time.Second
	// hintPause bounds how often forged hints can make a peel ask.
	hintPause = 50 * time.Millisecond
)

// again is when a read that brought nothing new is repeated: a hint can be ahead of the replica that answers.
var again = []time.Duration{300 * time.Millisecond, 2 * time.Second}

// Follow keeps the settings current until the context ends: it reads at each connect and when a hint tells of a change, and
// sends nothing otherwise.
func (s *Store) Follow(ctx context.Context) error {
	if s.o.Conn == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	hints := make(chan struct{}, 1)
	hint := func() {
		select {
		case hints <- struct{}{}:
		default:
		}
	}
	sub, err := s.o.Conn.Hints(bus.BucketSettings, bus.Token(s.o.ID), hint)
	if err != nil {
		return fmt.Errorf("settings of %q: %w", s.o.ID, err)
	}
	defer sub.Stop()
	hint()
	var asked time.Time
	for {
		select {
		case <-hints:
			s.catchUp(ctx, hints, &asked)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// catchUp reads until there is something new, or that is no longer to be expected. asked is when the bus was last asked.
func (s *Store) catchUp(ctx context.Context, hints <-chan struct{}, asked *time.Time) {
	for i := 0; i <= len(again); i++ {
		if !sleep(ctx, time.Until(asked.Add(hintPause))) {
			return
		}
		*asked = time.Now()
		changed, err := s.refresh(ctx)
		last := changed || i == len(again)
		switch {
		case err == nil || errors.Is(err, ErrNone) || ctx.Err() != nil:
		case errors.Is(err, errOlder) && !last: // a replica that lags behind
		default:
			s.o.Log.Warn("cannot read the settings", "error", err)
		}
		if last {
			return
		}
		select {
		case <-time.After(again[i]):
		case <-hints:
			i = -1 // a new hint begins anew
		case <-ctx.Done():
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
