package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	confirm time.Duration // see Runner.Confirm
	kick    chan struct{} // try all now
	failed  chan struct{} // something waits: try in a while
	unasked chan struct{} // something was published

	mu     sync.Mutex
	flight map[string]bool // being sent
	busy   int             // how many are on their way, and may become smaller and be sent anew
	idle   chan struct{}   // closed when nothing is busy any more; nil unless flush waits
}

func newOutbox(conn *bus.Conn, peel string, j *journal, values *large, log *slog.Logger, m runnerMeters) *outbox {
	return &outbox{conn: conn, peel: peel, journal: j, large: values, log: log, meters: m,
		kick: make(chan struct{}, 1), failed: make(chan struct{}, 1), unasked: make(chan struct{}, 1), flight: map[string]bool{}}
}

// publish sends a return without asking whether the stream has it; that is asked a while later.
func (o *outbox) publish(jid string, data []byte) {
	if err := o.conn.Publish(bus.Return(jid, o.peel), data); err != nil {
		o.late(jid, err)
		signal(o.failed)
		return
	}
	signal(o.unasked)
}

// send tries once, beside the caller, and leaves the rest to run.
func (o *outbox) send(jid string, data []byte) {
	switch {
	case !o.conn.Connected():
		signal(o.failed)
	case o.large.has(jid):
		o.sendLarge(jid, data)
	case o.depart(jid):
		o.ask(jid, data, func(err error) {
			if err != nil {
				signal(o.failed)
			}
		})
	}
}

// ask sends a return that has departed, and tells done whether it need not be sent again.
func (o *outbox) ask(jid string, data []byte, done func(error)) {
	o.enter()
	landed := func(err error) {
		defer o.leave()
		stored := o.stored(jid, err)
		o.arrive(jid)
		if stored {
			err = nil
		} else if errors.Is(err, bus.ErrTooLarge) {
			o.sendLarge(jid, data)
			err = nil
		}
		done(err)
	}
	if err := o.conn.StoreAsync(bus.Return(jid, o.peel), data, storeTimeout, landed); err != nil {
		landed(err)
	}
}

// sendLarge is send of what takes more than one message, or has to become smaller.
func (o *outbox) sendLarge(jid string, data []byte) {
	o.enter()
	go func() {
		defer o.leave()
		if o.store(context.Background(), jid, data) != nil {
			signal(o.failed)
		}
	}()
}

func (o *outbox) enter() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy++
}

func (o *outbox) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy--; o.busy == 0 && o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// depart says whether a return is to be sent now: not if it is on its way already.
func (o *outbox) depart(jid string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flight[jid] {
		return false
	}
	o.flight[jid] = true
	return true
}

func (o *outbox) arrive(jid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.flight, jid)
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
	if !o.depart(jid) {
		return nil
	}
	defer o.arrive(jid)
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
	if !o.stored(jid, err) {
		return err
	}
	if isLarge {
		o.large.remove(jid)
	}
	return nil
}

// stored takes note of the stream's answer to a return.
func (o *outbox) stored(jid string, err error) bool {
	if err == nil || errors.Is(err, bus.ErrStored) {
		o.journal.sent(jid)
		o.meters.sent.Inc()
		return true
	}
	o.late(jid, err)
	return false
}

func (o *outbox) late(jid string, err error) {
	o.journal.overdue(jid)
	o.meters.unsent.Inc()
	o.log.Debug("a return cannot be sent yet", "job", jid, "error", err)
}

// run keeps trying what waits, and asks for what was published.
func (o *outbox) run(ctx context.Context) {
	stop := o.conn.OnConnect(func() { signal(o.kick) })
	defer stop()
	signal(o.kick)
	delay := retryFirst
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	var ask <-chan time.Time
	for {
		select {
		case <-o.kick:
			delay = retryFirst
		case <-o.failed:
			o.journal.flush() // it may wait for long
			if retry.Stop(); o.journal.depth() > 0 || ask == nil && o.journal.waiting() > 0 {
				retry.Reset(delay + rand.N(delay/4))
			}
			continue
		case <-o.unasked:
			if ask == nil {
				ask = time.After(o.confirm + rand.N(o.confirm/2))
			}
			continue
		case <-ask:
			ask = nil
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		done := o.conn.Connected() && o.drain(ctx)
		o.journal.flush()
		if done {
			delay = retryFirst
			continue
		}
		if o.journal.waiting() > 0 {
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
	if late := o.journal.depth(); late > 0 {
		o.log.Info("sending returns that were kept on disk", "returns", late)
	}
	for some := range slices.Chunk(waiting, atOnce) {
		results := make(chan error, len(some))
		for _, jid := range some {
			o.try(ctx, jid, results)
		}
		for range some {
			switch err := <-results; {
			case err == nil:
			case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || !o.conn.Connected():
				return false
			default:
				empty = false
			}
		}
	}
	return empty
}

// atOnce is how many returns are sent before their answers are awaited.
const atOnce = 32

// try sends a return that waits, and tells results what came of it.
func (o *outbox) try(ctx context.Context, jid string, results chan<- error) {
	data, err := o.journal.ret(jid)
	switch {
	case err != nil || data == nil:
		o.log.Error("a return is lost", "job", jid, "error", err)
		o.journal.sent(jid)
		results <- nil
		return
	case o.large.has(jid):
		results <- o.store(ctx, jid, data)
		return
	case !o.depart(jid):
		results <- nil
		return
	case !o.journal.unsentReturn(jid): // it has landed since
		o.arrive(jid)
		results <- nil
		return
	}
	o.ask(jid, data, func(err error) { results <- err })
}

// flush gives what is on its way a moment to arrive. It is called once.
func (o *outbox) flush(wait time.Duration) {
	idle := make(chan struct{})
	o.mu.Lock()
	if o.idle = idle; o.busy == 0 {
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
