package jobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

func off(by time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(by) } }

func clockOff(by time.Duration) func(*jobs.Runner) {
	return func(r *jobs.Runner) { jobs.SetPeelClock(r, off(by)) }
}

// Whatever the clocks of peels and masters say, jobs run, once, and their records go by NATS's.
func TestClocksOff(t *testing.T) {
	t.Parallel()
	for name, masters := range map[string]time.Duration{"right": 0, "ahead": 10 * time.Minute, "behind": -10 * time.Minute, "days behind": -72 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			peels := map[string]*peel{
				"ahead-01": f.peel(t, "ahead-01", clockOff(10*time.Minute)), "behind-01": f.peel(t, "behind-01", clockOff(-10*time.Minute)),
				"years-01": f.peel(t, "years-01", clockOff(-20*365*24*time.Hour)), "right-01": f.peel(t, "right-01"),
			}
			ids := []string{"ahead-01", "behind-01", "right-01", "years-01"}
			f.master(t, ids, func(d *jobs.Dispatcher) { jobs.SetClock(d, off(masters)) })
			c := f.client(t)
			for _, r := range []jobs.Request{
				{Target: "*", Function: "write.file"}, {Target: "*", Function: "test.ping"},
				{Target: "*", Function: "write.file", Batch: jobs.Batch{Size: "2"}},
				{Target: "*", Function: "write.file", Wait: true, Expires: time.Minute},
			} {
				before := time.Now()
				s, _ := run(t, c, r)
				if s.ExitCode() != jobs.ExitOK || s.Returned != len(ids) {
					t.Errorf("%s: %+v", r.Function, s)
				}
				for id, p := range peels {
					if n := p.exec.count(s.JID); n != 1 {
						t.Errorf("%s ran it %d times", id, n)
					}
				}
				record := f.closed(t, s.JID)
				if masters.Abs() < time.Hour && (record.Created.Sub(before).Abs() > 5*time.Minute || record.Closed.Sub(before).Abs() > 5*time.Minute) {
					t.Errorf("it began at %s, and the record says %s to %s", before, record.Created, record.Closed)
				}
			}
			cancelled := submit(t, c, jobs.Request{Target: "*", Function: "write.wait", Timeout: patience})
			until(t, func() bool {
				for _, p := range peels {
					if p.exec.count(cancelled.ID) == 0 {
						return false
					}
				}
				return true
			})
			if _, err := c.Send(t.Context(), cancelled.ID, jobs.Cancel); err != nil {
				t.Error(err)
			}
			if _, returns := collect(cancelled); len(returns) != 4 || returns["ahead-01"].Reason != jobs.ReasonCancelled || returns["years-01"].Reason != jobs.ReasonCancelled {
				t.Errorf("%+v", returns)
			}
		})
	}
}

// declines gives what peels say of commands that they do not run.
func (f *fleet) declines(t *testing.T) chan jobs.Decline {
	all := make(chan jobs.Decline, 100)
	sub, err := f.core.Subscribe(bus.AllAcks, func(m bus.Msg) {
		var d jobs.Decline
		if len(m.Data) > 0 && bus.Unmarshal(m.Data, &d) == nil {
			all <- d
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Stop)
	return all
}

// next is what comes next.
func next[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return v
}

func at(function string, issued, expires time.Duration) keys.Command {
	cmd, now := command(function), time.Now()
	cmd.Issued, cmd.Expires = now.Add(issued), now.Add(expires)
	return cmd
}

// refused sends a peel a command, made by made, until it says by the masters' clock why it does not run it. Who does not
// hear from them in time goes by its own clock, says so, and asks again a while later.
func (f *fleet) refused(t *testing.T, id string, declines <-chan jobs.Decline, made func() keys.Command) jobs.Decline {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		f.send(t, id, sign(t, f.Account, made(), id))
		select {
		case d := <-declines:
			if d.Ahead == 0 && d.Behind == 0 {
				return d
			}
			t.Logf("%s could not ask: %s", id, d)
		case <-time.After(time.Second): // it does not say so each time
		}
	}
	t.Fatalf("%s does not refuse", id)
	return jobs.Decline{}
}

// A command whose time is up does not start, not even a moment later, and whatever the clock says.
func TestNothingStartsLate(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.master(t, nil)
	asker := f.Peel(t, "asker-01")
	until(t, func() bool { // the master is there
		_, err := bus.Call[any](t.Context(), asker, bus.Ask("asker-01", "time"), map[string][]byte{"nonce": keys.TimeNonce()})
		return err == nil
	})
	declines := f.declines(t)
	for id, by := range map[string]time.Duration{"right-01": 0, "slow-01": -20 * time.Second, "slower-01": -time.Hour, "fast-01": 20 * time.Second} {
		p := f.peel(t, id, clockOff(by))
		for range 2 { // a replay of what was refused is refused
			d := f.refused(t, id, declines, func() keys.Command { return at("write.file", -12*time.Second, -5*time.Second) })
			if d.Late < 5*time.Second || d.Late > time.Minute || !strings.HasPrefix(d.String(), "refused: the command came ") {
				t.Errorf("%s: %+v", id, d)
			}
		}
		cmd := at("write.file", 0, patience)
		f.send(t, id, sign(t, f.Account, cmd, id))
		f.await(t, cmd.JID)
		if n := p.exec.count("write.file"); n != 1 {
			t.Errorf("%s ran %d commands", id, n)
		}
	}
}

// Where nobody tells the time, a peel goes by its own clock, says so, and never to strangers.
func TestDecline(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	declines := f.declines(t)
	for _, test := range []struct {
		id   string
		by   time.Duration
		want string
	}{
		{"ahead-01", 10 * time.Minute, "refused: its clock is 10m0s ahead of the masters', or the command was so long on its way: set it, or see to its NTP"},
		{"behind-01", -10 * time.Minute, "refused: its clock is 10m0s behind the masters': set it, or see to its NTP"},
	} {
		p := f.peel(t, test.id, clockOff(test.by))
		forged := sign(t, f.Account, command("write.file"), test.id)
		forged[len(forged)-1] ^= 1
		f.send(t, test.id, forged)
		f.send(t, test.id, sign(t, f.Account, command("write.file"), "another-01"))
		f.send(t, test.id, sign(t, f.Account, command("write.file"), test.id))
		if d := next(t, declines); d.String() != test.want && !strings.Contains(d.String(), " 10m") {
			t.Errorf("%s", d)
		}
		if len(declines) > 0 || p.exec.count("write.file") != 0 {
			t.Errorf("%d more answers, %d runs", len(declines), p.exec.count("write.file"))
		}
	}
}

// The operator is told, and a peel that takes the job after all is not held to its word.
func TestDeclineIsTold(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	set := metrics.NewSet()
	f.master(t, []string{"late-01", "wrong-01"}, func(d *jobs.Dispatcher) { d.Metrics = set })
	decline, err := bus.Marshal(jobs.Decline{Behind: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"late-01", "wrong-01"} {
		conn := f.Peel(t, id)
		first := true
		sub, err := conn.Subscribe(bus.Command(id), func(m bus.Msg) {
			cmd, err := keys.VerifyCommand(f.Account.Public(), id, time.Now(), m.Data)
			data := decline
			if id == "late-01" && !first {
				data = nil
			}
			first = false
			if err == nil {
				err = conn.Publish(bus.Ack(cmd.JID, id), data)
			}
			if err != nil { // at the test's end the last command may find the connection closed
				f.log.Info("not declined", "error", err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Stop)
		until(t, func() bool { return f.presence.Connected(id) })
		if err := conn.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	j, err := f.client(t).Submit(ctx, jobs.Request{Target: "*", Function: "write.file", Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	told, acked := 0, 0
	s := j.Wait(func(e jobs.Event) {
		switch e.(type) {
		case jobs.Declined:
			told++
		case jobs.Acked:
			acked++
		}
		if told == 2 && acked == 1 {
			stop()
		}
	})
	if told != 2 || len(s.Silent) != 2 || !s.Silent[0].Acked || s.Silent[0].Declined != nil || s.Silent[1].Acked {
		t.Fatalf("told %d times: %+v", told, s)
	}
	if d := s.Silent[1].Declined; d == nil || d.String() != "refused: its clock is 10m0s behind the masters': set it, or see to its NTP" {
		t.Errorf("%+v", d)
	}
	if got := metricsOf(set); strings.Contains(got, "zester_commands_declined_total 0\n") {
		t.Error(got)
	}
}
