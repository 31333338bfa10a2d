package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Client submits jobs in the name of an operator. It is safe for concurrent use.
type Client struct {
	Conn     *bus.Conn
	Operator string
	Log      *slog.Logger
	// QueuedAfter is how long to wait for a master before Queued is reported. 0 means 5 s.
	QueuedAfter time.Duration
}

const (
	submitTimeout  = 5 * time.Second
	submitAttempts = 3
)

// Submit puts the request into the masters' queue and returns the job to follow. On an error
// no job was started, save when it says that one may have been. Read the job's events until
// they end, or end the context.
func (c *Client) Submit(ctx context.Context, r Request) (*Job, error) {
	if r.JID == "" {
		r.JID = NewID(time.Now())
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if err := errors.Join(CheckID(r.JID), r.Check()); err != nil {
		return nil, err
	}
	data, err := bus.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("the arguments of %s cannot be sent: %w", r.Function, err)
	}
	if _, err := decodeRequest(data); err != nil {
		return nil, err
	}
	j := newJob(ctx, c, r)
	if err := j.listen(); err != nil {
		j.cancel(nil)
		return nil, err
	}
	if err := c.store(ctx, r, data); err != nil {
		j.stop()
		return nil, err
	}
	go j.run()
	return j, nil
}

// Follow gives a job that somebody has submitted: what has happened of it so far, and if wait is set what happens
// until it ends, as Submit does. It needs no master.
func (c *Client) Follow(ctx context.Context, jid string, wait bool) (*Job, *Record, error) {
	if err := CheckID(jid); err != nil {
		return nil, nil, err
	}
	record, err := Find(ctx, c.Conn, jid)
	if err != nil {
		return nil, nil, err
	}
	j := newJob(ctx, c, Request{JID: jid, Target: record.Target, Function: record.Function, Args: record.Args, Kwargs: record.Kwargs, Batch: record.Batch})
	if wait && record.Stage() != StageRefused && record.State != StateClosed {
		j.req.Timeout = c.left(ctx, record.Deadline)
	}
	j.patient, j.glance = true, !wait
	if err := j.listen(); err != nil {
		j.cancel(nil)
		return nil, nil, err
	}
	signal(j.again) // to read what there is
	go j.run()
	return j, record, nil
}

// store puts the request into the queue. Trying again does no harm: the queue knows its id.
func (c *Client) store(ctx context.Context, r Request, data []byte) error {
	var err error
	for range submitAttempts {
		err = c.storeOnce(ctx, r, data)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrPermission):
			return fmt.Errorf("operator %q may not run jobs: %w", c.Operator, err)
		case errors.Is(err, bus.ErrNoResponders):
			return &plainError{"the job cannot be queued: NATS has no stream for requests: start a master, which creates it", err}
		case errors.Is(err, bus.ErrFull):
			return fmt.Errorf("the job cannot be queued: too many requests wait for the masters; is one running? %w", err)
		case !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
			return fmt.Errorf("the job cannot be queued: %w", err)
		}
	}
	return fmt.Errorf("job %s may or may not be queued, NATS did not confirm it: %w", r.JID, err)
}

func (c *Client) storeOnce(ctx context.Context, r Request, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	return c.Conn.StoreOnce(ctx, bus.Submit(c.Operator), r.JID, data)
}

// left is how long it is until a time of the masters', who go by NATS's clock.
func (c *Client) left(ctx context.Context, end time.Time) time.Duration {
	return end.Sub(fleetTime(ctx, c.Conn))
}

// fleetTime asks for the time that jobs go by; where it cannot be had this host's must do.
func fleetTime(ctx context.Context, c *bus.Conn) time.Time {
	if now, err := c.ServerTime(ctx); err == nil {
		return now
	}
	return time.Now()
}

func (c *Client) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

func (c *Client) queuedAfter() time.Duration {
	if c.QueuedAfter == 0 {
		return 5 * time.Second
	}
	return c.QueuedAfter
}
