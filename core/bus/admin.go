package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Usage is what a bucket holds.
type Usage struct {
	Bytes, Limit int64  // on the server; a Limit below 1 is none
	Revision     uint64 // of the last write
}

// Usage asks how full a bucket is. CORE only.
func (c *Conn) Usage(ctx context.Context, bucket string) (Usage, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, StreamOf(bucket))
	if err != nil {
		return Usage{}, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	info := s.CachedInfo()
	return Usage{Bytes: int64(info.State.Bytes), Limit: info.Config.MaxBytes, Revision: info.State.LastSeq}, nil
}

// Purge removes the entries whose keys match the pattern, and their room with them: unlike
// Delete it leaves no marker, and watchers are not told. CORE only.
func (c *Conn) Purge(ctx context.Context, bucket, pattern string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, StreamOf(bucket))
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(ValueSubject(bucket, pattern)))
	}
	if err != nil {
		return fmt.Errorf("bucket %s: purge %s: %w", bucket, pattern, err)
	}
	return nil
}
