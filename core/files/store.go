package files

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ptorbus/zester/core/bus"
)

const (
	uploads       = 8                // chunks on their way at once
	uploadTimeout = 30 * time.Second // for one chunk
)

// store is the files bucket as a publisher sees it: which chunks it holds, and which manifests need them. One goroutine uses
// it, but for what uploads note.
type store struct {
	conn *bus.Conn

	mu     sync.Mutex
	stored map[Digest]bool     // known to be in the bucket
	needed map[Digest]int      // by how many kept manifests
	kept   map[Digest][]Digest // chunks of each kept manifest, by the manifest's digest, its own included
}

func newStore(conn *bus.Conn) *store {
	return &store{conn: conn, stored: map[Digest]bool{}, needed: map[Digest]int{}, kept: map[Digest][]Digest{}}
}

func (s *store) has(d Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored[d]
}

// keep records that a manifest is kept and what it needs.
func (s *store) keep(b *blob, m *manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.kept[b.sum()]; ok {
		return
	}
	unique := map[Digest]bool{}
	for i := range b.count() {
		unique[b.chunk(i)] = true
	}
	m.digests(func(d Digest) { unique[d] = true })
	list := make([]Digest, 0, len(unique))
	for d := range unique {
		list = append(list, d)
		s.needed[d]++
	}
	s.kept[b.sum()] = list
}

// release records that a manifest is kept no longer and returns the chunks that nothing needs now.
func (s *store) release(sum Digest) []Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var free []Digest
	for _, d := range s.kept[sum] {
		if s.needed[d]--; s.needed[d] == 0 {
			delete(s.needed, d)
			free = append(free, d)
		}
	}
	delete(s.kept, sum)
	return free
}

// remove deletes chunks from the bucket.
func (s *store) remove(ctx context.Context, digests []Digest) error {
	for _, d := range digests {
		s.mu.Lock()
		delete(s.stored, d)
		s.mu.Unlock()
		if err := s.conn.Delete(ctx, bus.BucketFiles, d.String()); err != nil {
			return err
		}
	}
	return nil
}

// upload sends chunks in parallel, each at most once.
type upload struct {
	s       *store
	group   *errgroup.Group
	ctx     context.Context
	started map[Digest]bool
	sent    int
}

func (s *store) upload(ctx context.Context) *upload {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	return &upload{s: s, group: group, ctx: ctx, started: map[Digest]bool{}}
}

// add sends a chunk unless the bucket has it; it takes over data. It blocks while enough are on their way.
func (u *upload) add(d Digest, data []byte) error {
	if err := u.ctx.Err(); err != nil {
		return context.Cause(u.ctx)
	}
	if u.started[d] || u.s.has(d) {
		return nil
	}
	u.started[d] = true
	u.sent++
	u.group.Go(func() error {
		ctx, cancel := context.WithTimeout(u.ctx, uploadTimeout)
		defer cancel()
		_, err := u.s.conn.Put(ctx, bus.BucketFiles, d.String(), data)
		switch {
		case errors.Is(err, bus.ErrFull):
			return fmt.Errorf("%w: raise the bucket's limit, for example \"nats stream edit %s --max-bytes 8GB\"", err, bus.StreamOf(bus.BucketFiles))
		case err != nil:
			return err
		}
		u.s.mu.Lock()
		defer u.s.mu.Unlock()
		u.s.stored[d] = true
		return nil
	})
	return nil
}

// wait returns when everything added has been stored, or with the first error.
func (u *upload) wait() error { return u.group.Wait() }

// addBlob cuts data into chunks and adds them.
func (u *upload) addBlob(data []byte) (blob, error) {
	var chunks []Digest
	for rest := data; len(rest) > 0; {
		part := rest[:min(ChunkSize, len(rest))]
		rest = rest[len(part):]
		d := digestOf(part)
		if err := u.add(d, part); err != nil {
			return blob{}, err
		}
		chunks = append(chunks, d)
	}
	return newBlob(int64(len(data)), digestOf(data), chunks), nil
}
