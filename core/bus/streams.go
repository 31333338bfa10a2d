package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Streams beside the buckets.
const (
	StreamReturns     = "returns"
	StreamSubmissions = "submissions"
	StreamEvents      = "events"
)

// StreamSubjects gives the subjects in a stream that match the filter, with how many messages
// each has: the cheap way to see who has returned. CORE only.
func (c *Conn) StreamSubjects(ctx context.Context, stream, filter string) (map[string]uint64, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	return info.State.Subjects, nil
}

// StreamMessages calls each, in stream order, for every stored message whose subject matches
// the filter. CORE only.
func (c *Conn) StreamMessages(ctx context.Context, stream, filter string, each func(subject string, data []byte, stored time.Time) error) error {
	req := batch{Seq: 1, NextFor: filter, Batch: maxBatch}
	err := c.directBatch(ctx, "$JS.API.DIRECT.GET."+stream, req, func(m *nats.Msg) error {
		stored, _ := time.Parse(time.RFC3339Nano, origin(m, originTime))
		return each(origin(m, originSubject), m.Data, stored)
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	return nil
}

// clockTimeout is short: an answer that takes longer says little of what time it is, and one
// that is lost with a connection never comes.
const clockTimeout = 2 * time.Second

// ServerTime is what the clock of the server says to which the connection goes, for comparing
// with times that NATS has put on messages. CORE only.
func (c *Conn) ServerTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, clockTimeout, fmt.Errorf("no answer in %s: %w", clockTimeout, context.DeadlineExceeded))
	defer cancel()
	reply, err := c.request(ctx, nats.NewMsg("$SYS.REQ.USER.INFO"))
	if err != nil {
		return time.Time{}, err
	}
	var info struct {
		Server struct {
			Time time.Time `json:"time"`
		} `json:"server"`
	}
	if err := json.Unmarshal(reply.Data, &info); err != nil || info.Server.Time.IsZero() {
		return time.Time{}, fmt.Errorf("nats does not tell its time: %.60q", reply.Data)
	}
	return info.Server.Time, nil
}

// Work is a message taken from a work queue. Until Done or Later it belongs to its taker;
// if neither comes within the consumer's AckWait, another taker gets it.
type Work struct {
	Subject string
	Data    []byte
	Attempt uint64 // 1 at first
	Stored  time.Time
	msg     jetstream.Msg
}

// Done removes the work from the queue.
func (w Work) Done() error { return w.msg.Ack() }

// Later gives the work back, to be delivered again, to anyone, after d.
func (w Work) Later(d time.Duration) error { return w.msg.NakWithDelay(d) }

// Busy keeps the work for another AckWait.
func (w Work) Busy() error { return w.msg.InProgress() }

// Queue says how a work queue is consumed.
type Queue struct {
	Stream  string
	Durable string
	AckWait time.Duration // how long a taker that dies holds up what it had
	Workers int           // how many messages one process handles at once
}

// Work consumes a work queue, shared by all processes that name the same durable, until the
// context ends. It takes one message at a time from the server, so that a stuck process
// holds up nothing but what it works on. If the queue is lost it goes on when there is one
// again. It returns when every handler has. CORE only.
func (c *Conn) Work(ctx context.Context, q Queue, h func(context.Context, Work)) error {
	consumer, err := c.consumer(ctx, q)
	if err != nil {
		return fmt.Errorf("stream %s: %w", q.Stream, err)
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	slots := make(chan struct{}, max(1, q.Workers))
	handle := func(m jetstream.Msg) {
		handlers.Go(func() {
			defer func() { <-slots }()
			h(ctx, workOf(m))
		})
	}
	for {
		if err == nil {
			err = c.consume(ctx, consumer, slots, handle)
		}
		if ctx.Err() != nil {
			return nil
		}
		c.log.Warn("the work queue is out of reach", "stream", q.Stream, "error", err)
		if !sleep(ctx, time.Second) {
			return nil
		}
		consumer, err = c.consumer(ctx, q)
	}
}

func (c *Conn) consumer(ctx context.Context, q Queue) (jetstream.Consumer, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return c.js.CreateOrUpdateConsumer(ctx, q.Stream, jetstream.ConsumerConfig{
		Durable: q.Durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.AckWait,
		MaxAckPending: -1, MaxDeliver: -1,
	})
}

// consume hands on messages until the context ends or the consumer is lost. Each message takes
// a slot, which the handler gives back. It fetches one at a time: what nats.go's iterator has
// asked for it keeps in a channel of one, where a heartbeat can be in a message's way, which is
// then dropped and not delivered again before AckWait.
func (c *Conn) consume(ctx context.Context, consumer jetstream.Consumer, slots chan struct{}, handle func(jetstream.Msg)) error {
	for {
		slots <- struct{}{}
		m, err := fetchOne(ctx, consumer)
		if m != nil {
			handle(m)
			continue
		}
		<-slots
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil: // nothing has come in this while
		// Silence is of a server that is away, and passes, or of a consumer that is gone, which
		// nobody tells.
		case !errors.Is(err, jetstream.ErrNoHeartbeat) || c.lost(ctx, consumer):
			return err
		}
	}
}

// fetchOne waits a while for a message; nil if none has come.
func fetchOne(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	batch, err := consumer.Fetch(1, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(time.Second))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		return m, nil
	}
	return nil, batch.Error()
}

func (c *Conn) lost(ctx context.Context, consumer jetstream.Consumer) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := consumer.Info(ctx)
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

func workOf(m jetstream.Msg) Work {
	w := Work{Subject: m.Subject(), Data: m.Data(), msg: m, Attempt: 1}
	if meta, err := m.Metadata(); err == nil {
		w.Attempt, w.Stored = meta.NumDelivered, meta.Timestamp
	}
	return w
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
