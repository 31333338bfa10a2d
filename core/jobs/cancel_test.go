package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"db-01", "web-01", "web-02"}
	all := f.peels(t, ids...)
	f.master(t, ids)
	c := f.client(t)
	// web-01 has something else to do first, so that its part of the job waits in its queue.
	release := make(chan struct{})
	all["web-01"].exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	first := submit(t, c, jobs.Request{Target: "web-01", Function: "write.hook", Timeout: time.Minute})
	until(t, func() bool { return all["web-01"].exec.count("write.hook") == 1 })
	for _, id := range []string{"db-01", "web-02"} {
		all[id].exec.ping = func(ctx context.Context, _ keys.Command) (any, int, error) {
			<-ctx.Done()
			return "half of it", 0, errors.New("ended early")
		}
	}
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: time.Minute})
	until(t, func() bool { return all["db-01"].exec.count("write.hook")+all["web-02"].exec.count("write.hook") == 2 })
	bob := &jobs.Client{Conn: f.Operator(t, "bob"), Operator: "bob", Log: f.log}
	done, err := bob.Send(t.Context(), job.ID, jobs.Cancel)
	if err != nil || done != (jobs.Obeyed{Told: 3, Silent: 3}) {
		t.Errorf("%+v, %v", done, err)
	}
	sum, returns := collect(job)
	if sum.Cancelled != "bob" || sum.Returned != 3 || sum.ExitCode() != jobs.ExitFailed {
		t.Errorf("%+v", sum)
	}
	for id, want := range map[string]string{
		"db-01": "cancelled by bob: ended early", "web-01": "not started: cancelled by bob", "web-02": "cancelled by bob: ended early",
	} {
		r := returns[id]
		if r.Error != want || r.Reason != jobs.ReasonCancelled || r.Success || r.Started.IsZero() != (id == "web-01") || (r.Value == "half of it") != (id != "web-01") {
			t.Errorf("%s: %+v", id, r)
		}
	}
	close(release)
	if s, _ := collect(first); s.ExitCode() != jobs.ExitOK {
		t.Errorf("the job before: %+v", s)
	}
	if r := f.closed(t, job.ID); r.CancelledBy != "bob" || r.Returned != 3 {
		t.Errorf("%+v", r)
	}
	if n := all["web-01"].exec.count(job.ID); n != 0 {
		t.Errorf("web-01 ran it %d times", n)
	}
	if _, err := bob.Send(t.Context(), job.ID, jobs.Cancel); err == nil || err.Error() != "job "+job.ID+" is over: closed" {
		t.Error(err)
	}
	missing := jobs.NewID(time.Now())
	if _, err := bob.Send(t.Context(), missing, jobs.Cancel); err == nil || err.Error() != "job "+missing+": no such job" {
		t.Error(err)
	}
}

// A cancelled job's command that comes afterwards, late or replayed, does not run.
func TestCancelComesFirst(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	cmd := command("write.file")
	cancel := cmd
	cancel.Kind, cancel.Operator, cancel.Expires = keys.Cancel, "bob", cmd.Issued.Add(patience/2)
	cancel.Until = cmd.Expires
	f.send(t, "web-01", sign(t, f.Account, cancel, "web-01"))
	if r := f.await(t, cmd.JID); r.Error != "not started: cancelled by bob" || r.Function != "write.file" || r.Reason != jobs.ReasonCancelled {
		t.Errorf("%+v", r)
	}
	f.send(t, "web-01", sign(t, f.Account, cmd, "web-01"))
	p.stop()
	p.start(t, f)
	f.send(t, "web-01", sign(t, f.Account, cmd, "web-01"))
	last := command("test.ping")
	f.send(t, "web-01", sign(t, f.Account, last, "web-01"))
	f.await(t, last.JID)
	if n := p.exec.count("write.file"); n != 0 {
		t.Errorf("it ran %d times", n)
	}
}

// A peel that was away when the job was cancelled hears of it when it is back.
func TestCancelReachesThoseWhoComeBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	conn, line := f.through(t, f.PeelCreds(t, "web-01"), bus.Peels)
	p := &peel{id: "web-01", dir: t.TempDir(), conn: conn, exec: &calls{}}
	p.start(t, f)
	f.master(t, []string{"web-01"})
	c := f.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.wait", Timeout: time.Minute})
	until(t, func() bool { return p.exec.count("write.wait") == 1 })
	line.cut()
	until(t, func() bool { return !f.presence.Connected("web-01") })
	if done, err := c.Send(t.Context(), job.ID, jobs.Cancel); err != nil || done.Told != 0 || done.Silent != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	line.mend()
	sum, returns := collect(job)
	if !strings.HasPrefix(returns["web-01"].Error, "cancelled by alice: ") || sum.Cancelled != "alice" {
		t.Errorf("%+v %+v", sum, returns)
	}
}
