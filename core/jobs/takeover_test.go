package jobs_test

import (
	"context"
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
