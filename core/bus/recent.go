package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// LastRevision is the revision of the last write to a bucket, 0 if there was none. CORE only.
func (c *Conn) LastRevision(ctx context.Context, bucket string) (uint64, error) {
	subject := "$JS.API.STREAM.INFO." + StreamOf(bucket)
	ctx, done := c.await(ctx, subject)
	defer done()
	s, err := c.js.Stream(ctx, StreamOf(bucket))
	if err != nil && errors.Is(context.Cause(ctx), ErrPermission) {
		err = ended(ctx, subject)
	}
	if err != nil {
		return 0, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// EntriesFrom calls each, in the order in which they were written, for the entries whose keys
// match the pattern and whose revisions are from or later. Deleted ones are left out.
func (c *Conn) EntriesFrom(ctx context.Context, bucket, pattern string, from uint64, each func(Entry) error) error {
	req := batch{NextFor: ValueSubject(bucket, pattern), Seq: max(1, from), Batch: maxBatch}
	err := c.directBatch(ctx, DirectBatch(bucket), req, func(m *nats.Msg) error {
		e, err := entryOf(bucket, m)
		if err != nil || e.Deleted {
			return err
		}
		return each(e)
	})
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return nil
}

// StreamLast calls each for the last message of each of these subjects; those that have none are
// left out, after a moment: any copy in a cluster answers, and one may lag behind. CORE only.
func (c *Conn) StreamLast(ctx context.Context, stream string, subjects []string, each func(subject string, data []byte) error) error {
	for part := range slices.Chunk(subjects, maxLast) {
		missing := slices.Clone(part)
		for try := 1; ; try++ {
			err := c.directBatch(ctx, "$JS.API.DIRECT.GET."+stream, batch{MultiLast: slices.Clone(missing)}, func(m *nats.Msg) error {
				subject := origin(m, originSubject)
				missing = slices.DeleteFunc(missing, func(s string) bool { return s == subject })
				return each(subject, m.Data)
			})
			if err != nil {
				return fmt.Errorf("stream %s: %w", stream, err)
			}
			if len(missing) == 0 || try == lagTries || !sleep(ctx, lagPause) {
				break
			}
		}
	}
	return nil
}

// A copy that lags is given that long, lagTries times.
const (
	lagTries = 8
	lagPause = 200 * time.Millisecond
)

// maxLast is how many whole messages one request asks for: together less than what the server
// puts into one answer.
const maxLast = 32
