package enrollment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Orders is how an operator decides on enrollments: it asks whichever master answers first.
type Orders struct {
	Conn     *bus.Conn // the operator's
	Operator string    // the name in Conn's credentials; empty takes it from there
}

// Outcome is what became of one peel, or of a pattern that matches none.
type Outcome struct {
	ID    string `msgpack:"id"`
	State State  `msgpack:"state"` // the new one; empty if removed, or on an error
	Note  string `msgpack:"note"`  // what the operator should know all the same
	Error string `msgpack:"error"` // why nothing happened
}

// The orders, as they stand in their subjects, and their bodies.
const (
	orderList    = "enroll.list"
	orderShow    = "enroll.show"
	orderApprove = "enroll.approve"
	orderReject  = "enroll.reject"
	orderRemove  = "enroll.remove"
)

type order struct {
	Patterns []string `msgpack:"patterns"`
	All      bool     `msgpack:"all"`
	After    string   `msgpack:"after"` // the id that the last page ended with
}

type orderReply struct {
	Records  []Record  `msgpack:"records"`
	Outcomes []Outcome `msgpack:"outcomes"`
	More     string    `msgpack:"more"` // the id to go on after; empty at the end
}

// List gives the records whose ids match the pattern, or all for an empty one, sorted by id.
func (o *Orders) List(ctx context.Context, pattern string) ([]Record, error) {
	q := order{All: pattern == ""}
	if pattern != "" {
		q.Patterns = []string{pattern}
	}
	var records []Record
	err := o.pages(ctx, orderList, q, func(r orderReply) { records = append(records, r.Records...) })
	return records, err
}

// Show gives one record. For an unknown id the error names the nearest one.
func (o *Orders) Show(ctx context.Context, id string) (Record, error) {
	var records []Record
	err := o.pages(ctx, orderShow, order{Patterns: []string{id}}, func(r orderReply) { records = append(records, r.Records...) })
	if err == nil && len(records) != 1 {
		err = fmt.Errorf("peel %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return Record{}, err
	}
	return records[0], nil
}

// Approve approves the pending peels that the patterns match, or all pending ones. An id that is not pending is an
// outcome with an error; the error returned is about the order as a whole.
func (o *Orders) Approve(ctx context.Context, patterns []string, all bool) ([]Outcome, error) {
	return o.outcomes(ctx, orderApprove, order{Patterns: patterns, All: all})
}

// Reject rejects likewise. By its id it also rejects a peel that is approved and has no credentials yet.
func (o *Orders) Reject(ctx context.Context, patterns []string, all bool) ([]Outcome, error) {
	return o.outcomes(ctx, orderReject, order{Patterns: patterns, All: all})
}

// Remove forgets peels, so that their ids can be enrolled with other keys. Patterns match pending and rejected peels; a
// member has to be named by its id.
func (o *Orders) Remove(ctx context.Context, patterns []string) ([]Outcome, error) {
	return o.outcomes(ctx, orderRemove, order{Patterns: patterns})
}

func (o *Orders) outcomes(ctx context.Context, name string, q order) ([]Outcome, error) {
	var outcomes []Outcome
	err := o.pages(ctx, name, q, func(r orderReply) { outcomes = append(outcomes, r.Outcomes...) })
	return outcomes, err
}

// orderTimeout is how long a master may take for one page.
const orderTimeout = 15 * time.Second

// pages asks until the last page has come.
func (o *Orders) pages(ctx context.Context, name string, q order, each func(orderReply)) error {
	operator := o.Operator
	if operator == "" {
		operator = o.Conn.User()
	}
	for {
		reply, err := o.ask(ctx, bus.Order(operator, name), q)
		if err != nil {
			return err
		}
		each(reply)
		if reply.More == "" {
			return nil
		}
		q.After = reply.More
	}
}

func (o *Orders) ask(ctx context.Context, subject string, q order) (orderReply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, orderTimeout, errSilent)
	defer cancel()
	reply, err := bus.Call[orderReply](ctx, o.Conn, subject, q)
	switch {
	case errors.Is(err, bus.ErrNoResponders):
		return orderReply{}, &noMasterError{err}
	case err != nil:
		return orderReply{}, err
	}
	for i := range reply.Records {
		reply.Records[i].toUTC()
	}
	return reply, nil
}

var errSilent = fmt.Errorf("no master has answered within %s: look at the masters' logs", orderTimeout)

// noMasterError is a bus.ErrNoResponders with its remedy.
type noMasterError struct{ err error }

func (e *noMasterError) Error() string {
	return "no master answers on this bus: start one with `zester master`, or check --nats-url"
}

func (e *noMasterError) Unwrap() error { return e.err }
