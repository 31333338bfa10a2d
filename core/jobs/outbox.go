package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

const (
	storeTimeout = 5 * time.Second
	retryFirst   = time.Second
	retryMost    = 30 * time.Second
)

// outbox brings returns into the stream: at once, and if that fails again and again, whenever
// the connection comes back, until the stream has each.
type outbox struct {
	conn    *bus.Conn
	peel    string
	journal *journal
	large   *large
	log     *slog.Logger
	meters  runnerMeters
	kick    chan struct{} // try all now
	failed  chan struct{} // something waits: try in a while

	mu     sync.Mutex
	flight map[string]bool // being sent
	busy   sync.WaitGroup
}

func newOutbox(conn *bus.Conn, peel string, j *journal, values *large, log *slog.Logger, m runnerMeters) *outbox {
	return &outbox{conn: conn, peel: peel, journal: j, large: values, log: log, meters: m,
		kick: make(chan struct{}, 1), failed: make(chan struct{}, 1), flight: map[string]bool{}}
}

// send tries once, beside the caller, and leaves the rest to run.
func (o *outbox) send(jid string, data []byte) {
	if !o.conn.Connected() {
		signal(o.failed)
		return
	}
	o.busy.Go(func() {
		if o.store(context.Background(), jid, data) != nil {
			signal(o.failed)
		}
	})
}

// again sends a job's return once more: somebody seems not to have it.
func (o *outbox) again(jid string) {
	data, err := o.journal.ret(jid)
	if err != nil {
		o.log.Error("a return cannot be sent again", "job", jid, "error", err)
	}
	if data != nil {
		o.send(jid, data)
	}
}

// unrecorded sends a return that the journal knows nothing of: if it is lost, the command comes again.
func (o *outbox) unrecorded(ret Return) {
	data, err := marshal(ret)
	if err == nil {
		o.send(ret.JID, data)
	}
}

// store brings one return into the stream.
func (o *outbox) store(ctx context.Context, jid string, data []byte) error {
	o.mu.Lock()
	if o.flight[jid] {
		o.mu.Unlock()
		return nil
	}
	o.flight[jid] = true
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.flight, jid)
	}()
	isLarge := o.large.has(jid)
	if isLarge {
		err := o.large.send(ctx, o.conn, jid, o.peel)
		var lost *lostValue
		switch {
		case errors.As(err, &lost):
			if data = withoutValue(data, err); data == nil {
				return err
			}
		case err != nil:
			o.meters.unsent.Inc()
			o.log.Debug("a large value cannot be sent yet", "job", jid, "error", err)
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := o.conn.Store(ctx, bus.Return(jid, o.peel), data)
	if errors.Is(err, bus.ErrTooLarge) { // a server with a lower limit than ours
		if data = withoutValue(data, err); data != nil {
			err = o.conn.Store(ctx, bus.Return(jid, o.peel), data)
		}
	}
	if err == nil || errors.Is(err, bus.ErrStored) {
		o.journal.sent(jid)
		if isLarge {
			o.large.remove(jid)
		}
		o.meters.sent.Inc()
		return nil
	}
	o.meters.unsent.Inc()
	o.log.Debug("a return cannot be sent yet", "job", jid, "error", err)
	return err
}

// run keeps trying what waits.
func (o *outbox) run(ctx context.Context) {
	stop := o.conn.OnConnect(func() { signal(o.kick) })
	defer stop()
	signal(o.kick)
	delay := retryFirst
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-o.kick:
			delay = retryFirst
		case <-o.failed:
			if retry.Stop(); o.journal.depth() > 0 {
				retry.Reset(delay + rand.N(delay/4))
			}
			continue
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		if o.conn.Connected() && o.drain(ctx) {
			delay = retryFirst
			continue
		}
		if o.journal.depth() > 0 {
			delay = min(2*delay, retryMost)
			retry.Reset(delay + rand.N(delay/4))
		}
	}
}

// drain tries everything that waits, oldest first. One return that cannot be stored does not
// hold up the others, unless nothing can.
func (o *outbox) drain(ctx context.Context) (empty bool) {
	empty = true
	waiting := o.journal.outbox()
	if len(waiting) > 0 {
		o.log.Info("sending returns that were kept on disk", "returns", len(waiting))
	}
	for _, jid := range waiting {
		data, err := o.journal.ret(jid)
		if err != nil || data == nil {
			o.log.Error("a return is lost", "job", jid, "error", err)
			o.journal.sent(jid)
			continue
		}
		if err := o.store(ctx, jid, data); err != nil {
			empty = false
			if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || !o.conn.Connected() {
				return false
			}
		}
	}
	return empty
}

// flush gives what is on its way a moment to arrive.
func (o *outbox) flush(wait time.Duration) {
	done := make(chan struct{})
	go func() {
		o.busy.Wait()
		close(done)
	}()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
