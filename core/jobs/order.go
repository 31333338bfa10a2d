package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// Order is what an operator may want of a job that is under way.
type Order string

const (
	// Cancel ends the job on all its targets, those that wait or run included.
	Cancel Order = "cancel"
	// Pause releases no more batches until Resume, which also lets a job go on after its
	// canaries. Abort releases none ever; what runs goes on to its end.
	Pause  Order = "pause"
	Resume Order = "resume"
	Abort  Order = "abort"
)

// orderJobs names the orders in their subject.
const orderJobs = "jobs"

// orderWait is how long an order waits for a job that no master has taken yet, and orderAttempts
// how often it tries anew where another master changes the record at the same time.
const (
	orderWait     = 2 * time.Second
	orderAttempts = 10
	// A client asks so often, and waits so long each time.
	orderAsks    = 3
	orderTimeout = orderWait + time.Second
)

type jobOrder struct {
	JID   string `msgpack:"jid"`
	Order Order  `msgpack:"order"`
}

// Obeyed is what came of an order.
type Obeyed struct {
	// Told is how many connected peels the order was sent on to at once. It reaches the others
	// when they come back while the job lasts.
	Told int `msgpack:"told"`
	// Silent is how many targets had not returned.
	Silent int `msgpack:"silent"`
}

// Send gives the masters an order about a job.
func (c *Client) Send(ctx context.Context, jid string, order Order) (Obeyed, error) {
	if err := CheckID(jid); err != nil {
		return Obeyed{}, err
	}
	var o Obeyed
	var err error
	for range orderAsks { // an order that reached a master as it ended is lost; obeying one twice does no harm
		o, err = c.sendOnce(ctx, jid, order)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	switch {
	case errors.Is(err, bus.ErrNoResponders):
		return o, &plainError{"no master answers on this bus, and only masters can sign a command: start one", err}
	case errors.Is(err, context.DeadlineExceeded):
		return o, &plainError{fmt.Sprintf("no master has confirmed the order: see with \"zester job show %s\" whether it is obeyed, and look at the masters' logs", jid), err}
	}
	return o, err
}

// plainError says of an error of the bus what a user needs to know, without its subject.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() error { return e.err }

func (c *Client) sendOnce(ctx context.Context, jid string, order Order) (Obeyed, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	return bus.Call[Obeyed](ctx, c.Conn, bus.Order(c.Operator, orderJobs), jobOrder{jid, order})
}

// serveOrders takes the operators' orders, each on one master.
func (d *dispatching) serveOrders() (stop func(), err error) {
	orders, err := bus.Serve(d.Conn, bus.Order("*", orderJobs), workQueue, d.obey)
	if err != nil {
		return nil, err
	}
	changes, err := d.Conn.Subscribe(bus.AllJobChanges, func(m bus.Msg) {
		d.changed(bus.ChangedJob(m.Subject))
	})
	if err != nil {
		orders.Stop()
		return nil, err
	}
	unhook := d.Conn.OnConnect(d.forgetAll) // changes may have been missed
	return func() { orders.Stop(); changes.Stop(); unhook() }, nil
}

// obey changes the job's record, which decides for all masters, and then acts on it at once.
func (d *dispatching) obey(ctx context.Context, operator string, q jobOrder) (Obeyed, error) {
	if err := d.clock.compare(ctx); err != nil {
		return Obeyed{}, err
	}
	var job *liveJob
	for attempt := 0; ; attempt++ {
		read := time.Now()
		r, rev, err := d.awaitRecord(ctx, q.JID)
		if err != nil {
			return Obeyed{}, err
		}
		if q.Order != Cancel || r.CancelledBy == "" { // what was obeyed already is no fault if it is asked for again
			r.judge(ctx, d.Conn)
		}
		changed, err := r.order(q.Order, operator, d.clock.now())
		if err != nil {
			return Obeyed{}, err
		}
		if changed {
			if rev, err = updateRecord(ctx, d.Conn, r, rev); errors.Is(err, bus.ErrConflict) && attempt < orderAttempts {
				continue
			}
		}
		if err != nil {
			return Obeyed{}, err
		}
		job = newLiveJob(r, rev, read)
		break
	}
	d.changed(q.JID) // here at once: the news takes its time, and who gave the order need not
	if err := d.Conn.Publish(bus.JobChanged(q.JID), nil); err != nil {
		return Obeyed{}, err
	}
	d.Log.Info("an order about a job", "job", q.JID, "order", string(q.Order), "operator", operator)
	d.meters.orders(q.Order).Inc()
	return d.act(ctx, job)
}

// awaitRecord gives a job that has just been submitted a moment to be taken.
func (d *dispatching) awaitRecord(ctx context.Context, jid string) (*Record, uint64, error) {
	for deadline := time.Now().Add(orderWait); ; {
		r, rev, err := LoadRecord(ctx, d.Conn, jid)
		if !errors.Is(err, ErrNoJob) || time.Now().After(deadline) {
			return r, rev, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// order changes a record as an operator wants it. An order that has been obeyed already changes
// nothing, and is acted upon once more.
func (r *Record) order(o Order, operator string, now time.Time) (changed bool, err error) {
	if r.State != StateOpen {
		return false, fmt.Errorf("job %s is over: %s", r.JID, r.State)
	}
	if o != Cancel && !r.inBatches() {
		return false, fmt.Errorf("job %s is not in batches, it went to all its targets at once: end it with \"zester job kill %s\"", r.JID, r.JID)
	}
	switch o {
	case Pause:
		changed = r.Paused == "" && r.Stopped == ""
		if changed {
			r.Paused = "by " + operator
		}
		return changed, nil
	case Resume:
		if r.Stopped != "" {
			return false, fmt.Errorf("job %s does not go on: %s; run it again for those that are missing", r.JID, r.Stopped)
		}
		changed = r.Paused != "" || !r.Confirmed
		r.Paused, r.Confirmed = "", true
		return changed, nil
	case Abort:
		changed = r.Stopped == ""
		if changed {
			r.Paused, r.Stopped = "", "by "+operator
		}
		return changed, nil
	case Cancel:
		if r.CancelledBy != "" {
			return false, nil
		}
		r.CancelledBy, r.Cancelled = operator, now
		if end := now.Add(cancelWait); end.Before(r.Deadline) {
			r.Deadline = end
		}
		return true, nil
	}
	return false, fmt.Errorf("this master's version knows no order %q", o)
}

// act sends the peels what follows from a changed record.
func (d *dispatching) act(ctx context.Context, job *liveJob) (Obeyed, error) {
	silent, _, err := d.silent(ctx, job)
	if err != nil || job.record.CancelledBy == "" {
		return Obeyed{Silent: len(silent)}, err
	}
	told, err := d.cancelOn(ctx, job.record, silent)
	return Obeyed{Told: told, Silent: len(silent)}, err
}

// cancelWait is how long a cancelled job is kept open for the returns that say so.
const cancelWait = time.Minute

// cancelOn sends the connected ones of these peels that the job is cancelled.
func (d *dispatching) cancelOn(ctx context.Context, r *Record, targets []string) (told int, err error) {
	var here []string
	for _, id := range targets {
		if d.connected(id) {
			here = append(here, id)
		}
	}
	if len(here) == 0 {
		return 0, nil
	}
	now := d.clock.now()
	return len(here), d.send(ctx, nil, keys.Command{
		JID: r.JID, Kind: keys.Cancel, Function: r.Function, Operator: r.CancelledBy,
		Issued: now, Expires: now.Add(cancelWait), Until: r.Until,
	}, here)
}
