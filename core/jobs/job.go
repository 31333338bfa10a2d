package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

const (
	// grace is how long after a job's time is up returns are waited for that say just that.
	grace       = 2 * time.Second
	readTimeout = 5 * time.Second
	// partsTimeout bounds reading a large value.
	partsTimeout = time.Minute
)

// Job is a submitted job as its submitter sees it. What is lost on the way, when the connection
// breaks for a while, is read from the record and the stream of returns.
type Job struct {
	ID string

	client *Client
	req    Request
	ctx    context.Context
	cancel context.CancelCauseFunc
	events chan Event
	msgs   chan bus.Msg
	stops  []func()
	again  chan struct{} // connected anew: something may have been missed

	addressed bool
	reread    bool            // the record has changed since it was read
	glance    bool            // is not to wait for anything
	closed    bool            // the masters have closed it
	held      Held            // as it was told last
	batch     *batchView      // of a job in batches
	deadline  time.Time       // where it is later than the request's timeout tells
	patient   bool            // waits for those too who have to connect first
	waiting   map[string]bool // targets that have not returned
	later     map[string]bool // of Offline, those who may return all the same
	acked     map[string]bool
	declined  map[string]*Decline
	outputs   map[string]*following
	summary   Summary
}

func newJob(ctx context.Context, c *Client, r Request) *Job {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Job{
		ID: r.JID, client: c, req: r, ctx: ctx, cancel: cancel,
		events: make(chan Event, 256), msgs: make(chan bus.Msg, 1024), again: make(chan struct{}, 1),
		waiting: map[string]bool{}, later: map[string]bool{}, acked: map[string]bool{}, declined: map[string]*Decline{}, outputs: map[string]*following{},
		summary: Summary{JID: r.JID},
	}
}

// Events gives what happens, and closes when all waited-for targets have returned, the time
// is up, the request is refused or the context ends.
func (j *Job) Events() <-chan Event { return j.events }

// Summary is what became of the job. Call it when Events has closed.
func (j *Job) Summary() *Summary { return &j.summary }

// Wait hands each event to f, which may be nil, and returns the summary.
func (j *Job) Wait(f func(Event)) *Summary {
	for e := range j.events {
		if f != nil {
			f(e)
		}
	}
	return &j.summary
}

func (j *Job) listen() error {
	c := j.client.Conn
	sub, err := c.Subscribe(bus.JobAll(j.ID), func(m bus.Msg) {
		if isOutput(m.Subject) && len(j.msgs) > cap(j.msgs)/2 {
			return // it must not hold up what counts
		}
		select {
		case j.msgs <- m:
		case <-j.ctx.Done():
		}
	})
	if err != nil {
		return err
	}
	j.stops = append(j.stops, sub.Stop, c.OnConnect(func() { signal(j.again) }))
	ctx, cancel := context.WithTimeout(j.ctx, submitTimeout)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		j.stop()
		return fmt.Errorf("nats does not answer: %w", err)
	}
	return nil
}

func (j *Job) stop() {
	j.cancel(nil)
	for _, stop := range j.stops {
		stop()
	}
}

func (j *Job) run() {
	defer close(j.events)
	defer j.stop()
	deadline := time.NewTimer(j.req.Timeout)
	defer deadline.Stop()
	pause := j.client.queuedAfter()
	check := time.NewTimer(pause)
	defer check.Stop()
	late := false
	for !j.complete() {
		select {
		case m := <-j.msgs:
			j.message(m)
		case <-j.again:
			j.catchUp()
		case <-check.C:
			j.catchUp()
			pause = min(2*pause, time.Minute)
			check.Reset(pause)
		case <-deadline.C:
			err := j.catchUp()
			if j.complete() {
				continue // then no matter what else could not be read
			}
			if left := time.Until(j.deadline); left > 0 && !j.closed && !j.glance {
				deadline.Reset(left)
				continue
			}
			if !late && j.someAcked() {
				late = true
				deadline.Reset(grace)
				continue
			}
			j.summary.Err = err
			j.conclude()
			return
		case <-j.ctx.Done():
			j.summary.Err = context.Cause(j.ctx)
			j.conclude()
			return
		}
	}
	j.conclude()
}

func (j *Job) complete() bool {
	return j.summary.Refused != "" || j.closed || j.addressed && len(j.waiting) == 0
}

func (j *Job) someAcked() bool {
	for peel := range j.waiting {
		if j.acked[peel] {
			return true
		}
	}
	return false
}

func (j *Job) conclude() {
	j.summary.Queued = !j.addressed && j.summary.Refused == "" && j.summary.Err == nil
	for _, peel := range j.summary.Targets {
		if j.waiting[peel] {
			j.summary.Silent = append(j.summary.Silent, Silent{
				Peel: peel, Acked: j.acked[peel], Declined: j.declined[peel],
				Unreleased: j.batch.unreleased(peel), Absent: j.batch.absent(peel),
			})
		}
	}
}

func (j *Job) emit(e Event) {
	select {
	case j.events <- e:
	case <-j.ctx.Done():
	}
}

// message handles what came on the job's subjects.
func (j *Job) message(m bus.Msg) {
	if m.Subject == bus.JobNotes(j.ID) {
		j.note(m.Data)
		return
	}
	if m.Subject == bus.JobChanged(j.ID) {
		j.reread = true
		j.catchUp()
		return
	}
	_, kind, peel, ok := bus.ParseJobSubject(m.Subject)
	if !ok {
		return
	}
	if kind == "out" {
		if j.waiting[peel] || j.later[peel] {
			j.output(peel, m.Data)
		}
		return
	}
	if !j.addressed {
		// The masters write the record before they address anybody, so this peel is in it or
		// speaks out of turn.
		if j.catchUp(); !j.addressed {
			return
		}
	}
	switch {
	case !j.waiting[peel] && !j.later[peel]:
	case kind == "return":
		j.returned(m.Subject, m.Data)
	case len(m.Data) > 0:
		j.decline(peel, m.Data)
	case !j.acked[peel]:
		j.acked[peel] = true
		delete(j.declined, peel)
		j.emit(Acked{peel})
	}
}

// decline notes why a peel has not taken the job.
func (j *Job) decline(peel string, data []byte) {
	d := &Decline{}
	if j.acked[peel] || bus.Unmarshal(data, d) != nil {
		return
	}
	if j.declined[peel] == nil {
		j.emit(Declined{peel, *d})
	}
	j.declined[peel] = d
}

func (j *Job) note(data []byte) {
	var n Note
	if err := bus.Unmarshal(data, &n); err != nil {
		j.client.log().Warn("a master's note cannot be read", "job", j.ID, "error", err)
		return
	}
	switch {
	case j.addressed || j.summary.Refused != "":
	case n.Error != "":
		j.refuse(n.Error)
	case n.Stored:
		j.catchUp()
	default:
		j.address(Addressed{n.Targets, n.Offline, n.Missing, n.Until})
	}
}

func (j *Job) refuse(reason string) {
	j.summary.Refused = reason
	j.emit(Refused{reason})
}

func (j *Job) address(a Addressed) {
	j.addressed = true
	if j.patient && !a.Until.IsZero() {
		a.Targets, a.Offline = slices.Concat(a.Targets, a.Offline), nil
	}
	for _, peel := range a.Targets {
		j.waiting[peel] = true
	}
	if !a.Until.IsZero() {
		for _, peel := range a.Offline {
			j.later[peel] = true
		}
	}
	j.summary.Targets, j.summary.Offline, j.summary.Missing = a.Targets, a.Offline, a.Missing
	j.emit(a)
}

// returned takes a return of a peel that is waited for; the first counts.
func (j *Job) returned(subject string, data []byte) {
	r, err := DecodeReturn(subject, data)
	if err != nil {
		_, _, peel, _ := bus.ParseJobSubject(subject)
		r = Return{JID: j.ID, Peel: peel, Function: j.req.Function, Retcode: 1, Error: err.Error()}
	}
	if r.Parts != 0 {
		ctx, cancel := context.WithTimeout(j.ctx, partsTimeout)
		r.Complete(ctx, j.client.Conn)
		cancel()
	}
	delete(j.waiting, r.Peel)
	if j.later[r.Peel] {
		delete(j.later, r.Peel)
		j.summary.Targets = append(slices.Clip(j.summary.Targets), r.Peel)
		j.summary.Offline = slices.DeleteFunc(slices.Clone(j.summary.Offline), func(id string) bool { return id == r.Peel })
	}
	j.summary.Returned++
	if r.Failed() {
		j.summary.Failed = append(j.summary.Failed, r.Peel)
	}
	j.emit(r)
}

// catchUp reads what may have been missed.
func (j *Job) catchUp() error {
	ctx, cancel := context.WithTimeout(j.ctx, readTimeout)
	defer cancel()
	if !j.req.Batch.zero() {
		j.reread = true // its end shows in the record alone
	}
	err := j.readRecord(ctx)
	if err == nil {
		if err = j.readReturns(ctx); err != nil {
			j.closed = false // there may be more
		}
	}
	if err != nil {
		j.client.log().Warn("the job cannot be looked at", "job", j.ID, "error", err)
	}
	return err
}

func (j *Job) readRecord(ctx context.Context) error {
	if j.addressed && !j.reread {
		return nil
	}
	record, _, err := LoadRecord(ctx, j.client.Conn, j.ID)
	switch {
	case errors.Is(err, ErrNoJob):
		if !j.summary.Queued {
			j.summary.Queued = true
			j.emit(Queued{})
		}
		return nil
	case err != nil:
		return err
	case record.State == StateRefused:
		j.refuse(record.Error)
	case !j.addressed:
		j.address(Addressed{record.Targets, record.Offline, record.Missing, record.until()})
	}
	j.reread = false
	if record.inBatches() {
		if err := j.readBatch(ctx, record); err != nil {
			return err
		}
	}
	if by := record.CancelledBy; by != "" && j.summary.Cancelled == "" {
		j.summary.Cancelled = by
		j.emit(Cancelled{by})
	}
	return nil
}

// readReturns looks for stored returns of peels that are waited for. The names come first:
// mostly there is nothing new, and returns can be large.
func (j *Job) readReturns(ctx context.Context) error {
	if len(j.waiting)+len(j.later) == 0 {
		return nil
	}
	stored, err := j.client.Conn.StreamSubjects(ctx, bus.StreamReturns, bus.Returns(j.ID))
	if err != nil {
		return err
	}
	news := false
	for subject := range stored {
		_, _, peel, ok := bus.ParseJobSubject(subject)
		news = news || ok && (j.waiting[peel] || j.later[peel])
	}
	if !news {
		return nil
	}
	ctx, idle, end := awaiting(j.ctx, readTimeout)
	defer end()
	return j.client.Conn.StreamMessages(ctx, bus.StreamReturns, bus.Returns(j.ID), func(subject string, data []byte, _ time.Time) error {
		idle.Stop() // a large value takes its time to read, as may who listens
		defer idle.Reset(readTimeout)
		if _, _, peel, ok := bus.ParseJobSubject(subject); ok && (j.waiting[peel] || j.later[peel]) {
			j.returned(subject, data)
		}
		return nil
	})
}

// awaiting gives a context for what comes bit by bit, however long it takes in all: it ends when idle does, as if its deadline
// were over.
func awaiting(ctx context.Context, wait time.Duration) (_ context.Context, idle *time.Timer, end func()) {
	ctx, stop := context.WithTimeout(ctx, MaxExpires)
	ctx, cancel := context.WithCancelCause(ctx)
	idle = time.AfterFunc(wait, func() { cancel(context.DeadlineExceeded) })
	return ctx, idle, func() { idle.Stop(); cancel(nil); stop() }
}
