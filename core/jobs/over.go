package jobs

import (
	"context"
	"slices"

	"github.com/ptorbus/zester/core/bus"
)

// The masters close a job when they next look at it, a while after its last return: to be told of each return would cost
// every job more than it is worth to any. Who is asked about a job that is open therefore goes by the returns.

// over says of an open job whether all that are waited for have returned, as the stream has it. An error means that this
// cannot be told.
func (r *Record) over(ctx context.Context, c *bus.Conn) (bool, error) {
	if r.State != StateOpen {
		return false, nil
	}
	stored, err := c.StreamSubjects(ctx, bus.StreamReturns, bus.Returns(r.JID))
	if err != nil || len(stored) < r.Addressed {
		return false, err
	}
	if r.Parts > 0 && len(r.awaited()) == 0 { // of a large fleet, read without its lists
		if err := r.loadLists(ctx, c); err != nil {
			return false, err
		}
	}
	// By name: a peel may store a return of a job that it was not given.
	return !slices.ContainsFunc(r.awaited(), func(id string) bool { return stored[bus.Return(r.JID, id)] == 0 }), nil
}

// judge gives an open job that is over the state that it is about to have.
func (r *Record) judge(ctx context.Context, c *bus.Conn) {
	if over, err := r.over(ctx, c); over && err == nil {
		r.settle()
	}
}

func (r *Record) settle() { r.State, r.Returned = StateClosed, r.Addressed }

// Judge gives an open job the state that it is about to have where a summary, made after the record was read, shows the
// returns of all who are waited for. List, Active and Follow's own events go by the returns already.
func (r *Record) Judge(s *Summary) {
	if r.State == StateOpen && s.Err == nil && len(s.Targets) > 0 && len(s.Silent) == 0 {
		r.settle()
	}
}
