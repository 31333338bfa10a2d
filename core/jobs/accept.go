package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// task is an accepted job.
type task struct {
	cmd     keys.Command
	mutates bool
	late    *time.Timer // acks the job unless it returns first; nil if that is done otherwise
	ctx     context.Context
	cancel  context.CancelCauseFunc
	started time.Time // zero until it starts
	// resumed waits for a function that an earlier process of the peel has started; nil for one to be started.
	resumed func(ctx context.Context) (value any, retcode int, err error)
	claimed atomic.Bool
}

// claim says whether the task is the caller's to bring to its return: of its turn and the end of
// its time, the first counts.
func (t *task) claim() bool { return t.claimed.CompareAndSwap(false, true) }

// take handles one message on the command subject. They come one at a time, and so the order of
// mutating jobs is that of their arrival. Nothing in a message counts before its signature is
// verified, and what fails is never answered.
func (r *running) take(m bus.Msg) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	if r.closed {
		return // the masters will send it again
	}
	cmd, err := r.verify(m.Data)
	if err == nil {
		err = CheckID(cmd.JID)
	}
	if err != nil {
		r.meters.refused(refusalKind(err))
		r.refusal.warn(r.Log, "a command is refused", "error", err, "bytes", len(m.Data))
		return
	}
	if cmd.Kind == keys.Cancel {
		r.cancel(cmd)
		return
	}
	switch r.journal.state(cmd.JID) {
	case stateUnknown:
		r.begin(cmd)
	case stateBegun:
		r.meters.redelivered.Inc()
		r.ack(cmd.JID)
	default:
		r.meters.redelivered.Inc()
		r.outbox.again(cmd.JID)
	}
}

func refusalKind(err error) string {
	switch {
	case errors.Is(err, keys.ErrSignature):
		return "signature"
	case errors.Is(err, keys.ErrNotTarget):
		return "target"
	case errors.Is(err, keys.ErrExpired):
		return "expired"
	}
	return "malformed"
}

// begin puts the job on disk, acks it and queues it.
func (r *running) begin(cmd keys.Command) {
	t := &task{cmd: cmd, mutates: r.mutates(cmd)}
	if err := r.journal.begin(cmd.JID, cmd.Function, r.clock.last(cmd), t.mutates); err != nil {
		r.Log.Error("a job is refused: it cannot be recorded", "job", cmd.JID, "function", cmd.Function, "error", err)
		r.outbox.unrecorded(r.returnOf(t, outcome{reason: ReasonNotRecorded, retcode: 1,
			err: fmt.Errorf("not started: the peel cannot record the job on its disk: %w", err)}))
		return
	}
	timed, stop := context.WithTimeoutCause(r.base, r.clock.left(cmd), errTimeUp)
	ctx, cancel := context.WithCancelCause(timed)
	t.ctx, t.cancel = ctx, func(cause error) { cancel(cause); stop() }
	r.add(t)
	if err := r.enqueue(t); err != nil {
		r.meters.busy.Inc()
		r.settle(t, outcome{reason: ReasonBusy, retcode: 1, err: fmt.Errorf("not started: the peel is busy, %w", err)})
		r.done(t)
	}
}

// enqueue hands the job on, or says why it cannot.
func (r *running) enqueue(t *task) error {
	if !t.mutates {
		return r.read(t)
	}
	if ahead := r.changing.Add(1) - 1; t.cmd.NoQueue && ahead > 0 {
		r.changing.Add(-1)
		if ahead == 1 {
			return errors.New("1 job that may change the host runs or waits, and this one is not to wait for it")
		}
		return fmt.Errorf("%d jobs that may change the host run or wait, and this one is not to wait for them", ahead)
	}
	select {
	case r.mutate <- t:
		r.ack(t.cmd.JID)
		context.AfterFunc(t.ctx, func() { r.perform(t) }) // it need not wait for its turn to say that it will have none
		return nil
	default:
		r.changing.Add(-1)
		return r.full()
	}
}

func (r *running) full() error {
	if r.Queue == 1 {
		return errors.New("1 job waits already; try again when it is done")
	}
	return fmt.Errorf("%d jobs wait already; try again when they are done", r.Queue)
}

// mutating runs what changes the host, one at a time and in order, after what goes on already. When it ends, what is still
// queued ends by itself, as interrupted before it started.
func (r *running) mutating(ctx context.Context, resumed []*task) {
	for _, t := range resumed {
		r.perform(t)
		r.changing.Add(-1)
	}
	for {
		select {
		case t := <-r.mutate:
			r.perform(t)
			r.changing.Add(-1)
		case <-ctx.Done():
			return
		}
	}
}

func (r *running) ack(jid string) {
	if err := r.Conn.Publish(bus.Ack(jid, r.ID), nil); err != nil {
		r.Log.Debug("an ack is lost", "job", jid, "error", err)
	}
}

func (r *running) add(t *task) {
	r.tasks.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active[t.cmd.JID] = t
}

func (r *running) done(t *task) {
	t.cancel(nil)
	r.mu.Lock()
	delete(r.active, t.cmd.JID)
	r.mu.Unlock()
	r.tasks.Done()
}

// quietLog keeps what strangers can cause from filling the log: one line in a while, with the
// number of those left out.
type quietLog struct {
	every time.Duration

	mu     sync.Mutex
	last   time.Time
	hidden int
}

func (q *quietLog) warn(log *slog.Logger, msg string, attrs ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.last) >= q.every {
		q.last = now
		if q.hidden > 0 {
			attrs = append(attrs, "more_like_it", q.hidden)
		}
		q.hidden = 0
		log.Warn(msg, attrs...)
		return
	}
	q.hidden++
}
