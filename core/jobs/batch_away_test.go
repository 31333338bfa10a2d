package jobs_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// Peels that are not there hold up no batch, and count against its size when they come.
func TestBatchWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newSquad(t, 3, func(string) (any, int, error) { <-release; return nil, 0, nil })
	ids := append(slices.Clone(s.ids), "web-03", "web-04")
	stop := s.master(t, ids)
	s.master(t, ids)
	c := s.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: patience, Wait: true, Expires: time.Hour, Batch: jobs.Batch{Size: "1"}})
	until(t, func() bool { return len(s.ran()) == 1 })
	s.peels["web-01"].conn.Close() // leaves before its turn
	until(t, func() bool { return !s.presence.Connected("web-01") })
	release <- struct{}{}
	until(t, func() bool { return len(s.ran()) == 2 })
	release <- struct{}{}
	var postponed []jobs.Postponed
	sum := job.Wait(func(e jobs.Event) {
		if p, ok := e.(jobs.Postponed); ok {
			postponed = append(postponed, p)
		}
	})
	if !slices.Equal(s.ran(), []string{"web-00", "web-02"}) || sum.Returned != 2 || !slices.Equal(sum.Offline, []string{"web-03", "web-04", "web-01"}) || sum.ExitCode() != jobs.ExitSilent {
		t.Errorf("%v ran; %+v", s.ran(), sum)
	}
	if len(postponed) != 1 || !slices.Equal(postponed[0].Peels, []string{"web-01"}) || time.Until(postponed[0].Until) < 50*time.Minute {
		t.Errorf("%+v", postponed)
	}
	look, record, err := c.Follow(t.Context(), job.ID, false)
	if err != nil || record.Stage() != jobs.StageRunning {
		t.Fatalf("%+v, %v", record, err)
	}
	if sum, _ := collect(look); len(sum.Silent) != 3 || !sum.Silent[0].Absent || !sum.Silent[2].Absent || sum.Silent[0].Unreleased {
		t.Errorf("%+v", sum)
	}
	stop()
	for i, id := range []string{"web-03", "web-04", "web-01"} {
		late := s.peel(t, id, func(r *jobs.Runner) { r.Executor.(*calls).ping = s.hook(id, release) })
		if i == 0 {
			until(t, func() bool { return len(s.ran()) == 3 })
			continue // two wait for one place
		}
		until(t, func() bool { return s.presence.Connected(late.id) })
	}
	for n := 3; n <= 5; n++ {
		until(t, func() bool { return len(s.ran()) == n })
		release <- struct{}{}
	}
	if r := s.closed(t, job.ID); r.Returned != 5 || r.Stage() != jobs.StageDone || s.most.Load() > 1 {
		t.Errorf("%+v, %d at once", r, s.most.Load())
	}
	ran := s.ran()
	if slices.Sort(ran); !slices.Equal(ran, ids) {
		t.Errorf("%v ran", ran)
	}
}

// hook is a function that says who runs.
func (s *squad) hook(id string, release chan struct{}) func(context.Context, keys.Command) (any, int, error) {
	return s.function(id, func(string) (any, int, error) { <-release; return nil, 0, nil })
}

// A peel that leaves while it runs gives its place to the next, and its return counts all the same.
func TestBatchLosesOne(t *testing.T) {
	t.Parallel()
	s := newSquad(t, 2, well)
	conn, line := s.through(t, s.PeelCreds(t, "aaa"), bus.Peels)
	release := make(chan struct{})
	first := &peel{id: "aaa", dir: t.TempDir(), conn: conn, exec: &calls{ping: s.hook("aaa", release)}}
	first.start(t, s.fleet)
	s.master(t, append([]string{"aaa"}, s.ids...), func(d *jobs.Dispatcher) { jobs.SetGoneAfter(d, 100*time.Millisecond) })
	c := s.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: patience, Batch: jobs.Batch{Size: "1"}})
	until(t, func() bool { return len(s.ran()) == 1 })
	line.cut()
	at := time.Now()
	until(t, func() bool { return len(s.ran()) == 3 })
	t.Logf("the others ran within %s", time.Since(at))
	line.mend()
	until(t, func() bool { return s.presence.Connected("aaa") })
	close(release)
	if sum, _ := collect(job); sum.Returned != 3 || sum.ExitCode() != jobs.ExitOK || first.exec.count(job.ID) != 1 {
		t.Errorf("%+v", sum)
	}
	// To who limits failures, one that leaves has failed.
	release = make(chan struct{})
	first.exec.ping = s.hook("aaa", release)
	job = submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: patience, Batch: jobs.Batch{Size: "1", FailLimit: "1"}})
	until(t, func() bool { return len(s.ran()) == 4 })
	line.cut()
	until(t, func() bool {
		r, _, err := jobs.LoadRecord(t.Context(), s.core, job.ID)
		return err == nil && r.Stopped == "1 of 1 released targets failed or did not return"
	})
	close(release)
	line.mend()
	if sum, _ := collect(job); sum.Returned != 1 || len(sum.Silent) != 2 || !sum.Silent[0].Unreleased || len(s.ran()) != 4 {
		t.Errorf("%+v", sum)
	}
}

// window calls f when a master is about to go on with a job that it has read.
type window struct {
	slog.Handler
	f func()
}

func (w window) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "taking over a job" {
		w.f()
	}
	return w.Handler.Handle(ctx, r)
}

// An order that comes between the reading of a record and its use is not lost.
func TestOrderWhileTakingOver(t *testing.T) {
	t.Parallel()
	s := newSquad(t, 2, well)
	stop := s.master(t, s.ids)
	c := s.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: patience, Batch: jobs.Batch{Canary: 1}})
	until(t, func() bool {
		r, _, err := jobs.LoadRecord(t.Context(), s.core, job.ID)
		return err == nil && r.Stage() == jobs.StagePaused
	})
	stop()
	s.master(t, s.ids, func(d *jobs.Dispatcher) {
		d.Log = slog.New(window{s.log.Handler(), sync.OnceFunc(func() {
			if _, err := c.Send(t.Context(), job.ID, jobs.Resume); err != nil { // which this master obeys itself
				t.Error(err)
			}
		})})
	})
	if sum, _ := collect(job); sum.Returned != 2 || sum.ExitCode() != jobs.ExitOK {
		t.Errorf("%+v", sum)
	}
}
