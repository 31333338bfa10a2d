package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

const (
	firstLook = 500 * time.Millisecond
	mostLook  = 15 * time.Second
	// waitLook is mostLook where peels are waited for that are not connected.
	waitLook = time.Minute
	// perTarget stretches the first look of a large job: that long its returns take to come in.
	perTarget = 200 * time.Microsecond
)

// dispatch tells the followers and sends the commands of a job that is new to this master.
func (d *dispatching) dispatch(ctx context.Context, w bus.Work, job *liveJob) (next time.Duration, err error) {
	d.keep(job)
	if err := d.tell(job.record); err != nil {
		return 0, err
	}
	r := job.record
	if len(r.awaited()) == 0 {
		return 0, d.close(ctx, job, 0)
	}
	if r.inBatches() && r.CancelledBy == "" {
		return d.batch(ctx, &w, job)
	}
	targets := r.Targets // the others get it as they come
	if w.Attempt > 1 {
		silent, returned, err := d.silent(ctx, job)
		if err != nil {
			return 0, err
		}
		if len(silent) == 0 {
			return 0, d.close(ctx, job, returned)
		}
		targets = slices.DeleteFunc(silent, func(id string) bool { return r.Wait && !d.connected(id) })
	}
	if r.CancelledBy != "" {
		return firstLook, nil // which says it to the peels
	}
	if len(targets) > 0 {
		d.mu.Lock()
		job.sent = time.Now()
		d.mu.Unlock()
		err = d.command(ctx, &w, r, targets)
	}
	if err != nil {
		return 0, err
	}
	if w.Attempt == 1 {
		d.meters.dispatch.Update(d.clock.age(w.Stored).Seconds())
	}
	return r.pause(1, d.clock.now()), nil
}

// look sees who has returned, closes the job if that is all there will be, and sends the command
// again to those of whom nothing was heard.
func (d *dispatching) look(ctx context.Context, w bus.Work, job *liveJob) (next time.Duration, err error) {
	r := job.record
	if r.inBatches() && r.CancelledBy == "" {
		return d.batch(ctx, &w, job)
	}
	over := d.clock.now().After(r.Deadline.Add(grace)) // before the returns are read: who returned in time counts, however long this host stands still
	silent, returned, err := d.silent(ctx, job)
	if err != nil {
		return 0, err
	}
	if len(silent) == 0 || over {
		return 0, d.close(ctx, job, returned)
	}
	var unheard []string
	for _, id := range silent {
		if !d.acked(job, id) && d.connected(id) {
			unheard = append(unheard, id)
		}
	}
	if r.CancelledBy != "" {
		_, err := d.cancelOn(ctx, r, silent)
		return r.pause(w.Attempt, d.clock.now()), err
	}
	if len(unheard) > 0 && d.clock.now().Before(r.Deadline) {
		if d.flowing(job, returned, len(unheard)) {
			return r.pause(1, d.clock.now()), nil
		}
		if err := d.command(ctx, &w, r, unheard); err != nil {
			return 0, err
		}
		d.meters.resent.Add(len(unheard))
	}
	return r.pause(w.Attempt, d.clock.now()), nil
}

// flowing says whether returns are coming in still, so that the many of whom nothing was heard
// are rather slow than without the command: sending it again would make them slower.
func (d *dispatching) flowing(job *liveJob, returned, unheard int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	more := returned > job.returned
	job.returned = returned
	return more && unheard > flowMany && !job.sent.IsZero() && time.Since(job.sent) < flowTime
}

const (
	flowMany = 64
	flowTime = 10 * time.Second
)

// pause is how long to wait before looking again: longer each time, and not past the end.
func (r *Record) pause(attempt uint64, now time.Time) time.Duration {
	d := max(firstLook, time.Duration(len(r.Targets))*perTarget)
	most := mostLook
	if r.Wait {
		most = waitLook
	}
	d = min(d<<min(attempt-1, 8), max(d, most))
	left := r.Deadline.Add(grace).Sub(now) + 10*time.Millisecond
	return max(10*time.Millisecond, min(d, left))
}

func (d *dispatching) acked(job *liveJob, id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return job.acked[id]
}

// silent lists the targets that have no return in the stream.
func (d *dispatching) silent(ctx context.Context, job *liveJob) (silent []string, returned int, err error) {
	r := job.record
	stored, err := d.Conn.StreamSubjects(ctx, bus.StreamReturns, bus.Returns(r.JID))
	if err != nil {
		return nil, 0, err
	}
	awaited := r.awaited()
	for _, id := range awaited {
		if stored[bus.Return(r.JID, id)] == 0 {
			silent = append(silent, id)
		}
	}
	return silent, len(awaited) - len(silent), nil
}

// command signs the job once for these targets and sends it to each.
func (d *dispatching) command(ctx context.Context, w *bus.Work, r *Record, targets []string) error {
	now := d.clock.now()
	if !now.Before(r.Deadline) {
		return nil
	}
	return d.send(ctx, w, keys.Command{
		JID: r.JID, Kind: keys.Run, Function: r.Function, Args: r.Args, Kwargs: r.Kwargs, Operator: r.Operator,
		Issued: now, Expires: r.end(now), Until: r.Until, NoQueue: r.NoQueue, Stream: r.Stream,
	}, targets)
}

// send signs a command once for these targets and sends it to each, keeping the work meanwhile.
func (d *dispatching) send(ctx context.Context, w *bus.Work, cmd keys.Command, targets []string) error {
	signed, err := d.Account.SignCommand(cmd, targets)
	if err != nil {
		return err
	}
	held := time.Now()
	for i, id := range targets {
		if i%256 == 255 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if w != nil && time.Since(held) > d.AckWait/4 {
				held = time.Now()
				w.Busy() // best effort: at worst another master sends the same commands
			}
		}
		if err := d.Conn.Publish(bus.Command(id), signed.Delivery(i)); err != nil {
			return err
		}
	}
	d.meters.commands.Add(len(targets))
	return nil
}

// close ends the master's part in a job.
func (d *dispatching) close(ctx context.Context, job *liveJob, returned int) error {
	r := *job.record
	r.State, r.Closed, r.Returned = StateClosed, d.clock.now(), returned
	_, err := updateRecord(ctx, d.Conn, &r, job.rev)
	if errors.Is(err, bus.ErrConflict) { // another master has changed it: look at what it says now
		d.forget(r.JID)
		return err
	}
	if err != nil {
		return err
	}
	d.forget(r.JID)
	d.meters.closed(r.Stage()).Inc()
	d.meters.returns.Add(returned)
	return d.withdraw(ctx, &r)
}
