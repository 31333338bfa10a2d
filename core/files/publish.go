package files

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

var (
	// ErrOlder: the published tree is another master's and not older than the directory.
	ErrOlder = errors.New("not replacing a newer tree with an older one")
	// ErrEmptied: the directory has no files and the published tree has.
	ErrEmptied = errors.New("not replacing a tree with an empty directory")
)

// PublisherOptions configure a Publisher.
type PublisherOptions struct {
	Conn    *bus.Conn
	Account Signer            // *keys.Account
	Master  string            // name of this master, recorded in what it publishes
	Trees   map[string]string // directory of each tree that Follow keeps published
	// Environments are, for a tree, the directories of environments that do not stand below its own one as @NAME.
	Environments map[string]map[string]string
	Force        bool         // take over whatever is published: zester-master --force-publish
	Log          *slog.Logger // nil: nobody
	Metrics      *metrics.Set // nil: none
}

// Publisher publishes directories. One at a time may work for a fleet: the holder of the lease. Its methods may be called
// concurrently and take turns.
type Publisher struct {
	o         PublisherOptions
	orphanAge time.Duration

	mu    sync.Mutex
	store *store                // nil: not loaded since the last start or conflict
	trees map[string]*published // what this publisher has done

	state    sync.Mutex
	problems map[string]error
}

// published is what a Publisher remembers of a tree.
type published struct {
	mine   uint64 // bucket revision of the pointer that this publisher wrote or agreed with; 0 for none
	seen   map[string]*seen
	warned map[string]bool
}

// NewPublisher makes a Publisher. It does nothing until asked.
func NewPublisher(o PublisherOptions) *Publisher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	return &Publisher{o: o, orphanAge: orphanAge, trees: map[string]*published{}, problems: map[string]error{}}
}

// Publish makes the tree hold what the directory holds and reports whether that changed anything. An error leaves the
// published tree as it was. The first publication of a tree by this Publisher may be refused with ErrOlder, any with
// ErrEmptied.
func (p *Publisher) Publish(ctx context.Context, tree, dir string) (changed bool, err error) {
	if err := CheckTreeName(tree); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	started := time.Now()
	changed, err = p.publish(ctx, tree, dir)
	if err != nil {
		err = fmt.Errorf("tree %q: %w", tree, err)
	}
	p.note(tree, err)
	if changed {
		p.o.Metrics.GetOrCreateCounter("zester_tree_publications_total").Inc()
		p.o.Log.Info("published a tree", "tree", tree, "directory", dir, "seconds", time.Since(started).Seconds())
	}
	return changed, err
}

func (p *Publisher) publish(ctx context.Context, tree, dir string) (bool, error) {
	if err := p.load(ctx); err != nil {
		return false, err
	}
	old, rev, err := p.current(ctx, tree)
	if err != nil {
		return false, err
	}
	t := p.trees[tree]
	if t == nil {
		t = &published{warned: map[string]bool{}}
		p.trees[tree] = t
	}
	up := p.store.upload(ctx)
	s, err := scan(ctx, dir, p.o.Environments[tree], t.seen, up, p.warner(tree, dir, t))
	if sent := up.wait(); sent != nil && !errors.Is(sent, context.Canceled) {
		err = sent // the reason why the scan ended
	}
	if err != nil {
		return false, err
	}
	t.seen = s.seen
	body, m, err := p.putManifest(ctx, s.manifest)
	if err != nil {
		return false, err
	}
	if old != nil && old.Current.Manifest.sum() == body.sum() {
		t.mine = rev
		p.store.keep(&body, m)
		return false, nil
	}
	if err := p.mayReplace(old, t.mine == rev, s, body.sum()); err != nil {
		return false, err
	}
	return true, p.swap(ctx, tree, t, old, rev, s, body, m)
}

// putManifest stores the manifest and returns it as a blob.
func (p *Publisher) putManifest(ctx context.Context, m *manifest) (blob, *manifest, error) {
	data, err := m.encode()
	if err != nil {
		return blob{}, nil, err
	}
	up := p.store.upload(ctx)
	body, err := up.addBlob(data)
	if sent := up.wait(); sent != nil {
		err = sent
	}
	return body, m, err
}

// current reads the tree's pointer, nil if there is none, and its revision in the bucket, 0 if there is none.
func (p *Publisher) current(ctx context.Context, tree string) (*pointer, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	e, err := p.o.Conn.Get(ctx, bus.BucketTrees, tree)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	old, err := openPointer(tree, p.o.Account.Public(), e.Value)
	if err != nil && p.o.Force {
		p.o.Log.Warn("replacing a pointer that cannot be used", "tree", tree, "error", err)
		return nil, e.Revision, nil
	}
	if errors.Is(err, keys.ErrSignature) {
		return nil, 0, fmt.Errorf("%w: is account.seed the one of the master that published it? --force-publish replaces the tree", err)
	}
	return old, e.Revision, err
}

// mayReplace guards the published tree. What this publisher wrote itself, or a master of its name, it may replace with
// anything but nothing; another master's only with something newer.
func (p *Publisher) mayReplace(old *pointer, mine bool, s *scanned, sum Digest) error {
	const remedy = "bring the directory up to date, or start zester-master with --force-publish"
	switch {
	case old == nil || p.o.Force:
		return nil
	case len(s.manifest.files) == 0 && old.Current.Files > 0:
		return fmt.Errorf("%w: revision %d has %d files: is the directory mounted? Put a file there, or use --force-publish",
			ErrEmptied, old.Current.Number, old.Current.Files)
	case mine || old.Current.Master == p.o.Master:
		return nil
	case old.knows(sum):
		return fmt.Errorf("%w: the directory holds what revision %d, published by %q, has replaced: %s",
			ErrOlder, old.Current.Number, old.Current.Master, remedy)
	case s.newest.UnixNano() <= old.Current.Newest:
		return fmt.Errorf("%w: the last change in the directory is of %s, that of revision %d, published by %q, of %s: %s",
			ErrOlder, stamp(s.newest), old.Current.Number, old.Current.Master, stamp(time.Unix(0, old.Current.Newest)), remedy)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// swap makes the new manifest the current one and drops what has fallen out of the record.
func (p *Publisher) swap(ctx context.Context, tree string, t *published, old *pointer, rev uint64, s *scanned, body blob, m *manifest) error {
	next := old.next(tree, p.o.Master, time.Now(), s.newest, len(m.files), body)
	data, err := next.seal(p.o.Account)
	if err != nil {
		return err
	}
	put := func() (uint64, error) {
		ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
		defer cancel()
		if rev == 0 {
			return p.o.Conn.Create(ctx, bus.BucketTrees, tree, data)
		}
		return p.o.Conn.Update(ctx, bus.BucketTrees, tree, data, rev)
	}
	if t.mine, err = put(); err != nil {
		p.store = nil // somebody else is at work: look at everything anew
		return fmt.Errorf("swap the pointer: %w", err)
	}
	p.store.keep(&body, m)
	if err := p.collect(ctx, old, next); err != nil {
		p.o.Log.Warn("cannot delete chunks that nothing needs; the next start does", "tree", tree, "error", err)
	}
	return nil
}

func (p *Publisher) warner(tree, dir string, t *published) func(string, string) {
	return func(path, msg string) {
		if key := path + "\x00" + msg; !t.warned[key] {
			t.warned[key] = true
			p.o.Log.Warn("part of a directory is not published", "tree", tree, "directory", dir, "path", path, "reason", msg)
		}
	}
}

// note keeps the outcome for Problems.
func (p *Publisher) note(tree string, err error) {
	p.state.Lock()
	defer p.state.Unlock()
	if err != nil {
		p.problems[tree] = err
		p.o.Metrics.GetOrCreateCounter("zester_tree_publication_errors_total").Inc()
	} else {
		delete(p.problems, tree)
	}
}

// Problems gives the error of each tree whose last publication failed.
func (p *Publisher) Problems() map[string]error {
	p.state.Lock()
	defer p.state.Unlock()
	out := make(map[string]error, len(p.problems))
	for tree, err := range p.problems {
		out[tree] = err
	}
	return out
}
