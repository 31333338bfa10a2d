package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// batchView is how far a job in batches has come, for those who follow it. nil is of any other.
type batchView struct {
	held map[string]bool // whose turn has not come
	away map[string]bool // who was not there for its turn
	idle bool            // nobody runs it, and nobody is to, who is there
}

func viewBatch(ctx context.Context, c *bus.Conn, r *Record) (*batchView, error) {
	p, _, err := loadProgress(ctx, c, r.JID)
	if err != nil {
		return nil, err
	}
	v := &batchView{held: map[string]bool{}, away: map[string]bool{}}
	for _, id := range r.Targets[min(p.Released, len(r.Targets)):] {
		v.held[id] = true
	}
	for _, id := range slices.Concat(r.Offline, p.Absent) {
		v.away[id] = true
	}
	for _, rel := range p.Recent {
		for _, id := range rel.Peels {
			delete(v.away, id)
		}
	}
	for _, id := range p.Lost {
		delete(v.away, id)
	}
	v.idle = len(v.held) == 0 && len(p.Recent) == 0
	return v, nil
}

func (v *batchView) unreleased(id string) bool { return v != nil && v.held[id] }

func (v *batchView) absent(id string) bool { return v != nil && v.away[id] }

// readBatch brings what is known of a job in batches up to date.
func (j *Job) readBatch(ctx context.Context, r *Record) (err error) {
	if j.batch, err = viewBatch(ctx, j.client.Conn, r); err != nil {
		return err
	}
	j.postpone(r)
	j.deadline, j.closed = time.Now().Add(j.client.left(ctx, r.Deadline)), r.State == StateClosed
	held := Held{r.Paused, false}
	if r.Stopped != "" {
		held = Held{r.Stopped, true}
		j.summary.Stopped = r.Stopped
	}
	if held != j.held && held.Why != "" {
		j.emit(held)
	}
	j.held = held
	return nil
}

// postpone stops waiting for those who have left, once they are all that is left.
func (j *Job) postpone(r *Record) {
	if j.patient || !r.Wait || !j.batch.idle {
		return
	}
	var gone []string
	for _, id := range j.summary.Targets {
		if j.waiting[id] && j.batch.absent(id) {
			delete(j.waiting, id)
			j.later[id] = true
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return
	}
	j.summary.Targets = slices.DeleteFunc(slices.Clone(j.summary.Targets), func(id string) bool { return slices.Contains(gone, id) })
	j.summary.Offline = slices.Concat(j.summary.Offline, gone)
	j.emit(Postponed{gone, r.until()})
}
