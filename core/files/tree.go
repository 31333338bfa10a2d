package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
)

// ErrNoTree: nobody has published this tree yet.
var ErrNoTree = errors.New("not published")

const (
	refreshTimeout = 10 * time.Second
	// lag is how long after a hint a replica may still answer with the old pointer.
	lag = 2 * time.Second
	// keepUnused is how long chunks that the current manifest does not need stay in the cache.
	keepUnused = 7 * 24 * time.Hour
	pruneEvery = 24 * time.Hour
)

// Tree is a peel's copy of a published tree. It asks the bus once at the start, then after a hint or a reconnect, and only when it
// is used. It is safe for concurrent use.
type Tree struct {
	name    string
	account string
	conn    *bus.Conn
	pointer string // file of the last pointer
	fetch   fetcher
	log     *slog.Logger
	hints   *bus.Subscription

	refreshing sync.Mutex // held while the bus is asked
	pruned     time.Time

	mu      sync.Mutex
	current *Snapshot // nil: none yet
	stale   bool
	hinted  time.Time
}

// NewTree makes the peel's copy of a tree below cacheDir, and takes up what is cached there. conn may be nil, for a peel
// that has only its cache. The account's public key says whose pointers count.
func NewTree(conn *bus.Conn, name, cacheDir, account string, log *slog.Logger) (*Tree, error) {
	if err := CheckTreeName(name); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir := filepath.Join(cacheDir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache of tree %q: %w", name, err)
	}
	t := &Tree{
		name: name, account: account, conn: conn, log: log, stale: true,
		pointer: filepath.Join(dir, "pointer"),
		fetch:   fetcher{conn: conn, cache: &cache{filepath.Join(dir, "chunks")}, log: log},
	}
	t.restore()
	if conn == nil {
		return t, nil
	}
	var err error
	if t.hints, err = conn.Hints(bus.BucketTrees, name, t.hint); err != nil {
		return nil, fmt.Errorf("tree %q: %w", name, err)
	}
	return t, nil
}

// Close ends listening for hints.
func (t *Tree) Close() {
	if t.hints != nil {
		t.hints.Stop()
	}
}

func (t *Tree) hint() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale, t.hinted = true, time.Now()
}

// restore takes up the cached pointer if its manifest is cached as well.
func (t *Tree) restore() {
	data, err := os.ReadFile(t.pointer)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		var p *pointer
		if p, err = openPointer(t.name, t.account, data); err == nil {
			cached := t.fetch
			cached.conn = nil
			t.current, err = t.snapshot(context.Background(), cached, p)
		}
	}
	if err != nil {
		t.log.Warn("the cached tree cannot be used and is fetched anew", "tree", t.name, "error", err)
	}
}

func (t *Tree) snapshot(ctx context.Context, f fetcher, p *pointer) (*Snapshot, error) {
	data, err := readBlob(ctx, f, &p.Current.Manifest)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(data)
	if err != nil {
		return nil, err
	}
	return &Snapshot{tree: t.name, revision: p.Current, manifest: m, fetch: t.fetch}, nil
}

// Refresh asks the bus for the current revision, whatever hints say.
func (t *Tree) Refresh(ctx context.Context) error {
	if err := t.refresh(ctx); err != nil {
		return fmt.Errorf("tree %q: %w", t.name, err)
	}
	return nil
}

func (t *Tree) refresh(ctx context.Context) error {
	if t.conn == nil {
		return ErrOffline
	}
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	asked := time.Now()
	e, err := t.conn.Get(ctx, bus.BucketTrees, t.name)
	if errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("%w: a master does that when it starts; does it have the directory?", ErrNoTree)
	}
	if err != nil {
		return err
	}
	p, err := openPointer(t.name, t.account, e.Value)
	if errors.Is(err, keys.ErrSignature) {
		return fmt.Errorf("%w: the master that published it has another account.seed than the one this peel enrolled with", err)
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	old := t.current
	t.mu.Unlock()
	if old != nil && p.Current.Published <= old.revision.Published {
		if t.settle(asked, false) && p.Current.Published < old.revision.Published { // and no replica that lags behind
			t.log.Warn("the published tree is older than what this peel has had, and not taken: was NATS restored from a copy, or is somebody playing back an old tree?",
				"tree", t.name, "revision", p.Current.Number, "known", old.revision.Number)
		}
		return nil
	}
	next, err := t.snapshot(ctx, t.fetch, p)
	if err != nil {
		return fmt.Errorf("revision %d: %w", p.Current.Number, err)
	}
	// The manifest is in the cache already, so this pointer never leads nowhere.
	if err := config.WriteFile(t.pointer, e.Value, 0o600); err != nil {
		t.log.Warn("cannot cache the tree's pointer", "tree", t.name, "error", err)
	}
	t.mu.Lock()
	t.current = next
	t.mu.Unlock()
	t.settle(asked, true)
	t.prune(next)
	return nil
}

// settle ends staleness if the answer can be trusted to be the last word on all hints: it brought something new, or comes late
// enough after the last one. It reports whether that is so.
func (t *Tree) settle(asked time.Time, changed bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := asked.After(t.hinted) && (changed || asked.Sub(t.hinted) > lag)
	if last {
		t.stale = false
	}
	return last
}

func (t *Tree) prune(s *Snapshot) {
	if time.Since(t.pruned) < pruneEvery {
		return
	}
	t.pruned = time.Now()
	wanted := map[Digest]bool{}
	for i := range s.revision.Manifest.count() {
		wanted[s.revision.Manifest.chunk(i)] = true
	}
	s.manifest.digests(func(d Digest) { wanted[d] = true })
	err := t.fetch.cache.prune(time.Now().Add(-keepUnused), func(d Digest) bool { return wanted[d] })
	if err != nil {
		t.log.Warn("cannot tidy the cache", "tree", t.name, "error", err)
	}
}

// Snapshot returns the tree's current revision, asking the bus if a hint has made the known one doubtful. With the bus
// out of reach it is the last one known; only if there is none the error is returned.
func (t *Tree) Snapshot(ctx context.Context) (*Snapshot, error) {
	t.mu.Lock()
	current, stale := t.current, t.stale
	t.mu.Unlock()
	if current != nil && (!stale || t.conn == nil || !t.conn.Connected()) {
		return current, nil
	}
	err := t.Refresh(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.current == nil:
		return nil, err
	case err != nil:
		t.log.Warn("going on with the tree as it was last known", "tree", t.name, "revision", t.current.Revision(), "error", err)
	}
	return t.current, nil
}

type pinned struct{ tree *Tree }

// Pin fixes the tree's current revision for everything done with the returned context: Load, Open, Stat and List of the Tree then
// see that one, so that a long-lived loader serves a run consistently.
func (t *Tree) Pin(ctx context.Context) (context.Context, error) {
	s, err := t.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, pinned{t}, s), nil
}

func (t *Tree) at(ctx context.Context) (*Snapshot, error) {
	if s, ok := ctx.Value(pinned{t}).(*Snapshot); ok {
		return s, nil
	}
	return t.Snapshot(ctx)
}

var _ Source = (*Tree)(nil)

// look finds the snapshot and the path in it that a path means.
func (t *Tree) look(ctx context.Context, path string) (*Snapshot, place, error) {
	p, err := locate(ctx, path)
	if err != nil {
		return nil, p, err
	}
	s, err := t.at(ctx)
	return s, p, err
}

// Load implements Source and render.Loader at the pinned or the current revision, in the context's environment.
func (t *Tree) Load(ctx context.Context, path string) ([]byte, error) {
	s, p, err := t.look(ctx, path)
	if err != nil {
		return nil, err
	}
	return s.Load(ctx, p.inTree())
}

// Open implements Source like Load.
func (t *Tree) Open(ctx context.Context, path string) (io.ReadCloser, Info, error) {
	s, p, err := t.look(ctx, path)
	if err != nil {
		return nil, Info{}, err
	}
	r, info, err := s.Open(ctx, p.inTree())
	return r, p.seen(info), err
}

// Stat implements Source like Load.
func (t *Tree) Stat(ctx context.Context, path string) (Info, error) {
	s, p, err := t.look(ctx, path)
	if err != nil {
		return Info{}, err
	}
	info, err := s.Stat(ctx, p.inTree())
	return p.seen(info), err
}

// List implements Source like Load.
func (t *Tree) List(ctx context.Context, dir string) ([]Info, error) {
	s, p, err := t.look(ctx, dir)
	if err != nil {
		return nil, err
	}
	return p.seenAll(s.List(ctx, p.inTree()))
}
