package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/ptorbus/zester/core/keys"
)

// Resumer is an Executor with functions that can go on while the peel is away: they return ErrLeft when it stops.
type Resumer interface {
	Executor
	// Resume finds what a job that had begun when the peel stopped has left to be done or waited for. ok is false if there
	// is nothing to be found: the job was interrupted.
	Resume(jid string) (left Left, ok bool)
	// Settled is told of each job that may change the host whose return is on record.
	Settled(jid string)
}

// Left is a job that went on while the peel was away.
type Left struct {
	Operator string
	Deadline time.Time // zero if it is over, or has none
	Stream   bool
	// Wait does what Execute would have.
	Wait func(ctx context.Context) (value any, retcode int, err error)
}

// ErrLeft says of a function that it goes on without the peel. Its job has no return yet: the next Runner asks Resumer.
var ErrLeft = errors.New("the function goes on without the peel")

// ErrInterrupted says of a function that nobody knows how far it came.
var ErrInterrupted = errors.New("interrupted: how far it came is unknown, and it is not run again")

// ErrStopping is the cause of the end of all functions' contexts when the peel stops.
var ErrStopping = errors.New("the peel is stopping")

// resume finds out about the jobs that had begun when the peel died. They are never run again: what did not go on by
// itself is returned as interrupted.
func (r *running) resume(list []begun) (resumed []*task) {
	resumer, _ := r.Executor.(Resumer)
	for _, b := range list {
		if resumer != nil {
			if left, ok := resumer.Resume(b.jid); ok {
				r.Log.Info("a job has gone on while the peel was away", "job", b.jid, "function", b.function, "over", left.Deadline.IsZero())
				resumed = append(resumed, r.goOn(b, left))
				continue
			}
		}
		r.Log.Warn("a job was interrupted when the peel stopped: it is returned as such and not run again", "job", b.jid, "function", b.function)
		r.settle(&task{cmd: keys.Command{JID: b.jid, Function: b.function}, started: b.at}, outcome{
			reason: ReasonInterrupted, retcode: 1,
			err: errors.New("interrupted: the peel stopped while the job was running or waiting to; how far it came is unknown, and it is not run again"),
		})
	}
	return resumed
}

// goOn makes a task of a job that has gone on by itself.
func (r *running) goOn(b begun, left Left) *task {
	t := &task{cmd: keys.Command{JID: b.jid, Function: b.function, Operator: left.Operator, Stream: left.Stream}, mutates: true, started: b.at, resumed: left.Wait}
	timed, stop := r.base, context.CancelFunc(func() {})
	if !left.Deadline.IsZero() {
		timed, stop = context.WithDeadlineCause(r.base, left.Deadline, errTimeUp)
	}
	ctx, cancel := context.WithCancelCause(timed)
	t.ctx, t.cancel = ctx, func(cause error) { cancel(cause); stop() }
	r.add(t)
	r.changing.Add(1)
	return t
}

// settled tells the executor that a job has its return on disk.
func (r *running) settled(t *task) {
	if resumer, ok := r.Executor.(Resumer); ok && t.mutates {
		resumer.Settled(t.cmd.JID)
	}
}
