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
// master nobody listens, and it costs nothing but two short messages a step. What a master did
// not live to tell of is found by the roll (roll.go).
const (
	holdAsk     = 300 * time.Millisecond // how long a job is held before its holder is asked for
	holdTimeout = time.Second
)

// hold is what a master says of work: that it has taken it, or given it back, or that it is Done.
type hold struct {
	Master string `msgpack:"master"`
	Claim  string `msgpack:"claim"`
	JID    string `msgpack:"jid"`
	Over   bool   `msgpack:"over"`
	Done   bool   `msgpack:"done"`
}

// holders is what a master knows of the others' work.
type holders struct {
	name string // of this one

	mu      sync.Mutex
	held    map[string]held // by claim
	taken   chan struct{}   // something is held, or submitted
	company bool            // other masters have been heard of

	inHand    map[uint64]int       // what this master works on, by its place in the queue
	submitted map[string]submitted // jobs that nobody has said to have taken
	rolled    time.Time            // when they were last asked for
}

type held struct {
	master string
	asked  time.Time // when it was taken, or its holder last asked for
	left   int       // how often it is still asked for
}

func newHolders(name string) holders {
	return holders{name: name, held: map[string]held{}, taken: make(chan struct{}, 1),
		inHand: map[uint64]int{}, submitted: map[string]submitted{}}
}

// hold tells the other masters of work in hand, until the returned function is called.
func (d *dispatching) hold(w bus.Work) (over func(done bool)) {
	jid, seq := requestID(w.Data), w.Sequence()
	d.holders.mu.Lock()
	d.inHand[seq]++
	delete(d.submitted, jid)
	d.holders.mu.Unlock()
	d.tellHold(hold{Master: d.name, Claim: w.Claim(), JID: jid})
	return func(done bool) {
		d.holders.mu.Lock()
		if d.inHand[seq]--; d.inHand[seq] == 0 {
			delete(d.inHand, seq)
		}
		d.holders.mu.Unlock()
		d.tellHold(hold{d.name, w.Claim(), jid, true, done})
	}
}

// tellHold tells the other masters of work; a message that is lost costs time only.
func (d *dispatching) tellHold(h hold) {
	data, err := bus.Marshal(h)
	if err == nil {
		err = d.Conn.Publish(bus.MasterHolds, data)
	}
	if err != nil {
		d.Log.Debug("the other masters are not told of a job in hand", "error", err)
	}
}

// watchHolders takes over from masters that are gone.
func (d *dispatching) watchHolders(ctx context.Context) (stop func(), err error) {
	var subs []*bus.Subscription
	stop = func() {
		for _, s := range subs {
			s.Stop()
		}
	}
	for subject, h := range map[string]func(bus.Msg){
		bus.MasterAlive(d.name): func(m bus.Msg) { m.Respond(nil) },
		bus.MasterHolds:         d.noteHold,
		bus.MasterRoll:          d.answerRoll,
		bus.AllSubmissions:      d.noteSubmitted,
	} {
		s, err := d.Conn.Subscribe(subject, h)
		if err != nil {
			stop()
			return nil, err
		}
		subs = append(subs, s)
	}
	if err := d.greet(); err != nil {
		stop()
		return nil, err
	}
	go d.askHolders(ctx)
	return stop, nil
}

func (d *dispatching) noteHold(m bus.Msg) {
	var h hold
	if bus.Unmarshal(m.Data, &h) != nil || h.Master == d.name {
		return
	}
	if h.Done {
		d.forget(h.JID)
	}
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	d.company = true
	if h.Claim == "" {
		return
	}
	delete(d.submitted, h.JID)
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
				d.seekLost(ctx)
			case <-ctx.Done():
			}
		}
	}
}

func (d *dispatching) holding() bool {
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	return len(d.held)+len(d.submitted) > 0
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
