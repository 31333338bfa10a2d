package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// waitKey marks an open job that waits for peels to connect. Masters follow these marks, and so each knows of all
// such jobs without reading the others.
func waitKey(jid string) string { return jid + ".wait" }

const allWaitKeys = "*.wait"

// deferred is what a master knows of jobs that wait for peels to connect.
type deferred struct {
	arrivals chan string
	waiting  map[string]map[string]bool // peels by job; guarded by dispatching.mu
}

func newDeferred() deferred {
	return deferred{arrivals: make(chan string, 4096), waiting: map[string]map[string]bool{}}
}

type watching interface {
	Watch(func(id string)) (stop func())
}

// gather is how long arrivals are collected: of a fleet that comes back all at once, each job is looked at once for many.
const gather = 100 * time.Millisecond

// offers are when a peel that has connected is sent what waits for it: it subscribes a moment later than it connects.
var offers = []time.Duration{0, 400 * time.Millisecond, 2 * time.Second, 8 * time.Second}

// announce marks a job that waits for peels to connect.
func (d *dispatching) announce(ctx context.Context, r *Record) error {
	if !r.Wait {
		return nil
	}
	_, err := d.Conn.Put(ctx, bus.BucketJobs, waitKey(r.JID), nil)
	return err
}

// withdraw ends that.
func (d *dispatching) withdraw(ctx context.Context, r *Record) error {
	if r.Wait || r.inBatches() { // followers do not know its end from its time
		if err := d.Conn.Publish(bus.JobChanged(r.JID), nil); err != nil {
			return err
		}
	}
	if !r.Wait {
		return nil
	}
	return d.Conn.Delete(ctx, bus.BucketJobs, waitKey(r.JID))
}

// awaitArrivals gives peels that connect the jobs that wait for them. Every master does: a peel runs a job once,
// however often it is told to.
func (d *dispatching) awaitArrivals(ctx context.Context) (stop func()) {
	p, ok := d.Presence.(watching)
	if !ok {
		return func() {} // looking at the jobs now and then finds those who have come
	}
	ctx, cancel := context.WithCancel(ctx)
	unwatch := p.Watch(func(id string) {
		select {
		case d.arrivals <- id:
		default: // the next look at the job will find it
		}
	})
	go d.followWaiting(ctx)
	go d.receive(ctx)
	return func() { unwatch(); cancel() }
}

// followWaiting keeps the list of jobs that wait.
func (d *dispatching) followWaiting(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := d.Conn.Watch(ctx, bus.BucketJobs, allWaitKeys)
		if err != nil {
			d.Log.Warn("jobs that wait for peels cannot be followed: trying again", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		for e := range w.Entries() {
			if jid := strings.TrimSuffix(e.Key, ".wait"); jid != "" {
				d.noteWaiting(ctx, jid, !e.Deleted)
			}
		}
	}
}

func (d *dispatching) noteWaiting(ctx context.Context, jid string, waits bool) {
	var ids map[string]bool
	if waits {
		r, _, err := LoadRecord(ctx, d.Conn, jid)
		switch {
		case err != nil:
			d.Log.Warn("a job that waits for peels cannot be read", "job", jid, "error", err)
		case r.State != StateOpen: // its master died before it could say so
			if err := d.withdraw(ctx, r); err != nil {
				d.Log.Debug("a mark stays", "job", jid, "error", err)
			}
		default:
			ids = map[string]bool{}
			for _, id := range r.awaited() {
				ids[id] = true
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ids == nil {
		delete(d.waiting, jid)
	} else {
		d.waiting[jid] = ids
	}
}

func (d *dispatching) receive(ctx context.Context) {
	for {
		var ids []string
		select {
		case id := <-d.arrivals:
			ids = append(ids, id)
		case <-ctx.Done():
			return
		}
		full := time.After(gather)
		for collecting := true; collecting; {
			select {
			case id := <-d.arrivals:
				ids = append(ids, id)
			case <-full:
				collecting = false
			}
		}
		slices.Sort(ids)
		for jid, wanted := range d.wanted(slices.Compact(ids)) {
			go d.offer(ctx, jid, wanted)
		}
	}
}

// wanted says which of the peels the jobs wait for.
func (d *dispatching) wanted(ids []string) map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := map[string][]string{}
	for jid, waiting := range d.waiting {
		for _, id := range ids {
			if waiting[id] {
				wanted[jid] = append(wanted[jid], id)
			}
		}
	}
	return wanted
}

// offer sends a job to peels that have just connected, until each has acked or returned.
func (d *dispatching) offer(ctx context.Context, jid string, ids []string) {
	for i, wait := range offers {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		left, err := d.offerOnce(ctx, jid, ids, i == 0)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("a job cannot be given to peels that have connected: trying again", "job", jid, "error", err)
			continue
		}
		if ids = left; len(ids) == 0 {
			return
		}
	}
}

// openOne gives an open job; nil if there is none.
func (d *dispatching) openOne(ctx context.Context, jid string) (*liveJob, error) {
	if job := d.get(jid); job != nil {
		return job, nil
	}
	read := time.Now()
	r, rev, err := LoadRecord(ctx, d.Conn, jid)
	if errors.Is(err, ErrNoJob) || err == nil && r.State != StateOpen {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	job := newLiveJob(r, rev, read)
	d.keep(job)
	return job, nil
}

func (d *dispatching) offerOnce(ctx context.Context, jid string, ids []string, first bool) (left []string, err error) {
	if err := d.clock.compare(ctx); err != nil {
		return ids, err
	}
	job, err := d.openOne(ctx, jid)
	switch {
	case err != nil:
		return ids, err
	case job == nil:
		return nil, nil
	}
	silent, _, err := d.silent(ctx, job)
	if err != nil {
		return ids, err
	}
	left = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return !slices.Contains(silent, id) || !first && d.acked(job, id)
	})
	r := job.record
	if r.inBatches() && r.CancelledBy == "" {
		go d.attend(ctx, jid)
		return nil, nil
	}
	switch {
	case len(left) == 0 || !d.clock.now().Before(r.Deadline):
		return nil, nil
	case r.CancelledBy != "":
		_, err = d.cancelOn(ctx, r, left)
	default:
		d.Log.Info("peels that were waited for are here", "job", jid, "function", r.Function, "operator", r.Operator, "peels", len(left))
		err = d.command(ctx, nil, r, left)
	}
	return left, err
}
