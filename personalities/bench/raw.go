package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// What the messages of the raw exchange carry: about as much as a command with its proof, and a return.
const (
	rawAsk   = 512
	rawReply = 128
)

// scatter is the least that asking everybody costs: a message to each, and one from each, with nothing in between but NATS.
type scatter struct {
	conn    *bus.Conn
	asks    []string
	replies atomic.Int64
	all     chan struct{}
}

// newScatter connects as many clients of their own as there are peels. They are in one account, which costs least.
func newScatter(ctx context.Context, s *swarm) (*scatter, error) {
	n := len(s.ids)
	sc := &scatter{conn: s.core, all: make(chan struct{}, 1)}
	conns, err := s.connectMany(ctx, n, bus.Core, func(i int) (keys.Creds, error) { return s.hierarchy.MasterCreds(fmt.Sprintf("raw-%05d", i)) })
	if err != nil {
		return nil, err
	}
	reply := make([]byte, rawReply)
	for i, c := range conns {
		sc.asks = append(sc.asks, fmt.Sprintf("bench.ask.%05d", i))
		if _, err := c.Subscribe(sc.asks[i], func(bus.Msg) { c.Publish("bench.reply", reply) }); err != nil {
			return nil, err
		}
		if err := c.Flush(ctx); err != nil {
			return nil, err
		}
	}
	_, err = s.core.Subscribe("bench.reply", func(bus.Msg) {
		if sc.replies.Add(1) == int64(n) {
			sc.all <- struct{}{}
		}
	})
	return sc, err
}

func (sc *scatter) gather(ctx context.Context) error {
	sc.replies.Store(0)
	ask := make([]byte, rawAsk)
	for _, subject := range sc.asks {
		if err := sc.conn.Publish(subject, ask); err != nil {
			return err
		}
	}
	select {
	case <-sc.all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
