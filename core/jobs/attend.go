package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// attend looks at a job in batches for which a peel has come that was waited for, until nothing
// of it runs: the queue may not come to it for a while. Every master does; the progress, which
// one of them at a time can bring on, decides who is given the job.
func (d *dispatching) attend(ctx context.Context, jid string) {
	d.mu.Lock()
	_, attended := d.attended[jid]
	d.attended[jid] = attended
	d.mu.Unlock()
	if attended {
		return
	}
	for d.attendOnce(ctx, jid) {
		select {
		case <-time.After(batchLook):
		case <-ctx.Done():
		}
	}
}

// attendOnce says whether to look again.
func (d *dispatching) attendOnce(ctx context.Context, jid string) bool {
	next, err := d.attendedLook(ctx, jid)
	if err != nil && !conflicting(err) && ctx.Err() == nil {
		d.Log.Warn("a job in batches cannot be looked at: the queue will come to it", "job", jid, "error", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	again := d.attended[jid] || err == nil && next > 0 && next <= batchLook
	if again = again && ctx.Err() == nil; again {
		d.attended[jid] = false
	} else {
		delete(d.attended, jid)
	}
	return again
}

func (d *dispatching) attendedLook(ctx context.Context, jid string) (time.Duration, error) {
	job, err := d.openOne(ctx, jid)
	if err != nil || job == nil || job.record.CancelledBy != "" {
		return 0, err
	}
	if !job.inHand.TryLock() {
		return batchLook, nil
	}
	defer job.inHand.Unlock()
	return d.batch(ctx, nil, job)
}

// conflicting says whether another master has changed a job at the same time.
func conflicting(err error) bool {
	return errors.Is(err, bus.ErrConflict) || errors.Is(err, bus.ErrExists)
}
