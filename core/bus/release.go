package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sequence is the work's place in its stream, by which takers know what they speak of.
func (w Work) Sequence() uint64 {
	meta, err := w.msg.Metadata()
	if err != nil {
		return 0
	}
	return meta.Sequence.Stream
}

// ReleaseLost gives back all work of a queue that somebody has taken, or put off, and that held
// says nobody has in hand; it says how much that is. What was put off is delivered at once. CORE
// only.
func (c *Conn) ReleaseLost(ctx context.Context, q Queue, held func(sequence uint64) bool) (int, error) {
	consumer, err := c.js.Consumer(ctx, q.Stream, q.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", q.Stream, err)
	}
	info := consumer.CachedInfo()
	if info.NumAckPending == 0 {
		return 0, nil
	}
	released := 0
	err = c.directBatch(ctx, "$JS.API.DIRECT.GET."+q.Stream, batch{Seq: 1, NextFor: ">", Batch: maxBatch}, func(m *nats.Msg) error {
		seq, err := strconv.ParseUint(origin(m, originSequence), 10, 64)
		if err != nil || seq > info.Delivered.Stream || held(seq) {
			return nil
		}
		released++
		// Where its taker is gone nobody knows the claim, but the server asks for no more than this.
		return c.Release(fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.0.0", q.Stream, q.Durable, seq, info.Delivered.Consumer))
	})
	if err != nil {
		return released, fmt.Errorf("stream %s: %w", q.Stream, err)
	}
	return released, nil
}
