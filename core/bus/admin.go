package bus

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Usage is what a bucket holds.
type Usage struct {
	Bytes, Limit int64  // on the server; a Limit below 1 is none
	Entries      uint64 // markers of deletions among them
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
	return Usage{Bytes: int64(info.State.Bytes), Limit: info.Config.MaxBytes, Entries: info.State.Msgs, Revision: info.State.LastSeq}, nil
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

// Sizes calls each for every message a bucket holds, markers of deletions among them, with the
// room it takes, a few bytes more or less. Messages whose headers cannot be read count as the
// largest there may be. It reads all of the bucket. CORE only.
func (c *Conn) Sizes(ctx context.Context, bucket string, each func(key string, bytes int64)) error {
	const record = 30 // what the server adds to each
	read := map[string]bool{}
	req := batch{NextFor: ValueSubject(bucket, ">"), Seq: 1, Batch: maxBatch}
	err := c.directBatch(ctx, DirectBatch(bucket), req, func(m *nats.Msg) error {
		e, err := entryOf(bucket, m)
		if err == nil {
			read[e.Key] = true
			each(e.Key, int64(record+len(ValueSubject(bucket, e.Key))+len(m.Data)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	subjects, err := c.StreamSubjects(ctx, StreamOf(bucket), ValueSubject(bucket, ">"))
	if err != nil {
		return err
	}
	for subject := range subjects {
		if key := strings.TrimPrefix(subject, ValueSubject(bucket, "")); !read[key] {
			each(key, largest(bucket))
		}
	}
	return nil
}

func largest(bucket string) int64 {
	for _, b := range buckets {
		if b.name == bucket {
			return int64(b.maxValue)
		}
	}
	return mib
}
