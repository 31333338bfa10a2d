package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// lasting is an executor whose write.last goes on while the peel is away.
type lasting struct {
	*calls
	release chan struct{} // the function ends

	mu      sync.Mutex
	left    map[string]bool
	settled map[string]bool
}

func newLasting(c *calls) *lasting {
	return &lasting{calls: c, release: make(chan struct{}), left: map[string]bool{}, settled: map[string]bool{}}
}

func (l *lasting) Execute(ctx context.Context, cmd keys.Command) (any, int, error) {
	if cmd.Function != "write.last" {
		return l.calls.Execute(ctx, cmd)
	}
	_, _, _ = l.calls.Execute(ctx, cmd) // counted
	return l.wait(ctx, cmd.JID)
}

func (l *lasting) wait(ctx context.Context, jid string) (any, int, error) {
	if show := jobs.OutputOf(ctx); show != nil {
		show(false, []byte("working\n"))
	}
	select {
	case <-l.release:
		return "lasted", 0, nil
	case <-ctx.Done():
	}
	if errors.Is(context.Cause(ctx), jobs.ErrStopping) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.left[jid] = true
		return nil, 0, fmt.Errorf("it was left: %w", jobs.ErrLeft)
	}
	return "half", 0, errors.New("it was ended")
}

func (l *lasting) Resume(jid string) (jobs.Left, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return jobs.Left{
		Operator: "alice", Stream: true, Deadline: time.Now().Add(time.Minute),
		Wait: func(ctx context.Context) (any, int, error) { return l.wait(ctx, jid) },
	}, l.left[jid]
}

func (l *lasting) Settled(jid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled[jid] = true
}

func (l *lasting) isSettled(jid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled[jid]
}

// lasting starts a peel with such an executor, which with gives to the peel's next lives.
func (f *fleet) lasting(t *testing.T) (p *peel, l *lasting, with func(*jobs.Runner)) {
	p = &peel{id: "web-01", dir: t.TempDir(), conn: f.Peel(t, "web-01"), exec: &calls{}}
	l = newLasting(p.exec)
	with = func(r *jobs.Runner) { r.Executor = l }
	p.start(t, f, with)
	return p, l, with
}

// A function that goes on while the peel is away returns in the end, runs once, keeps its turn, and can be cancelled.
func TestResume(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p, l, with := f.lasting(t)
	f.master(t, []string{"web-01"})
	c := f.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.last", Timeout: time.Minute})
	until(t, func() bool { return p.exec.count("write.last") == 1 })
	p.stop()
	if stored := f.stored(t, job.ID); len(stored) > 0 || l.isSettled(job.ID) {
		t.Errorf("returned before its end: %+v", stored)
	}
	p.start(t, f, with)
	p.stop()
	p.start(t, f, with) // once more
	next := submit(t, c, jobs.Request{Target: "*", Function: "write.file", Timeout: time.Minute})
	ping := command("test.ping")
	f.send(t, "web-01", sign(t, f.Account, ping, "web-01"))
	f.await(t, ping.JID)
	if n := p.exec.count("write.file"); n != 0 {
		t.Error("another job did not wait for it")
	}
	close(l.release)
	for want, j := range map[any]*jobs.Job{"lasted": job, true: next} {
		s, shown, _, returns := follow(j)
		if r := returns["web-01"]; s.ExitCode() != jobs.ExitOK || r.Value != want || r.Started.IsZero() || !l.isSettled(j.ID) {
			t.Errorf("%+v %+v", s, returns)
		} else if want == "lasted" && (shown["web-01 out"] == "" || p.exec.count("write.last") != 1) {
			t.Errorf("shown %q, ran %d times", shown, p.exec.count("write.last"))
		}
	}
}

func TestResumedIsCancelled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p, _, with := f.lasting(t)
	cmd := command("write.last")
	data := sign(t, f.Account, cmd, "web-01")
	f.send(t, "web-01", data)
	until(t, func() bool { return p.exec.count("write.last") == 1 })
	p.stop()
	p.start(t, f, with)
	acks := make(chan bool, 1)
	sub, err := f.core.Subscribe(bus.Ack(cmd.JID, "web-01"), func(bus.Msg) { acks <- true })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Stop()
	f.send(t, "web-01", data) // sent again by a master who does not know
	<-acks
	cancel := cmd
	cancel.Kind, cancel.Operator = keys.Cancel, "bob"
	f.send(t, "web-01", sign(t, f.Account, cancel, "web-01"))
	r := f.await(t, cmd.JID)
	if r.Value != "half" || r.Error != "cancelled by bob: it was ended" || r.Reason != jobs.ReasonCancelled || p.exec.count("write.last") != 1 {
		t.Errorf("%+v", r)
	}
}
