package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// openJob gives the job of a request that this master has not had in hand: new, or taken over.
// nil means that nothing is left to do.
func (d *dispatching) openJob(ctx context.Context, w bus.Work, req Request, operator string) (*liveJob, error) {
	if w.Attempt > 1 {
		job, err := d.load(ctx, req.JID, operator)
		if !errors.Is(err, ErrNoJob) {
			return job, err
		}
	}
	record, err := d.newRecord(ctx, w, req, operator)
	if err != nil {
		return nil, err
	}
	read := time.Now()
	rev, err := createRecord(ctx, d.Conn, record)
	switch {
	case errors.Is(err, bus.ErrExists):
		return d.load(ctx, req.JID, operator)
	case err != nil:
		return nil, err
	case record.State == StateRefused:
		d.meters.requests("refused").Inc()
		d.Log.Info("a job is refused", "job", record.JID, "operator", operator, "target", record.Target, "function", record.Function, "error", record.Error)
		return nil, d.tell(record)
	}
	if err := d.announce(ctx, record); err != nil {
		return nil, err
	}
	d.meters.requests("accepted").Inc()
	d.Log.Info("job", "job", record.JID, "operator", operator, "target", clip(record.Target, 200), "function", record.Function,
		"targets", len(record.Targets), "offline", len(record.Offline), "missing", len(record.Missing), "comment", record.Comment)
	return newLiveJob(record, rev, read), nil
}

// load takes over what another master, or this one before a restart, has begun.
func (d *dispatching) load(ctx context.Context, jid, operator string) (*liveJob, error) {
	read := time.Now()
	record, rev, err := LoadRecord(ctx, d.Conn, jid)
	switch {
	case err != nil:
		return nil, err
	case record.Operator != operator:
		d.Log.Warn("a job request is dropped: another operator's job has its id", "job", jid, "operator", operator, "of", record.Operator)
		return nil, nil
	case record.State != StateOpen:
		return nil, d.tell(record)
	}
	if err := d.announce(ctx, record); err != nil {
		return nil, err
	}
	d.meters.takeovers.Inc()
	d.Log.Info("taking over a job", "job", jid, "operator", operator, "function", record.Function)
	return newLiveJob(record, rev, read), nil
}

// newRecord decides what a request comes to: whom to address, or why not. An error means that
// this cannot be told yet.
func (d *dispatching) newRecord(ctx context.Context, w bus.Work, req Request, operator string) (*Record, error) {
	now := d.clock.now()
	req.settle(d.Defaults[operator])
	r := &Record{
		JID: req.JID, Operator: operator, Target: req.Target, Function: req.Function, Args: req.Args, Kwargs: req.Kwargs,
		Comment: req.Comment, Created: now, Timeout: req.Timeout, Deadline: now.Add(req.Timeout), State: StateOpen,
		Wait: req.Wait, NoQueue: req.NoQueue, Stream: req.Stream, Batch: req.Batch,
	}
	refuse := func(err error) (*Record, error) {
		r.State, r.Error, r.Closed = StateRefused, err.Error(), now
		r.Targets, r.Offline = nil, nil
		return r, nil
	}
	if err := req.Check(); err != nil {
		r.Target, r.Function, r.Comment = clip(r.Target, 256), clip(r.Function, maxFunction), clip(r.Comment, maxComment)
		return refuse(err)
	}
	age := d.clock.age(w.Stored)
	if age >= max(req.Timeout, req.Expires) {
		return refuse(fmt.Errorf("no master took the job within its time of %s: run it again", max(req.Timeout, req.Expires)))
	}
	r.Created, r.Deadline = now.Add(-age), r.Deadline.Add(-age)
	if req.Wait {
		r.Deadline = r.Created.Add(req.Expires)
		r.Expires = r.Deadline
	}
	if !req.Batch.zero() {
		r.Deadline = r.Created.Add(MaxExpires)
	}
	r.Until = r.Deadline
	ids, missing, err := d.resolve(ctx, req.Target)
	switch {
	case ctx.Err() != nil: // whatever it says then
		return nil, ctx.Err()
	case errors.Is(err, ErrNotReady):
		return nil, err
	case err != nil:
		return refuse(err)
	case len(ids) == 0:
		return refuse(d.nobody(req.Target, missing))
	}
	r.Missing = missing
	for _, id := range ids {
		if d.connected(id) {
			r.Targets = append(r.Targets, id)
		} else {
			r.Offline = append(r.Offline, id)
		}
	}
	r.Addressed = len(r.awaited())
	if r.inBatches() {
		slices.Sort(r.Targets)
	}
	if r.Batch.Random {
		rand.Shuffle(len(r.Targets), func(i, j int) { r.Targets[i], r.Targets[j] = r.Targets[j], r.Targets[i] })
	}
	return r, nil
}

// resolve refuses a target that brings the resolver down, which would do so on one master after another.
func (d *dispatching) resolve(ctx context.Context, target string) (ids, missing []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.Error("a target cannot be resolved", "target", target, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("target %.200q: fault in the master: %v", target, p)
		}
	}()
	return d.Resolver.Resolve(ctx, target)
}

func (d *dispatching) nobody(target string, missing []string) error {
	if len(missing) == 0 {
		return fmt.Errorf("no peel matches target %q", clip(target, 200))
	}
	const most = 5
	var names []string
	for _, id := range missing[:min(len(missing), most)] {
		name := fmt.Sprintf("%q", id)
		if n, ok := d.Resolver.(nearest); ok {
			if near := n.Nearest(id); near != "" && near != id {
				name += fmt.Sprintf(" (did you mean %q?)", near)
			}
		}
		names = append(names, name)
	}
	if more := len(missing) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(missing) == 1 {
		return fmt.Errorf("there is no peel %s", names[0])
	}
	return fmt.Errorf("no peel matches target %q: there are no peels %s", clip(target, 200), strings.Join(names, ", "))
}

// tell notes to whoever follows the job what its record says.
func (d *dispatching) tell(r *Record) error {
	data, err := bus.Marshal(r.note())
	if err != nil {
		return err
	}
	return d.Conn.Publish(bus.JobNotes(r.JID), data)
}
