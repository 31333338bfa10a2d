package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

func command(function string) keys.Command {
	now := time.Now()
	return keys.Command{JID: jobs.NewID(now), Kind: keys.Run, Function: function, Operator: "alice", Issued: now, Expires: now.Add(time.Minute)}
}

func sign(t testing.TB, a *keys.Account, cmd keys.Command, targets ...string) []byte {
	t.Helper()
	s, err := a.SignCommand(cmd, targets)
	if err != nil {
		t.Fatal(err)
	}
	return s.Delivery(0)
}

func (f *fleet) send(t testing.TB, peel string, data []byte) {
	t.Helper()
	if err := f.core.Publish(bus.Command(peel), data); err != nil {
		t.Fatal(err)
	}
}

// stored reads the returns of a job from the stream.
func (f *fleet) stored(t testing.TB, jid string) []jobs.Return {
	t.Helper()
	var all []jobs.Return
	err := f.core.StreamMessages(t.Context(), bus.StreamReturns, bus.Returns(jid), func(subject string, data []byte, _ time.Time) error {
		r, err := jobs.DecodeReturn(subject, data)
		all = append(all, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (f *fleet) await(t testing.TB, jid string) jobs.Return {
	t.Helper()
	until(t, func() bool { return len(f.stored(t, jid)) > 0 })
	return f.stored(t, jid)[0]
}

func metricsOf(set *metrics.Set) string {
	var b bytes.Buffer
	set.WritePrometheus(&b)
	return b.String()
}

func TestNothingUnsignedRuns(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	set := metrics.NewSet()
	p := f.peel(t, "web-01", func(r *jobs.Runner) { r.Metrics = set })
	other, err := keys.NewHierarchy("other")
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, f.Account, command("write.file"), "web-01")
	tampered := bytes.Clone(good)
	tampered[len(tampered)-1] ^= 1
	expired, early, badID, cancel := command("write.file"), command("write.file"), command("write.file"), command("")
	expired.Issued, expired.Expires = expired.Issued.Add(-time.Hour), expired.Issued.Add(-time.Minute)
	early.Issued, early.Expires = early.Issued.Add(time.Hour), early.Issued.Add(2*time.Hour)
	badID.JID = "*.return.web-02"
	cancel.JID = "*"
	cancel.Kind = keys.Cancel
	for _, data := range [][]byte{
		nil, []byte("run"), bytes.Repeat([]byte{1}, 500), good[:len(good)-1], tampered,
		sign(t, other.Account(), command("write.file"), "web-01"),
		sign(t, f.Account, command("write.file"), "web-02", "web-03"),
		sign(t, f.Account, expired, "web-01"), sign(t, f.Account, early, "web-01"),
		sign(t, f.Account, badID, "web-01"), sign(t, f.Account, cancel, "web-01"),
	} {
		f.send(t, "web-01", data)
	}
	last := command("test.ping")
	f.send(t, "web-01", sign(t, f.Account, last, "web-01"))
	f.await(t, last.JID)
	if n := p.exec.count("write.file"); n != 0 {
		t.Errorf("%d forged commands were run", n)
	}
	got := metricsOf(set)
	for _, want := range []string{
		`zester_peel_commands_refused_total{reason="signature"} 3`,
		`zester_peel_commands_refused_total{reason="target"} 1`,
		`zester_peel_commands_refused_total{reason="expired"} 2`,
		`zester_peel_commands_refused_total{reason="malformed"} 5`,
		`zester_peel_jobs_total{success="true"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestDuplicatesRunOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	release := make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "done", 0, nil }
	cmd := command("write.hook")
	acks := make(chan string, 10)
	sub, err := f.core.Subscribe(bus.AllAcks, func(m bus.Msg) { acks <- m.Subject })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	data := sign(t, f.Account, cmd, "web-01")
	for range 3 {
		f.send(t, "web-01", data)
		if got := <-acks; got != bus.Ack(cmd.JID, "web-01") {
			t.Fatalf("ack on %s", got)
		}
	}
	close(release)
	if r := f.await(t, cmd.JID); r.Value != "done" {
		t.Errorf("%+v", r)
	}
	// Replayed after its end, and after the peel's restart: the stored return is all there is.
	again := func() {
		f.send(t, "web-01", data)
		next := command("test.ping")
		f.send(t, "web-01", sign(t, f.Account, next, "web-01"))
		f.await(t, next.JID)
	}
	again()
	p.stop()
	p.start(t, f)
	again()
	if n := p.exec.count(cmd.JID); n != 1 {
		t.Errorf("ran %d times", n)
	}
	if all := f.stored(t, cmd.JID); len(all) != 1 || all[0].Value != "done" {
		t.Errorf("%+v", all)
	}
}

// A server that lost the return, in a power cut say, gets it once more when the master asks again.
func TestLostReturnIsSentAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	cmd := command("write.file")
	data := sign(t, f.Account, cmd, "web-01")
	f.send(t, "web-01", data)
	f.await(t, cmd.JID)
	returns := make(chan jobs.Return, 100)
	sub, err := f.core.Subscribe(bus.Returns(cmd.JID), func(m bus.Msg) {
		if r, err := jobs.DecodeReturn(m.Subject, m.Data); err == nil {
			returns <- r
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	for again := true; again; { // a peel that has not heard yet that it is stored is still sending it
		f.send(t, "web-01", data)
		select {
		case r := <-returns:
			if again = false; r.Value != true {
				t.Errorf("%+v", r)
			}
		case <-time.After(time.Second):
		}
	}
	if n := p.exec.count(cmd.JID); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01", func(r *jobs.Runner) { r.StopWait = time.Millisecond })
	running, release := make(chan struct{}), make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) {
		close(running)
		<-release // deaf to its context, as a process is to kill -9
		return nil, 0, nil
	}
	t.Cleanup(func() { close(release) })
	cmd := command("write.hook")
	data := sign(t, f.Account, cmd, "web-01")
	f.send(t, "web-01", data)
	<-running
	p.stop()
	p.start(t, f)
	r := f.await(t, cmd.JID)
	if r.Success || r.Reason != jobs.ReasonInterrupted || !strings.HasPrefix(r.Error, "interrupted: the peel stopped while the job was running") {
		t.Errorf("%+v", r)
	}
	f.send(t, "web-01", data)
	next := command("test.ping")
	f.send(t, "web-01", sign(t, f.Account, next, "web-01"))
	f.await(t, next.JID)
	if n := p.exec.count(cmd.JID); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

// A peel that is told to stop says so of what it was doing, before it goes.
func TestStop(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	first, second := command("write.wait"), command("write.wait")
	taken := make(chan bool, 2)
	acks, err := f.core.Subscribe(bus.Ack(second.JID, "web-01"), func(bus.Msg) { taken <- true })
	if err != nil {
		t.Fatal(err)
	}
	defer acks.Stop()
	f.send(t, "web-01", sign(t, f.Account, first, "web-01"))
	f.send(t, "web-01", sign(t, f.Account, second, "web-01"))
	until(t, func() bool { return p.exec.count(first.JID) == 1 })
	<-taken // a command that has not arrived when the peel stops is the masters' to send again
	p.stop()
	if r := f.await(t, first.JID); r.Reason != jobs.ReasonInterrupted || r.Error != "interrupted: the peel stopped: context canceled" {
		t.Errorf("%+v", r)
	}
	if r := f.await(t, second.JID); r.Reason != jobs.ReasonInterrupted || !r.Started.IsZero() || p.exec.count(second.JID) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	release := make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "kept", 0, nil }
	write, read := command("write.hook"), command("test.hook")
	f.send(t, "web-01", sign(t, f.Account, write, "web-01"))
	f.send(t, "web-01", sign(t, f.Account, read, "web-01"))
	until(t, func() bool { return p.exec.count("write.hook") == 1 && p.exec.count("test.hook") == 1 })
	f.Stop()
	until(t, func() bool { return !p.conn.Connected() })
	close(release)
	p.stop()
	f.Start(t)
	p.start(t, f)
	for _, cmd := range []keys.Command{write, read} {
		if r := f.await(t, cmd.JID); r.Value != "kept" || !r.Success {
			t.Errorf("%+v", r)
		}
		if n := p.exec.count(cmd.JID); n != 1 {
			t.Errorf("ran %d times", n)
		}
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01", func(r *jobs.Runner) { r.Queue = 2 })
	running, release := make(chan struct{}, 10), make(chan struct{})
	var order []string
	var mu sync.Mutex
	p.exec.ping = func(_ context.Context, cmd keys.Command) (any, int, error) {
		running <- struct{}{}
		<-release
		mu.Lock()
		defer mu.Unlock()
		order = append(order, cmd.JID)
		return nil, 0, nil
	}
	var cmds []keys.Command
	for i := range 4 {
		cmds = append(cmds, command("write.hook"))
		f.send(t, "web-01", sign(t, f.Account, cmds[i], "web-01"))
		if i == 0 {
			<-running // one at work, two wait, the fourth finds no room
		}
	}
	if r := f.await(t, cmds[3].JID); r.Reason != jobs.ReasonBusy || r.Error != "not started: the peel is busy, 2 jobs wait already; try again when they are done" {
		t.Errorf("%+v", r)
	}
	ping := command("test.ping")
	f.send(t, "web-01", sign(t, f.Account, ping, "web-01"))
	if r := f.await(t, ping.JID); !r.Success {
		t.Errorf("reading waits for writing: %+v", r)
	}
	close(release)
	for _, cmd := range cmds[:3] {
		f.await(t, cmd.JID)
	}
	if want := []string{cmds[0].JID, cmds[1].JID, cmds[2].JID}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

func TestReadingIsBounded(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01", func(r *jobs.Runner) { r.Concurrent, r.Queue = 2, 1 })
	release := make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	var cmds []keys.Command
	for i := range 4 {
		cmds = append(cmds, command("test.hook"))
		f.send(t, "web-01", sign(t, f.Account, cmds[i], "web-01"))
	}
	if r := f.await(t, cmds[3].JID); r.Reason != jobs.ReasonBusy {
		t.Errorf("%+v", r)
	}
	until(t, func() bool { return p.exec.count("test.hook") == 2 })
	close(release)
	for _, cmd := range cmds[:3] {
		if r := f.await(t, cmd.JID); !r.Success {
			t.Errorf("%+v", r)
		}
	}
}

// A reading function whose time is up while it waits for its turn says so without it.
func TestReadingTimesOutWaiting(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p, declines := f.peel(t, "web-01", func(r *jobs.Runner) { r.Concurrent = 1 }), f.declines(t)
	release := make(chan struct{})
	defer close(release)
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	f.send(t, "web-01", sign(t, f.Account, command("test.hook"), "web-01"))
	until(t, func() bool { return p.exec.count("test.hook") == 1 })
	inTime(t, 100*time.Millisecond, func(timeout time.Duration) bool {
		cmd := command("test.ping")
		cmd.Expires = cmd.Issued.Add(timeout)
		f.send(t, "web-01", sign(t, f.Account, cmd, "web-01"))
		if until(t, func() bool { return len(f.stored(t, cmd.JID))+len(declines) > 0 }); len(declines) > 0 { // it came too late
			<-declines
			return false
		}
		if r := f.await(t, cmd.JID); r.Reason != jobs.ReasonTimeout || r.Error != "not started: the job's time was up before its turn came" {
			t.Errorf("%+v", r)
		}
		return true
	})
	if n := p.exec.count("test.ping"); n != 0 {
		t.Errorf("ran %d times", n)
	}
}

func TestOneRunnerPerStateDir(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	err := jobs.Runner{Conn: p.conn, ID: p.id, AccountPublic: f.Account.Public(), StateDir: p.dir, Executor: p.exec}.Run(t.Context())
	want := fmt.Sprintf("job journal: %s/jobs is in use by another peel process: stop that one, or use another --state-dir", p.dir)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
