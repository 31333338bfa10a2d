package jobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

// stuck is a resolver whose master never gets any further.
type stuck struct{ reached chan struct{} }

func (s stuck) Resolve(ctx context.Context, _ string) ([]string, []string, error) {
	s.reached <- struct{}{}
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// What a master has in hand when its connection ends is another's at once, not after AckWait.
func TestTakeoverAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	creds, err := f.Hierarchy.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	conn, line := f.through(t, creds, bus.Core)
	dying := stuck{make(chan struct{}, 1)}
	long := func(d *jobs.Dispatcher) { d.AckWait = time.Hour }
	f.master(t, nil, long, func(d *jobs.Dispatcher) { d.Conn, d.Resolver = conn, dying })
	f.master(t, []string{"web-01"}, long)
	c := f.client(t)
	for { // until it is the dying one that takes a job
		job := submit(t, c, jobs.Request{Target: "*", Function: "test.ping", Timeout: patience})
		ended := make(chan *jobs.Summary, 1)
		go func() { ended <- job.Wait(nil) }()
		select {
		case sum := <-ended:
			if sum.ExitCode() != jobs.ExitOK {
				t.Fatalf("%+v", sum)
			}
			continue
		case <-dying.reached:
		}
		// A master that is slow keeps what it has.
		select {
		case <-ended:
			t.Fatal("a job was taken from a master that is there")
		case <-time.After(time.Second):
		}
		at := time.Now()
		line.cut()
		if sum := <-ended; sum.ExitCode() != jobs.ExitOK {
			t.Errorf("%+v after %s", sum, time.Since(at))
		}
		t.Logf("taken over after %s", time.Since(at))
		return
	}
}

// snatch has something take a job from the masters' queue and die before it can tell anybody.
func (f *fleet) snatch(t *testing.T, c *jobs.Client) *jobs.Job {
	for {
		dying := f.Core(t)
		ctx, kill := context.WithCancel(t.Context())
		taken := make(chan struct{}, 100)
		ended := make(chan struct{})
		jid := jobs.NewID(time.Now())
		go func() {
			defer close(ended)
			dying.Work(ctx, bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: time.Hour, Workers: 1},
				func(ctx context.Context, w bus.Work) {
					if !strings.Contains(string(w.Data), jid) { // one that was missed, to be looked at once more
						w.Later(0)
						return
					}
					taken <- struct{}{}
					<-ctx.Done()
				})
		}()
		job := submit(t, c, jobs.Request{JID: jid, Target: "*", Function: "write.file", Timeout: patience})
		done := make(chan struct{})
		go func() { job.Wait(nil); close(done) }()
		caught := false
		select {
		case <-taken:
			caught = true
		case <-done:
		}
		dying.Close()
		kill()
		<-ended
		if caught {
			<-done
			return job
		}
	}
}

// Whoever takes a job and dies before it has told the others holds it up for a moment only.
func TestTakenInSilence(t *testing.T) {
	t.Parallel()
	long := func(d *jobs.Dispatcher) { d.AckWait = time.Hour }
	t.Run("survivor", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t)
		p := f.peel(t, "web-01")
		f.master(t, []string{"web-01"}, long)
		f.master(t, []string{"web-01"}, long)
		until(t, func() bool { // both are at work, and know that they are not alone
			n := 0
			question, err := bus.Marshal(map[string]string{"master": "a third"})
			if err == nil {
				err = f.core.RequestMany(t.Context(), bus.MasterRoll, question, 100*time.Millisecond, func([]byte) bool { n++; return n < 2 })
			}
			return err == nil && n == 2
		})
		at := time.Now()
		job := f.snatch(t, f.client(t))
		t.Logf("taken over within %s", time.Since(at))
		if s := job.Summary(); s.ExitCode() != jobs.ExitOK || p.exec.count(job.ID) != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t)
		p := f.peel(t, "web-01")
		c := f.client(t)
		f.master(t, []string{"web-01"}, long)() // makes the queue
		dying := f.Core(t)
		taken := make(chan struct{})
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		go dying.Work(ctx, bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: time.Hour, Workers: 1},
			func(ctx context.Context, w bus.Work) { close(taken); <-ctx.Done() })
		job := submit(t, c, jobs.Request{Target: "*", Function: "write.file", Timeout: patience})
		next(t, taken)
		dying.Close()
		at := time.Now()
		f.master(t, []string{"web-01"}, long)
		s, _ := collect(job)
		t.Logf("taken over after %s", time.Since(at))
		if s.ExitCode() != jobs.ExitOK || p.exec.count(job.ID) != 1 {
			t.Errorf("%+v", s)
		}
	})
}
