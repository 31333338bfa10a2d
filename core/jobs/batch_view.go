package jobs

import (
	"context"
	"slices"

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
