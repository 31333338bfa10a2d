package jobs

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// A master that dies between the server's handing it a job and its telling the others is known
// to hold nothing. So masters listen to what is submitted too: for a job that nobody says to
// have taken one of them calls the roll, and gives back to the queue what was handed out and
// nobody has. A master that starts does so first of all, after those that it replaces.

const (
	rollTimeout = 2 * time.Second
	rollQuiet   = 200 * time.Millisecond // masters that have not answered by then are not there
	rollEvery   = 2 * time.Second
)

type rollQuestion struct {
	Master string `msgpack:"master"`
}

type rollAnswer struct {
	Master string   `msgpack:"master"`
	InHand []uint64 `msgpack:"in_hand"` // places in the queue
}

// submitted is a job that some master is to take.
type submitted struct {
	due   time.Time // when to ask for it
	until time.Time // when the queue gives it to another master without being asked
}

// noteSubmitted notes a job that some master is to take soon.
func (d *dispatching) noteSubmitted(m bus.Msg) {
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	if !d.company {
		return
	}
	jid := requestID(m.Data)
	if CheckID(jid) != nil {
		return
	}
	now := time.Now()
	d.submitted[jid] = submitted{now.Add(holdAsk + rand.N(holdAsk)), now.Add(d.AckWait)} // not all masters at once
	signal(d.taken)
}

func (d *dispatching) answerRoll(m bus.Msg) {
	var q rollQuestion
	if bus.Unmarshal(m.Data, &q) != nil || q.Master == d.name && !m.Wanted() {
		return
	}
	a := rollAnswer{Master: d.name}
	d.holders.mu.Lock()
	d.company = d.company || q.Master != d.name
	for seq := range d.inHand {
		a.InHand = append(a.InHand, seq)
	}
	d.holders.mu.Unlock()
	if !m.Wanted() {
		d.tellHold(hold{Master: d.name, Over: true}) // which says that this one is here
	} else if data, err := bus.Marshal(a); err == nil {
		m.Respond(data)
	}
}

// greet tells the others that this master is here, and they it.
func (d *dispatching) greet() error {
	data, err := bus.Marshal(rollQuestion{d.name})
	if err != nil {
		return err
	}
	return d.Conn.Publish(bus.MasterRoll, data)
}

// seekLost calls the roll if there is a job that somebody should have taken by now.
func (d *dispatching) seekLost(ctx context.Context) {
	now := time.Now()
	lost := map[string]submitted{}
	d.holders.mu.Lock()
	if now.Sub(d.rolled) >= rollEvery {
		for jid, s := range d.submitted {
			if now.After(s.due) {
				delete(d.submitted, jid)
				lost[jid] = s
			}
		}
	}
	d.holders.mu.Unlock()
	if len(lost) == 0 || d.callRoll(ctx) {
		return
	}
	d.holders.mu.Lock()
	defer d.holders.mu.Unlock()
	now = time.Now()
	for jid, s := range lost { // to be asked for again: this host may have stood still meanwhile
		if s.due = now.Add(holdAsk); s.due.Before(s.until) {
			d.submitted[jid] = s
		}
	}
}

// callRoll gives back what no master has in hand, and says whether it could. Where it errs, because
// one answers late, two do the same work, which the record and the peels see to.
func (d *dispatching) callRoll(ctx context.Context) bool {
	inHand := map[uint64]bool{}
	err := d.askAll(ctx, inHand)
	if err == nil || errors.Is(err, bus.ErrNoResponders) {
		d.holders.mu.Lock()
		d.rolled = time.Now()
		for seq := range d.inHand {
			inHand[seq] = true
		}
		d.holders.mu.Unlock()
		var n int
		if n, err = d.Conn.ReleaseLost(ctx, d.queue(), func(seq uint64) bool { return inHand[seq] }); n > 0 {
			d.meters.released.Add(n)
			d.Log.Info("released jobs that no master has in hand", "jobs", n)
		}
	}
	if err != nil && ctx.Err() == nil {
		d.Log.Warn("it cannot be told whether jobs are in nobody's hands: what is comes back in a while", "error", err)
	}
	return err == nil
}

// askAll asks all masters what they have in hand.
func (d *dispatching) askAll(ctx context.Context, inHand map[uint64]bool) error {
	question, err := bus.Marshal(rollQuestion{d.name})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, rollTimeout)
	defer cancel()
	return d.Conn.RequestMany(ctx, bus.MasterRoll, question, rollQuiet, func(data []byte) bool {
		var a rollAnswer
		if bus.Unmarshal(data, &a) != nil {
			return true
		}
		d.holders.mu.Lock()
		d.company = d.company || a.Master != d.name
		d.holders.mu.Unlock()
		for _, seq := range a.InHand {
			inHand[seq] = true
		}
		return true
	})
}
