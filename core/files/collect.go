package files

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// filesStream is the stream behind the files bucket.
var filesStream = bus.StreamOf(bus.BucketFiles)

// orphanAge is how old a chunk that no manifest needs must be before it goes: a publisher that was at work when this one
// took over may be about to name it.
const orphanAge = time.Hour

// load finds out what the bucket holds and what the kept manifests of all trees need, unless that is known. It costs a
// list of the chunks' names and the manifests, once for each start as the publisher.
func (p *Publisher) load(ctx context.Context) error {
	if p.store != nil {
		return nil
	}
	s := newStore(p.o.Conn)
	names, err := p.o.Conn.StreamSubjects(ctx, filesStream, bus.ValueSubject(bus.BucketFiles, ">"))
	if err != nil {
		return err
	}
	listed := make(map[Digest]bool, len(names))
	for subject := range names {
		if d, err := parseDigest(strings.TrimPrefix(subject, bus.ValueSubject(bus.BucketFiles, ""))); err == nil {
			listed[d] = true
		}
	}
	entries, err := p.o.Conn.GetMany(ctx, bus.BucketTrees, ">")
	if err != nil {
		return err
	}
	complete := true
	for _, e := range entries {
		ptr, err := openPointer(e.Key, p.o.Account.Public(), e.Value)
		if err != nil {
			p.o.Log.Warn("a tree's pointer cannot be used", "tree", e.Key, "error", err)
			complete = false
			continue
		}
		for _, r := range append([]revision{ptr.Current}, ptr.Past...) {
			if err := p.loadManifest(ctx, s, &r); err != nil {
				p.o.Log.Warn("a kept manifest cannot be read", "tree", e.Key, "revision", r.Number, "error", err)
				complete = false
			}
		}
	}
	// A needed chunk is never deleted, so one that is needed and has a name is there.
	for d := range s.needed {
		if listed[d] {
			s.stored[d] = true
		}
	}
	p.store = s
	if complete {
		return p.collectOrphans(ctx, listed)
	}
	return nil
}

func (p *Publisher) loadManifest(ctx context.Context, s *store, r *revision) error {
	if _, ok := s.kept[r.Manifest.sum()]; ok {
		return nil
	}
	data, err := readBlob(ctx, fetcher{conn: p.o.Conn}, &r.Manifest)
	if err != nil {
		return err
	}
	m, err := decodeManifest(data)
	if err != nil {
		return err
	}
	s.keep(&r.Manifest, m)
	return nil
}

// collectOrphans deletes what an interrupted publication has left. The names of deleted chunks are still in the list; they
// come back without a value, cheaply.
func (p *Publisher) collectOrphans(ctx context.Context, listed map[Digest]bool) error {
	var orphans []string
	for d := range listed {
		if p.store.needed[d] == 0 {
			orphans = append(orphans, d.String())
		}
	}
	slices.Sort(orphans)
	for part := range slices.Chunk(orphans, windowChunks) {
		entries, err := p.o.Conn.GetMany(ctx, bus.BucketFiles, part...)
		if err != nil {
			return fmt.Errorf("look for chunks that nothing needs: %w", err)
		}
		for _, e := range entries {
			d, _ := parseDigest(e.Key)
			if time.Since(e.Created) < p.orphanAge {
				if digestOf(e.Value) == d {
					p.store.stored[d] = true // what was interrupted just now goes on where it was
				}
				continue
			}
			if err := p.store.remove(ctx, []Digest{d}); err != nil {
				return fmt.Errorf("delete chunks that nothing needs: %w", err)
			}
		}
	}
	return nil
}

// collect deletes the chunks of manifests that the old pointer kept and the new one does not.
func (p *Publisher) collect(ctx context.Context, old, next *pointer) error {
	if old == nil {
		return nil
	}
	for _, r := range append([]revision{old.Current}, old.Past...) {
		if next.Current.Manifest.sum() == r.Manifest.sum() || next.knows(r.Manifest.sum()) {
			continue
		}
		if err := p.store.remove(ctx, p.store.release(r.Manifest.sum())); err != nil {
			return err
		}
	}
	return nil
}
