package jobs

import (
	"context"
	"strconv"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// A peel may store returns under its own name, of any job: NATS cannot tell which jobs it was
// given. One that has fallen into wrong hands could fill the stream with returns of jobs that
// never were, until nobody's returns find room. So the masters look at what is new in the stream
// whenever much is, and remove the returns of jobs that there are not, or that were not for that
// peel. Till then the others' returns wait in their outboxes; none is lost.

// guardLimits are when to look. Zero means the defaults.
type guardLimits struct {
	every    time.Duration
	messages uint64 // so many more, or
	bytes    uint64 // so much more, since the last look
}

func (g guardLimits) orDefault() guardLimits {
	if g.every == 0 {
		return guardLimits{every: 10 * time.Second, messages: 20_000, bytes: 64 << 20}
	}
	return g
}

// guard watches over the stream of returns. Every master does: at rest that is a question now and
// then, and a lease would be written all the time.
func (d *dispatching) guard(ctx context.Context) {
	limits := d.Dispatcher.guardLimits.orDefault()
	var seen bus.StreamState // nothing: what was there before is looked at too, if it is much
	ticker := time.NewTicker(limits.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now, err := d.Conn.StreamState(ctx, bus.StreamReturns)
		if err == nil && (now.Messages >= seen.Messages+limits.messages || now.Bytes >= seen.Bytes+limits.bytes) {
			err = d.audit(ctx, seen.Last+1, now.Last)
			if now, err = d.stateAfter(ctx, now, err); err == nil {
				seen = now
			}
		}
		switch {
		case err != nil && ctx.Err() == nil:
			d.Log.Warn("the stream of returns cannot be looked after: trying again", "error", err)
		case err == nil && now.Messages < seen.Messages: // age has removed some
			seen.Messages, seen.Bytes = now.Messages, min(seen.Bytes, now.Bytes)
		}
	}
}

// stateAfter is what the stream holds after an audit that came as far as before.Last, without
// what was stored since: that is for the next one.
func (d *dispatching) stateAfter(ctx context.Context, before bus.StreamState, err error) (bus.StreamState, error) {
	if err != nil {
		return before, err
	}
	after, err := d.Conn.StreamState(ctx, bus.StreamReturns)
	if err != nil || after.Messages == 0 {
		return after, err
	}
	fresh := min(after.Messages, after.Last-before.Last)
	after.Bytes -= after.Bytes / after.Messages * fresh
	after.Messages -= fresh
	after.Last = before.Last
	return after, nil
}

// stored is a message in the stream of returns.
type stored struct {
	seq       uint64
	jid, peel string
	good      bool // as far as its subject tells
}

// auditPage is how many messages are looked at together.
const auditPage = 2000

func (d *dispatching) audit(ctx context.Context, from, to uint64) error {
	strays := map[string]int{}
	jobs := map[string]map[string]bool{} // who is in a job; nil: there is none
	var page []stored
	look := func() error {
		err := d.auditSome(ctx, page, jobs, strays)
		page = page[:0]
		if len(jobs) > 10*auditPage {
			clear(jobs)
		}
		return err
	}
	err := d.Conn.StreamSequences(ctx, bus.StreamReturns, from, to, func(seq uint64, subject string) error {
		if page = append(page, storedAs(seq, subject)); len(page) < auditPage {
			return nil
		}
		return look()
	})
	if err == nil {
		err = look()
	}
	for peel, n := range strays {
		d.meters.strays.Add(n)
		d.Log.Error("a peel stored returns of jobs that were not given to it: they are removed; see who has its key, and revoke it", "peel", peel, "returns", n)
	}
	return err
}

func storedAs(seq uint64, subject string) stored {
	if jid, kind, peel, ok := bus.ParseJobSubject(subject); ok {
		return stored{seq, jid, peel, kind == "return" && CheckID(jid) == nil}
	}
	jid, peel, n, ok := bus.ParsePart(subject)
	i, err := strconv.Atoi(n)
	return stored{seq, jid, peel, ok && err == nil && i >= 0 && i < maxParts && CheckID(jid) == nil}
}

// auditSome removes what does not belong into the stream.
func (d *dispatching) auditSome(ctx context.Context, page []stored, jobs map[string]map[string]bool, strays map[string]int) error {
	var unread []string
	for _, m := range page {
		if _, known := jobs[m.jid]; !known && m.good {
			jobs[m.jid] = nil
			unread = append(unread, m.jid)
		}
	}
	entries, err := d.Conn.GetMany(ctx, bus.BucketJobs, unread...)
	if err != nil {
		return err
	}
	for _, e := range entries {
		r, err := decodeRecord(e)
		if err == nil && r.Parts > 0 {
			err = r.loadLists(ctx, d.Conn)
		}
		if err != nil {
			return err
		}
		members := map[string]bool{}
		for _, list := range [][]string{r.Targets, r.Offline} {
			for _, id := range list {
				members[id] = true
			}
		}
		jobs[r.JID] = members
	}
	for _, m := range page {
		if m.good && jobs[m.jid][m.peel] {
			continue
		}
		if err := d.Conn.Remove(ctx, bus.StreamReturns, m.seq); err != nil {
			return err
		}
		strays[m.peel]++
	}
	return nil
}
