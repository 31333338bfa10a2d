package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// All masters go by one clock, that of NATS, which also dates what is stored: so a job may pass
// from one to another whose own clock is wrong. A peel goes by its own, until a command comes
// at a time that cannot be; then it asks the masters (peelClock).

const (
	// clockEvery is how long a comparison of clocks is good for.
	clockEvery = time.Minute
	// clockTrust is how far NATS's clock may be from ours: whoever runs NATS must not be able to
	// stretch what is signed at will.
	clockTrust = time.Hour
	// clockTold is the difference from which on the log tells of it.
	clockTold = 10 * time.Second
)

// fleetClock is a master's idea of NATS's clock. Safe for concurrent use.
type fleetClock struct {
	conn    *bus.Conn
	log     *slog.Logger
	local   func() time.Time
	trouble quietLog

	mu     sync.Mutex
	server time.Time // what it was on the server
	at     time.Time // when it was that, by our clock; zero before the first comparison
	old    bool      // to be compared anew: the connection was lost, or this host slept
}

func newFleetClock(conn *bus.Conn, local func() time.Time, log *slog.Logger) *fleetClock {
	if local == nil {
		local = time.Now
	}
	return &fleetClock{conn: conn, log: log, local: local, trouble: quietLog{every: 10 * time.Minute}}
}

// compare asks for the time where the last answer is old. An error means that it is not known.
func (c *fleetClock) compare(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.local()
	if !c.at.IsZero() && !c.old && before.Sub(c.at) < clockEvery {
		return nil
	}
	server, err := c.conn.ServerTime(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // this host may have stood still meanwhile
		before = c.local()
		server, err = c.conn.ServerTime(ctx)
	}
	if err != nil {
		return err
	}
	c.old = false
	after := c.local()
	trip := after.Sub(before)
	c.server, c.at = server, before.Add(trip/2)
	ahead := server.Sub(c.at)
	switch {
	case ahead.Abs() <= trip/2: // nothing that could be told from the way
		c.server = c.at.Round(0)
	case ahead.Abs() > clockTrust:
		c.trouble.warn(c.log, "the clocks of this master and of NATS are too far apart to go by NATS's: set them", "nats_ahead", ahead.Round(time.Second))
	case ahead.Abs() > clockTold:
		c.trouble.warn(c.log, "the clocks of this master and of NATS differ: jobs go by NATS's; set them", "nats_ahead", ahead.Round(time.Second))
	}
	return nil
}

func (c *fleetClock) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old = true
}

// now is the time that jobs go by.
func (c *fleetClock) now() time.Time {
	local := c.local()
	if server := c.serverAt(local); server.Sub(local).Abs() <= clockTrust {
		return server
	}
	return local.Round(0)
}

// age is how long ago the server stored something.
func (c *fleetClock) age(stored time.Time) time.Duration {
	return max(0, c.serverAt(c.local()).Sub(stored))
}

func (c *fleetClock) serverAt(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return local.Round(0)
	}
	return c.server.Add(local.Sub(c.at))
}

// askTime is a peel's question for the time.
const askTime = "time"

type timeQuestion struct {
	Nonce []byte `msgpack:"nonce"`
}

type timeAnswer struct {
	Signed []byte `msgpack:"signed"`
}

// serveTime tells peels the time that commands go by.
func (d *dispatching) serveTime() (*bus.Subscription, error) {
	return bus.Serve(d.Conn, bus.Ask("*", askTime), workQueue, func(ctx context.Context, peel string, q timeQuestion) (timeAnswer, error) {
		if err := d.clock.compare(ctx); err != nil {
			return timeAnswer{}, err
		}
		signed, err := d.Account.SignTime(peel, q.Nonce, d.clock.now())
		return timeAnswer{signed}, err
	})
}
