package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Masters tell each other what they take from the queue. What a master has held for a while is
// asked for: where nobody answers under its name any more, NATS says so at once, and the first
// survivor to notice gives the job back to the queue, long before its AckWait is over. With one
// master nobody listens, and it costs nothing but two short messages a step.
const (
	holdAsk     = 300 * time.Millisecond // how long a job is held before its holder is asked for
	holdTimeout = time.Second
)

// hold is what a master says of work: that it has taken it, or given it back.
type hold struct {
	Master string `msgpack:"master"`
	Claim  string `msgpack:"claim"`
	Over   bool   `msgpack:"over"`
}

// holders is what a master knows of the others' work.
type holders struct {
	name string // of this one

	mu    sync.Mutex
	held  map[string]held // by claim
	taken chan struct{}   // something is held
}

type held struct {
	master string
	asked  time.Time // when it was taken, or its holder last asked for
	left   int       // how often it is still asked for
}

func newHolders(name string) holders {
	return holders{name: name, held: map[string]held{}, taken: make(chan struct{}, 1)}
}

// tellHold tells the other masters of work; a message that is lost costs time only.
func (d *dispatching) tellHold(w bus.Work, over bool) {
	data, err := bus.Marshal(hold{d.name, w.Claim(), over})
	if err == nil {
		err = d.Conn.Publish(bus.MasterHolds, data)
	}
	if err != nil {
		d.Log.Debug("the other masters are not told of a job in hand", "error", err)
	}
}

// watchHolders takes over from masters that are gone.
func (d *dispatching) watchHolders(ctx context.Context) (stop func(), err error) {
	alive, err := d.Conn.Subscribe(bus.MasterAlive(d.name), func(m bus.Msg) { m.Respond(nil) })
	if err != nil {
		return nil, err
	}
	holds, err := d.Conn.Subscribe(bus.MasterHolds, d.noteHold)
	if err != nil {
		alive.Stop()
		return nil, err
	}
	go d.askHolders(ctx)
	return func() { alive.Stop(); holds.Stop() }, nil
}

func (d *dispatching) noteHold(m bus.Msg) {
	var h hold
	if bus.Unmarshal(m.Data, &h) != nil || h.Master == d.name || h.Claim == "" {
		return
	}
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	if h.Over {
		delete(d.held, h.Claim)
		return
	}
	d.held[h.Claim] = held{h.Master, time.Now(), int(d.AckWait/holdAsk) + 1}
	signal(d.taken)
}

func (d *dispatching) askHolders(ctx context.Context) {
	for {
		select {
		case <-d.taken:
		case <-ctx.Done():
			return
		}
		for d.holding() && ctx.Err() == nil {
			select {
			case <-time.After(holdAsk):
				d.askOnce(ctx)
			case <-ctx.Done():
			}
		}
	}
}

func (d *dispatching) holding() bool {
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	return len(d.held) > 0
}

// askOnce asks for those who have held something for long, and releases what the dead held.
func (d *dispatching) askOnce(ctx context.Context) {
	now := time.Now()
	claims := map[string][]string{}
	d.holders.mu.Lock()
	for claim, h := range d.held {
		if now.Sub(h.asked) >= holdAsk {
			claims[h.master] = append(claims[h.master], claim)
		}
	}
	d.holders.mu.Unlock()
	for master, list := range claims {
		gone := d.gone(ctx, master)
		if gone {
			for _, claim := range list {
				if err := d.Conn.Release(claim); err != nil {
					d.Log.Warn("a job of a master that is gone cannot be released", "error", err)
				}
			}
			d.meters.released.Add(len(list))
			d.Log.Info("released the jobs that a master had in hand: it is gone", "master", master, "jobs", len(list))
		}
		d.holders.mu.Lock()
		for _, claim := range list {
			h, ok := d.held[claim]
			h.asked = time.Now()
			if h.left--; gone || h.left <= 0 {
				delete(d.held, claim) // the queue has seen to it, or soon will
			} else if ok {
				d.held[claim] = h
			}
		}
		d.holders.mu.Unlock()
	}
}

// gone says whether a master is not connected any more. One that is and does not answer may be
// at work all the same: AckWait is for that.
func (d *dispatching) gone(ctx context.Context, master string) bool {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	_, err := d.Conn.Request(ctx, bus.MasterAlive(master), nil)
	return errors.Is(err, bus.ErrNoResponders)
}
