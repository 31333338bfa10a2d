package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamState is how much a stream holds.
type StreamState struct {
	Messages, Bytes uint64
	Last            uint64 // sequence of the newest message there ever was
}

// StreamState asks a stream how much it holds. CORE only.
func (c *Conn) StreamState(ctx context.Context, stream string) (StreamState, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return StreamState{}, fmt.Errorf("stream %s: %w", stream, err)
	}
	state := s.CachedInfo().State
	return StreamState{state.Msgs, state.Bytes, state.LastSeq}, nil
}

// Streams are the names of all streams, the buckets' too. CORE only.
func (c *Conn) Streams(ctx context.Context) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list := c.js.StreamNames(ctx)
	var names []string
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	return names, nil
}

// headersPage is how many messages StreamSequences asks for at once.
const headersPage = 2000

// emptyPages is how many pages in a row may come back empty, from a server or to a host that stands
// still, though there are messages.
const emptyPages = 3

// StreamSequences calls each, in order, for the messages from one sequence to another, both
// included, without reading their contents. It is an error if some do not come. CORE only.
func (c *Conn) StreamSequences(ctx context.Context, stream string, from, to uint64, each func(seq uint64, subject string) error) error {
	consumer, err := c.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(1, from), HeadersOnly: true,
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	left := info.NumPending
	for empty := 0; left > 0; {
		before := left
		page, err := consumer.FetchNoWait(headersPage)
		if err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
		for m := range page.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("stream %s: %w", stream, err)
			}
			if left = meta.NumPending; meta.Sequence.Stream > to {
				return nil
			}
			if err := each(meta.Sequence.Stream, m.Subject()); err != nil {
				return err
			}
			empty = 0
		}
		if err := cmp.Or(page.Error(), ctx.Err()); err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
		if left == before {
			if empty++; empty == emptyPages {
				return fmt.Errorf("stream %s: %d messages do not come", stream, left)
			}
		}
	}
	return nil
}

// Remove takes one message out of a stream. Removing what is not there is no error. CORE only.
func (c *Conn) Remove(ctx context.Context, stream string, seq uint64) error {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	if err := s.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	return nil
}
