package jobs

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// liveJob is an open job as a master has it at hand, which only saves it from asking again.
type liveJob struct {
	inHand   sync.Mutex // of the handler that has it
	record   *Record
	rev      uint64
	read     time.Time       // when the record was read, or a moment before
	acked    map[string]bool // guarded by dispatching.mu
	sent     time.Time       // when its commands first went out from here; guarded too
	returned int             // as the last look found; guarded too
	// verdicts of returns of a job in batches: whether they failed. Guarded by inHand.
	verdicts map[string]bool
}

func newLiveJob(r *Record, rev uint64, read time.Time) *liveJob {
	return &liveJob{record: r, rev: rev, read: read, acked: map[string]bool{}, verdicts: map[string]bool{}}
}

func (d *dispatching) get(jid string) *liveJob {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[jid]
}

// keep keeps a job at hand, unless its record has changed since it was read: what follows from
// that would wait for ever.
func (d *dispatching) keep(job *liveJob) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stale(job) {
		d.live[job.record.JID] = job
	}
}

// outdated says whether a job's record is known to have changed since it was read.
func (d *dispatching) outdated(job *liveJob) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stale(job)
}

func (d *dispatching) stale(job *liveJob) bool {
	return job.read.Before(d.changes[job.record.JID]) || job.read.Before(d.changes[""])
}

// changed forgets a job whose record another hand has changed.
func (d *dispatching) changed(jid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes[jid] = time.Now()
	delete(d.live, jid)
}

func (d *dispatching) forget(jid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, jid)
}

func (d *dispatching) forgetAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes[""] = time.Now()
	clear(d.live)
}

// open counts the jobs that this master has at hand.
func (d *dispatching) open(s Stage) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, job := range d.live {
		if job.record.Stage() == s {
			n++
		}
	}
	return n
}

func (d *dispatching) ack(m bus.Msg) {
	jid, _, peel, ok := bus.ParseJobSubject(m.Subject)
	if !ok {
		return
	}
	if len(m.Data) > 0 { // it has not taken the job, and may later, when it knows the time
		d.meters.declined.Inc()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if job := d.live[jid]; job != nil && !job.acked[peel] {
		job.acked[peel] = true
		if !job.sent.IsZero() {
			d.meters.acks.UpdateDuration(job.sent)
		}
	}
}

// forgetting drops jobs that another master has gone on with.
func (d *dispatching) forgetting(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			now := d.clock.now()
			d.mu.Lock()
			maps.DeleteFunc(d.changes, func(_ string, at time.Time) bool { return time.Since(at) > time.Minute })
			for jid, job := range d.live {
				if now.Sub(job.record.Deadline) > time.Minute {
					delete(d.live, jid)
				}
			}
			d.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}
