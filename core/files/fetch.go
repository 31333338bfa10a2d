package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ptorbus/zester/core/bus"
)

var (
	// ErrMissing: a chunk is not in the bucket.
	ErrMissing = errors.New("not in the bucket")
	// ErrOffline: what is asked for is not in the cache and the bus cannot be reached.
	ErrOffline = errors.New("not in the cache, and there is no connection to NATS")
)

const (
	windowChunks  = 8                // whole chunks asked for at once: 2 MiB
	windowBytes   = 2 << 20          // the same for small chunks
	windowKeys    = 256              // and by number
	windows       = 4                // under way at once when many files are fetched
	windowTimeout = 60 * time.Second // for one request
	windowTries   = 3
	// offlineWait is for a connection that may just be coming back: longer than the pauses between its attempts, up to 5 s.
	offlineWait = 10 * time.Second
)

// chunk is what there is to fetch.
type chunk struct {
	digest Digest
	size   int64
}

// fetcher gets chunks from the cache or the bus.
type fetcher struct {
	conn  *bus.Conn // nil: cache only
	cache *cache    // nil: none
	log   *slog.Logger
	wait  time.Duration // for a connection; 0 is offlineWait
}

// window returns the chunks' contents in order; one request brings what the cache lacks.
func (f fetcher) window(ctx context.Context, chunks []chunk) ([][]byte, error) {
	out := make([][]byte, len(chunks))
	places := map[Digest][]int{}
	var keys []string
	for i, c := range chunks {
		if f.cache != nil {
			out[i] = f.cache.get(c.digest, c.size)
		}
		if out[i] == nil {
			if places[c.digest] == nil {
				keys = append(keys, c.digest.String())
			}
			places[c.digest] = append(places[c.digest], i)
		}
	}
	if len(keys) == 0 {
		return out, nil
	}
	entries, err := f.request(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		d, err := parseDigest(e.Key)
		if err != nil || digestOf(e.Value) != d {
			return nil, fmt.Errorf("chunk %s: what the bucket holds does not have this SHA-256", e.Key)
		}
		for _, i := range places[d] {
			if int64(len(e.Value)) != chunks[i].size {
				return nil, fmt.Errorf("chunk %s: %d bytes instead of %d", e.Key, len(e.Value), chunks[i].size)
			}
			out[i] = e.Value
		}
		f.keep(d, e.Value)
	}
	for i, data := range out {
		if data == nil {
			return nil, fmt.Errorf("chunk %s: %w: this revision of the tree is no longer kept, or the bucket has lost data", chunks[i].digest, ErrMissing)
		}
	}
	return out, nil
}

// keep caches a chunk. A full disk costs the cache and not the run.
func (f fetcher) keep(d Digest, data []byte) {
	if f.cache == nil {
		return
	}
	if err := f.cache.put(d, data); err != nil {
		f.log.Warn("cannot cache a chunk", "error", err)
	}
}

// request asks the bus, and again at once if the connection was lost meanwhile.
func (f fetcher) request(ctx context.Context, keys []string) (entries []bus.Entry, err error) {
	if f.conn == nil {
		return nil, ErrOffline
	}
	for range windowTries {
		if !f.conn.Connected() {
			wait, cancel := context.WithTimeout(ctx, cmp.Or(f.wait, offlineWait))
			err = f.conn.WaitConnected(wait)
			cancel()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrOffline, err)
			}
		}
		attempt, cancel := context.WithTimeout(ctx, windowTimeout)
		stop := f.conn.OnConnect(cancel)
		entries, err = f.conn.GetMany(attempt, bus.BucketFiles, keys...)
		stop()
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return entries, err
}

// prefetch brings into the cache what it lacks of these chunks.
func (f fetcher) prefetch(ctx context.Context, chunks []chunk) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(windows)
	var batch []chunk
	var bytes int64
	flush := func() {
		part := batch
		batch, bytes = nil, 0
		if len(part) > 0 {
			group.Go(func() error {
				_, err := f.window(ctx, part)
				return err
			})
		}
	}
	seen := map[Digest]bool{}
	for _, c := range chunks {
		if seen[c.digest] || f.cache.has(c.digest, c.size) {
			continue
		}
		seen[c.digest] = true
		batch = append(batch, c)
		if bytes += c.size; bytes >= windowBytes || len(batch) >= windowKeys {
			flush()
		}
	}
	flush()
	return group.Wait()
}

// list is the blob's chunks from the i-th on, at most n.
func (b *blob) list(i, n int) []chunk {
	out := make([]chunk, 0, min(n, b.count()-i))
	for ; len(out) < n && i < b.count(); i++ {
		out = append(out, chunk{b.chunk(i), b.chunkLen(i)})
	}
	return out
}

// readBlob reads a blob into memory.
func readBlob(ctx context.Context, f fetcher, b *blob) ([]byte, error) {
	r := newReader(ctx, f, b)
	defer r.Close()
	data := make([]byte, b.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	if digestOf(data) != b.sum() {
		return nil, fmt.Errorf("content of SHA-256 %s: its chunks make something else", b.sum())
	}
	return data, nil
}

// reader streams a blob: while one window is read the next one is on its way.
type reader struct {
	cancel context.CancelFunc
	coming chan window
	ready  [][]byte
	err    error
}

type window struct {
	data [][]byte
	err  error
}

func newReader(ctx context.Context, f fetcher, b *blob) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{cancel: cancel, coming: make(chan window)}
	go func() {
		defer close(r.coming)
		for i := 0; i < b.count(); i += windowChunks {
			var w window
			w.data, w.err = f.window(ctx, b.list(i, windowChunks))
			select {
			case r.coming <- w:
			case <-ctx.Done():
				return
			}
			if w.err != nil {
				return
			}
		}
		select { // so that a cancelled reader does not look like a complete one
		case r.coming <- window{err: io.EOF}:
		case <-ctx.Done():
		}
	}()
	return r
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		w, ok := <-r.coming
		if !ok {
			r.err = context.Canceled
			continue
		}
		r.ready, r.err = w.data, w.err
	}
	n := copy(p, r.ready[0])
	if r.ready[0] = r.ready[0][n:]; len(r.ready[0]) == 0 {
		r.ready = r.ready[1:]
	}
	return n, nil
}

// Close ends the fetching. It need not be read to the end.
func (r *reader) Close() error {
	r.cancel()
	for range r.coming { // until the fetching has ended
	}
	r.ready, r.err = nil, context.Canceled
	return nil
}
