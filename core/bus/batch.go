package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// maxBatch bounds one request for many messages; the rest is asked for again.
const maxBatch = 10000

// batch is the server's request for many messages at once, for which nats.go has no call.
type batch struct {
	Seq       uint64   `json:"seq,omitempty"`
	NextFor   string   `json:"next_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
}

// directBatch asks until everything has come and calls each, in stream order, for every message.
func (c *Conn) directBatch(ctx context.Context, subject string, req batch, each func(*nats.Msg) error) error {
	for {
		last, pending, err := c.directBatchOnce(ctx, subject, req, each)
		if err != nil || pending == 0 {
			return err
		}
		req.Seq = last + 1
	}
}

func (c *Conn) directBatchOnce(ctx context.Context, subject string, req batch, each func(*nats.Msg) error) (last, pending uint64, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return 0, 0, err
	}
	ctx, heard, cancel := boundedSilence(ctx)
	defer cancel()
	ctx, done := c.await(ctx, subject)
	defer done()
	inbox := c.nc.NewInbox()
	msgs := make(chan *nats.Msg, 256)
	stop := make(chan struct{})
	sub, err := c.nc.Subscribe(inbox, func(m *nats.Msg) {
		select {
		case msgs <- m:
		case <-stop:
		}
	})
	if err != nil {
		return 0, 0, fmt.Errorf("nats: %w", err)
	}
	defer close(stop)
	defer sub.Unsubscribe()
	sub.SetPendingLimits(-1, 64<<20) // a batch is bounded by the server at 64 MiB
	if err := c.nc.PublishRequest(subject, inbox, body); err != nil {
		return 0, 0, fmt.Errorf("nats: %s: %w", subject, err)
	}
	for {
		select {
		case m := <-msgs:
			heard()
			switch classify(m) {
			case stored:
				if err := each(m); err != nil {
					return 0, 0, err
				}
				continue
			case foreign: // one publisher's is no reason to withhold the rest
				c.foreign.Add(1)
				continue
			}
			switch m.Header.Get("Status") {
			case "204":
				last, _ = strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64)
				pending, _ = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
				if last == 0 {
					pending = 0
				}
				return last, pending, nil
			case "404":
				return 0, 0, nil
			default:
				return 0, 0, fmt.Errorf("%s: %w", subject, statusError(m))
			}
		case <-ctx.Done():
			return 0, 0, ended(ctx, subject)
		}
	}
}
