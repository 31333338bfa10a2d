package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Batch releases a job to its targets bit by bit. Zero releases it to all at once.
type Batch struct {
	// Size is how many run it at the same time: a number, or a share of all like 25%. As one
	// returns, or its time is up, the next is released.
	Size string `msgpack:"size"`
	// Wait, if not 0, releases a whole batch at a time, that long after the last one's end.
	Wait time.Duration `msgpack:"wait"`
	// FailLimit stops the release when so many, or such a share of all, have failed or not returned in time.
	FailLimit string `msgpack:"fail_limit"`
	// Canary is how many run it before all others. If one fails the release stops. If none does
	// it goes on after CanaryWait; where that is 0, when an operator says Resume.
	Canary     int           `msgpack:"canary"`
	CanaryWait time.Duration `msgpack:"canary_wait"`
	// Random shuffles the targets, which otherwise go by their ids.
	Random bool `msgpack:"random"`
}

func (b *Batch) zero() bool { return *b == Batch{} }

func (b *Batch) check() error {
	if b.zero() {
		return nil
	}
	if b.Size == "" && b.Canary == 0 {
		return errors.New("the batch has no size")
	}
	for _, text := range []string{b.Size, b.FailLimit} {
		if _, err := share(text, 1); err != nil {
			return err
		}
	}
	if b.Wait < 0 || b.CanaryWait < 0 || b.Canary < 0 {
		return errors.New("a batch cannot wait or have canaries less than 0")
	}
	return nil
}

// share reads a number or a share of all; "" is 0, and every other at least 1.
func share(text string, all int) (int, error) {
	if text == "" {
		return 0, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || percent && n > 100 {
		return 0, fmt.Errorf("%.20q: want a number from 1, or a share from 1%% to 100%%", text)
	}
	if percent {
		return max(1, (all*n+99)/100), nil
	}
	return n, nil
}

// progress is how far the release of a job has come. It is kept beside the record, which can be
// large; whichever master has the job in hand goes on from it.
type progress struct {
	Released int       `msgpack:"released"` // of Targets, in their order
	Given    int       `msgpack:"given"`    // how many peels have been given the job
	Recent   []release `msgpack:"recent"`   // those that are not over, the oldest first
	Late     int       `msgpack:"late"`     // of those that are, how many have not returned in time
	Idle     time.Time `msgpack:"idle"`     // since when nothing that was released runs

	// Of a job that waits for peels to connect: those of Targets that were gone when it was their
	// turn, and those that were late and are not to have another.
	Absent []string `msgpack:"absent"`
	Lost   []string `msgpack:"lost"`
}

// release is a part of Targets, and Peels that had to be waited for.
type release struct {
	From  int       `msgpack:"from"`
	To    int       `msgpack:"to"`
	Peels []string  `msgpack:"peels"`
	At    time.Time `msgpack:"at"`
}

func (rel *release) peels(r *Record) []string {
	if len(rel.Peels) == 0 {
		return r.Targets[rel.From:rel.To]
	}
	return slices.Concat(r.Targets[rel.From:rel.To], rel.Peels)
}

// count fills in Given, which masters of older versions do not write: in their batches nobody lost a turn.
func (p *progress) count(r *Record) {
	if !r.Wait {
		p.Given = p.Released
	}
}

func progressKey(jid string) string { return jid + ".batch" }

// loadProgress gives the entry too: revision 0 where there is none yet.
func loadProgress(ctx context.Context, c *bus.Conn, jid string) (p progress, e bus.Entry, err error) {
	e, err = c.Get(ctx, bus.BucketJobs, progressKey(jid))
	if errors.Is(err, bus.ErrNotFound) {
		return p, bus.Entry{Bucket: bus.BucketJobs, Key: progressKey(jid)}, nil
	}
	if err == nil {
		err = bus.Unmarshal(e.Value, &p)
	}
	return p, e, err
}

// saveProgress stores what has changed since it was loaded; the look that fails to, because
// another master was faster, releases nothing.
func (d *dispatching) saveProgress(ctx context.Context, p progress, e bus.Entry) error {
	data, err := bus.Marshal(p)
	if err != nil || bytes.Equal(data, e.Value) {
		return err
	}
	if e.Revision == 0 {
		_, err = d.Conn.Create(ctx, e.Bucket, e.Key, data)
	} else {
		_, err = d.Conn.Update(ctx, e.Bucket, e.Key, data, e.Revision)
	}
	return err
}

// standing is what a look at a job in batches has found.
type standing struct {
	running []string // released, not returned, and in time
	unheard []string // of these, who has neither acked nor left
	gone    int      // of these, who has left and is not back: they keep nobody else from running
	waiting []string // not released because they are not connected
	failed  int
}

// goneAfter is how long a peel that has begun may be away before another takes its place.
const goneAfter = 10 * time.Second

// weigh brings the progress up to date with the returns.
func (d *dispatching) weigh(job *liveJob, p *progress, stored map[string]uint64, now time.Time) standing {
	var s standing
	r := job.record
	returned := func(id string) bool { return stored[bus.Return(r.JID, id)] > 0 }
	var recent []release
	for _, rel := range p.Recent {
		end := rel.At.Add(r.Timeout)
		over := now.After(end.Add(grace))
		silent := 0
		for _, id := range rel.peels(r) {
			switch {
			case returned(id):
				continue
			case over:
				d.late(r, p, id)
				continue
			}
			silent++
			s.running = append(s.running, id)
			switch {
			case d.absent(id) > d.goneAfter:
				s.gone++
			case now.Before(end) && !d.acked(job, id) && d.connected(id):
				s.unheard = append(s.unheard, id)
			}
		}
		if silent > 0 {
			recent = append(recent, rel)
		}
	}
	p.Recent = recent
	s.failed = p.Late + s.gone
	for _, failed := range job.verdicts {
		if failed {
			s.failed++
		}
	}
	s.waiting = r.waiting(p, returned, now)
	return s
}

// late gives up a peel that has not returned in time; one that has left gets the job anew when it
// comes, if the job waits.
func (d *dispatching) late(r *Record, p *progress, id string) {
	if r.Wait && !d.connected(id) {
		if !slices.Contains(r.Offline, id) && !slices.Contains(p.Absent, id) {
			p.Absent = append(p.Absent, id)
		}
		return
	}
	p.Late++
	if r.Wait {
		p.Lost = append(p.Lost, id)
	}
}

// waiting are the peels that are still to come; none once the job has waited long enough.
func (r *Record) waiting(p *progress, returned func(id string) bool, now time.Time) []string {
	if !r.Wait || now.After(r.until()) {
		return nil
	}
	begun := map[string]bool{}
	for _, rel := range p.Recent {
		for _, id := range rel.peels(r) {
			begun[id] = true
		}
	}
	return slices.DeleteFunc(slices.Concat(p.Absent, r.Offline), func(id string) bool {
		return begun[id] || returned(id) || slices.Contains(p.Lost, id)
	})
}

// judge reads the verdicts of returns that this master has not read yet.
func (d *dispatching) judge(ctx context.Context, job *liveJob, stored map[string]uint64) error {
	r := job.record
	if r.Batch.FailLimit == "" && r.Batch.Canary == 0 {
		return nil
	}
	var fresh []string
	for _, id := range r.awaited() {
		subject := bus.Return(r.JID, id)
		if _, known := job.verdicts[id]; !known && stored[subject] > 0 {
			fresh = append(fresh, subject)
		}
	}
	return d.Conn.StreamLast(ctx, bus.StreamReturns, fresh, func(subject string, data []byte) error {
		_, _, id, _ := bus.ParseJobSubject(subject)
		ret, err := DecodeReturn(subject, data)
		job.verdicts[id] = err != nil || ret.Failed()
		return nil
	})
}

// batch looks at a job in batches: who is done, who may be next, whether that is all.
func (d *dispatching) batch(ctx context.Context, w *bus.Work, job *liveJob) (next time.Duration, err error) {
	r := job.record
	p, entry, err := loadProgress(ctx, d.Conn, r.JID)
	if err != nil {
		return 0, err
	}
	p.count(r)
	seen := d.clock.now() // before the returns are read: who returned in time is not late, however long this host stands still
	stored, err := d.Conn.StreamSubjects(ctx, bus.StreamReturns, bus.Returns(r.JID))
	if err != nil {
		return 0, err
	}
	if err := d.judge(ctx, job, stored); err != nil {
		return 0, err
	}
	if d.outdated(job) { // by an order, that may forbid what would follow
		return batchLook, nil
	}
	s, now := d.weigh(job, &p, stored, seen), d.clock.now()
	ended := false // just now, all that ran
	if len(s.running) > 0 || p.Given == 0 {
		p.Idle = time.Time{}
	} else if p.Idle.IsZero() {
		p.Idle, ended = now, true
	}
	n, change := r.mayRelease(&p, s, now)
	if change != nil {
		return batchLook, d.changeRecord(ctx, job, change)
	}
	over := r.Stopped != "" || p.Released == len(r.Targets) && len(s.waiting) == 0
	if over && len(s.running) == 0 || seen.After(r.Deadline) {
		if err := d.saveProgress(ctx, p, entry); err != nil {
			return 0, err
		}
		return 0, d.close(ctx, job, len(stored))
	}
	ids := d.release(r, &p, s.waiting, n, now)
	if err := d.saveProgress(ctx, p, entry); err != nil {
		return 0, err
	}
	if ids = slices.Concat(s.unheard, ids); len(ids) > 0 {
		if err := d.command(ctx, w, r, ids); err != nil {
			return 0, err
		}
		d.meters.resent.Add(len(s.unheard))
	}
	switch {
	case len(s.running)+len(ids) > 0 || r.Paused == "" && p.Released < len(r.Targets):
		return batchLook, nil
	case ended && r.Wait: // followers need not wait for those who may never come
		return batchLook, d.Conn.Publish(bus.JobChanged(r.JID), nil)
	case r.Paused != "":
		return pausedLook, nil
	}
	return mostLook, nil // or when a peel comes
}

// release chooses the next n peels. In a job that waits, who is not connected loses its turn to
// those who are, and has it when it comes.
func (d *dispatching) release(r *Record, p *progress, waiting []string, n int, now time.Time) []string {
	if n == 0 {
		return nil
	}
	rel := release{From: p.Released, To: p.Released, At: now}
	if !r.Wait {
		rel.To = min(p.Released+n, len(r.Targets))
		p.Released = rel.To
	}
	for r.Wait && p.Released < len(r.Targets) && len(rel.Peels) < n {
		if id := r.Targets[p.Released]; d.connected(id) {
			rel.Peels = append(rel.Peels, id)
		} else {
			p.Absent = append(p.Absent, id)
		}
		p.Released++
	}
	for _, id := range waiting {
		if len(rel.Peels) < n && d.connected(id) {
			rel.Peels = append(rel.Peels, id)
		}
	}
	ids := rel.peels(r)
	if len(ids) > 0 {
		p.Recent = append(p.Recent, rel)
		p.Given += len(ids)
		p.Idle = time.Time{} // though all of them may have returned by the next look
	}
	return ids
}

// batchLook is how often a job in batches is looked at, pausedLook one that is paused.
const (
	batchLook  = 250 * time.Millisecond
	pausedLook = 2 * time.Second
)

// mayRelease says how many targets may be released now. change, if not nil, is to be made to the record first.
func (r *Record) mayRelease(p *progress, s standing, now time.Time) (n int, change func(*Record)) {
	all := len(r.awaited())
	size, _ := share(r.Batch.Size, all)
	if size == 0 {
		size = all
	}
	left := len(r.Targets) - p.Released + len(s.waiting)
	canary := min(r.Batch.Canary, all)
	limit, _ := share(r.Batch.FailLimit, all)
	switch {
	case r.Stopped != "":
		return 0, nil
	case limit > 0 && s.failed >= limit && left > 0:
		return 0, stopped(fmt.Sprintf("%d of %d released targets failed or did not return", s.failed, p.Given))
	case r.Paused != "":
		return 0, nil
	case canary == 0 || r.Confirmed || p.Given > canary:
	case p.Given < canary:
		return canary - p.Given, nil
	case s.failed > 0 && left > 0:
		return 0, stopped(fmt.Sprintf("%d of %d canaries failed or did not return", s.failed, canary))
	case len(s.running) > 0 || left == 0:
		return 0, nil
	case r.Batch.CanaryWait == 0:
		return 0, func(r *Record) { r.Paused = "the canaries are well" }
	case now.Before(p.Idle.Add(r.Batch.CanaryWait)):
		return 0, nil
	}
	if r.Batch.Wait > 0 && p.Given > 0 && (len(s.running) > 0 || now.Before(p.Idle.Add(r.Batch.Wait))) {
		return 0, nil
	}
	return max(0, min(size-len(s.running)+s.gone, left)), nil
}

func stopped(why string) func(*Record) { return func(r *Record) { r.Stopped = why } }

// changeRecord changes the record of a job in hand.
func (d *dispatching) changeRecord(ctx context.Context, job *liveJob, change func(*Record)) error {
	r := *job.record
	change(&r)
	if _, err := updateRecord(ctx, d.Conn, &r, job.rev); err != nil {
		d.forget(r.JID)
		return err
	}
	d.Log.Info("a job is held", "job", r.JID, "paused", r.Paused, "stopped", r.Stopped)
	d.forget(r.JID)
	return d.Conn.Publish(bus.JobChanged(r.JID), nil)
}

// inBatches says whether the masters release the job bit by bit.
func (r *Record) inBatches() bool { return !r.Batch.zero() }
