package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// peelClock is what a peel takes for the time. It is the peel's own clock until the masters have
// been asked, and again when that is set. Safe for concurrent use.
type peelClock struct {
	ask   func(context.Context) (time.Time, error)
	local func() time.Time

	mu    sync.Mutex
	fleet time.Time // what the masters said
	at    time.Time // when they did, by our clock; zero if they have not
	asked time.Time
}

const (
	timeWait = 2 * time.Second
	// askEvery keeps a peel to which old commands come from asking at every one.
	askEvery = 5 * time.Second
)

func newPeelClock(conn *bus.Conn, id string, v *keys.Verifier, local func() time.Time) *peelClock {
	if local == nil {
		local = time.Now
	}
	ask := func(ctx context.Context) (time.Time, error) {
		nonce := keys.TimeNonce()
		a, err := bus.Call[timeAnswer](ctx, conn, bus.Ask(id, askTime), timeQuestion{nonce})
		if err != nil {
			return time.Time{}, err
		}
		return v.VerifyTime(id, nonce, a.Signed)
	}
	return &peelClock{ask: ask, local: local}
}

// now is the time, and whether it is the masters'.
func (c *peelClock) now() (now time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *peelClock) nowLocked() (now time.Time, sure bool) {
	local := c.local()
	if c.at.IsZero() {
		return local, false
	}
	passed := local.Sub(c.at)
	if slept := local.Round(0).Sub(c.at.Round(0)) - passed; slept.Abs() > time.Second { // or the clock was set
		c.at = time.Time{}
		return local, false
	}
	return c.fleet.Add(passed), true
}

// learn asks the masters, if that was not done just now. It says whether the time is theirs.
func (c *peelClock) learn(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := c.local()
	if !c.asked.IsZero() && local.Sub(c.asked) < askEvery {
		_, sure := c.nowLocked()
		return sure
	}
	c.asked = local
	ctx, cancel := context.WithTimeout(ctx, timeWait)
	defer cancel()
	if fleet, err := c.ask(ctx); err == nil {
		c.fleet, c.at = fleet, local // taken as if it was said when it was asked: rather late than early
	}
	_, sure := c.nowLocked()
	return sure
}

// left is how long a command's job may take. Where the peel's clock may be wrong, only the
// difference of the masters' own times counts.
func (c *peelClock) left(cmd keys.Command) time.Duration {
	whole := cmd.Expires.Sub(cmd.Issued)
	if now, sure := c.now(); sure || !doubtful(cmd, now) {
		return min(whole, cmd.Expires.Sub(now))
	}
	return whole
}

// prompt is how long a command is on its way at most, as a rule.
const prompt = 5 * time.Second

// doubtful says whether a command was long on its way, or the peel's clock is ahead.
func doubtful(cmd keys.Command, now time.Time) bool { return now.Sub(cmd.Issued) > prompt }

// last is until when, by the peel's own clock, a job must be remembered: as long as commands of
// it may come by the masters' clock, whatever the peel's says.
func (c *peelClock) last(cmd keys.Command) time.Time {
	last := c.local().Add(cmd.Last().Sub(cmd.Issued))
	if cmd.Last().After(last) {
		return cmd.Last()
	}
	return last
}

// verify reads a command. One that comes at a time that cannot be, or may be wrong, is looked at
// once more by the masters' clock; if it is refused, and of a job that the peel does not know,
// the job's followers are told why.
func (r *running) verify(data []byte) (keys.Command, error) {
	now, sure := r.clock.now()
	cmd, err := r.Verifier.Verify(r.ID, now, data)
	var wrong *keys.TimeError
	jid := cmd.JID
	switch {
	case errors.As(err, &wrong):
		jid = wrong.JID
	case err != nil || sure || !doubtful(cmd, now):
		return cmd, err
	}
	if CheckID(jid) != nil || r.journal.state(jid) != stateUnknown {
		return cmd, err
	}
	if !sure && r.clock.learn(r.base) {
		now, sure = r.clock.now()
		if off := r.clock.off(); off.Abs() > clockTold {
			r.refusal.warn(r.Log, "this host's clock is wrong: commands are judged by the masters'; set it, or see to its NTP", "ahead", off.Round(time.Second))
		}
		cmd, err = r.Verifier.Verify(r.ID, now, data)
	}
	if errors.As(err, &wrong) {
		r.decline(wrong, sure)
	}
	return cmd, err
}

// off is how far the peel's clock is ahead of the masters', where that is known.
func (c *peelClock) off() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, sure := c.nowLocked()
	if !sure {
		return 0
	}
	return c.local().Round(0).Sub(now)
}

// Decline is why a peel does not run a genuine command, as an ack's payload tells it.
type Decline struct {
	Late   time.Duration `msgpack:"late"`   // so long after its time it came, by the masters' clock
	Ahead  time.Duration `msgpack:"ahead"`  // of the masters' clock is the peel's
	Behind time.Duration `msgpack:"behind"` // the masters' clock is the peel's
}

// declineRate is how many declines a peel sends in a second: what strangers keep of old commands
// and send it is not to be answered without end.
const declineRate = 10

// decline tells why a genuine command is not run.
func (r *running) decline(e *keys.TimeError, sure bool) {
	if !r.declines.Allow() {
		return
	}
	d := Decline{Late: e.Late()}
	switch {
	case e.Early() > 0:
		d = Decline{Behind: e.Early()}
	case !sure:
		d = Decline{Ahead: e.Now.Sub(e.Issued)}
	}
	data, err := bus.Marshal(d)
	if err == nil {
		err = r.Conn.Publish(bus.Ack(e.JID, r.ID), data)
	}
	if err != nil {
		r.Log.Debug("a decline is lost", "job", e.JID, "error", err)
	}
}

func (d Decline) String() string {
	const remedy = ": set it, or see to its NTP"
	switch {
	case d.Behind > 0:
		return fmt.Sprintf("refused: its clock is %s behind the masters'%s", d.Behind.Round(time.Second), remedy)
	case d.Ahead > 0:
		return fmt.Sprintf("refused: its clock is %s ahead of the masters', or the command was so long on its way%s", d.Ahead.Round(time.Second), remedy)
	}
	return fmt.Sprintf("refused: the command came %s after its time", d.Late.Round(time.Second))
}
