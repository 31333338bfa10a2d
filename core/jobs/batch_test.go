package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// squad is a fleet whose functions say who runs at the same time, and in which order they came.
type squad struct {
	*fleet
	ids   []string
	peels map[string]*peel

	mu      sync.Mutex
	order   []string
	running atomic.Int32
	most    atomic.Int32
}

func newSquad(t *testing.T, n int, function func(id string) (any, int, error)) *squad {
	s := &squad{fleet: newFleet(t), peels: map[string]*peel{}}
	for i := range n {
		id := fmt.Sprintf("web-%02d", i)
		s.ids = append(s.ids, id)
		s.peels[id] = s.peel(t, id)
		s.peels[id].exec.ping = s.function(id, function)
	}
	return s
}

// function notes that a peel runs one.
func (s *squad) function(id string, f func(id string) (any, int, error)) func(context.Context, keys.Command) (any, int, error) {
	return func(context.Context, keys.Command) (any, int, error) {
		now := s.running.Add(1)
		defer s.running.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		s.mu.Lock()
		s.order = append(s.order, id)
		s.mu.Unlock()
		return f(id)
	}
}

func (s *squad) ran() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

func (s *squad) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = nil
}

func well(string) (any, int, error) { return nil, 0, nil }

func TestBatch(t *testing.T) {
	t.Parallel()
	s := newSquad(t, 7, func(string) (any, int, error) { time.Sleep(20 * time.Millisecond); return nil, 0, nil })
	// Masters that come and go do not get in its way.
	s.master(t, s.ids)
	stop := s.master(t, s.ids)
	c := s.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: patience, Batch: jobs.Batch{Size: "40%"}})
	until(t, func() bool { return len(s.ran()) >= 3 })
	stop()
	sum, _ := collect(job)
	if sum.Returned != 7 || sum.ExitCode() != jobs.ExitOK || s.most.Load() > 3 {
		t.Errorf("%+v, %d at once", sum, s.most.Load())
	}
	if r := s.closed(t, job.ID); r.Stage() != jobs.StageDone || r.Returned != 7 {
		t.Errorf("%+v", r)
	}
	for _, id := range s.ids {
		if n := s.peels[id].exec.count(job.ID); n != 1 {
			t.Errorf("%s ran it %d times", id, n)
		}
	}
}

// Whole batches with a pause between, in the order of the ids.
func TestBatchWait(t *testing.T) {
	t.Parallel()
	s := newSquad(t, 3, well)
	s.master(t, s.ids)
	at := time.Now()
	sum, _ := run(t, s.client(t), jobs.Request{Target: "*", Function: "test.hook", Batch: jobs.Batch{Size: "1", Wait: 300 * time.Millisecond}})
	if took := time.Since(at); sum.Returned != 3 || took < 600*time.Millisecond || !slices.Equal(s.ran(), s.ids) {
		t.Errorf("%+v in %s: %v", sum, took, s.ran())
	}
}

func TestBatchFailLimit(t *testing.T) {
	t.Parallel()
	s := newSquad(t, 6, func(id string) (any, int, error) {
		if id == "web-01" {
			return nil, 1, nil
		}
		return nil, 0, nil
	})
	// web-02 is connected and deaf: that it does not return in time counts as a failure.
	s.peels["web-02"].stop()
	s.master(t, s.ids)
	c := s.client(t)
	inTime(t, 500*time.Millisecond, func(timeout time.Duration) bool {
		s.forget()
		job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: timeout, Batch: jobs.Batch{Size: "1", FailLimit: "2"}})
		var held []jobs.Event
		sum := job.Wait(func(e jobs.Event) {
			if h, ok := e.(jobs.Held); ok {
				held = append(held, h)
			}
		})
		r := s.closed(t, job.ID)
		const why = "2 of 3 released targets failed or did not return"
		if sum.Returned < 2 || sum.Stopped != why { // one of those who are well was too slow as well
			t.Logf("%+v", sum)
			return false
		}
		if !slices.Equal(s.ran(), []string{"web-00", "web-01"}) || sum.ExitCode() != jobs.ExitPartial || len(sum.Silent) != 4 || sum.Silent[0].Unreleased || !sum.Silent[1].Unreleased || !sum.Silent[3].Unreleased {
			t.Errorf("%v ran; %+v", s.ran(), sum)
		}
		if !slices.Equal(held, []jobs.Event{jobs.Held{Why: why, Stopped: true}}) {
			t.Errorf("%+v", held)
		}
		if r.Stage() != jobs.StageAborted {
			t.Errorf("%+v", r)
		}
		return true
	})
}

func TestCanary(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	s := newSquad(t, 4, func(string) (any, int, error) {
		if bad.Load() {
			return nil, 1, nil
		}
		return nil, 0, nil
	})
	stop := s.master(t, s.ids)
	c := s.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: patience, Batch: jobs.Batch{Canary: 1}})
	paused := func() bool {
		r, _, err := jobs.LoadRecord(t.Context(), s.core, job.ID)
		return err == nil && r.Stage() == jobs.StagePaused
	}
	until(t, paused)
	stop()
	s.master(t, s.ids)
	if got := s.ran(); !slices.Equal(got, []string{"web-00"}) {
		t.Errorf("%v ran", got)
	}
	until(t, func() bool { // once there is a master again
		_, err := c.Send(t.Context(), job.ID, jobs.Resume)
		return err == nil
	})
	if sum, _ := collect(job); sum.Returned != 4 || sum.ExitCode() != jobs.ExitOK {
		t.Errorf("%+v", sum)
	}
	sum, _ := run(t, c, jobs.Request{Target: "*", Function: "test.hook", Batch: jobs.Batch{Canary: 2, CanaryWait: 50 * time.Millisecond, Size: "1", Random: true}})
	if sum.Returned != 4 {
		t.Errorf("%+v", sum)
	}
	bad.Store(true)
	sum, _ = run(t, c, jobs.Request{Target: "*", Function: "test.hook", Batch: jobs.Batch{Canary: 2, CanaryWait: 50 * time.Millisecond}})
	if r := s.closed(t, sum.JID); sum.Returned != 2 || r.Stopped != "2 of 2 canaries failed or did not return" {
		t.Errorf("%+v %+v", sum, r)
	}
	if _, err := c.Send(t.Context(), sum.JID, jobs.Resume); err == nil {
		t.Error("a job that is over was resumed")
	}
}

func TestPauseAndAbort(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newSquad(t, 4, func(string) (any, int, error) { <-release; return nil, 0, nil })
	s.master(t, s.ids)
	c := s.client(t)
	all := submit(t, c, jobs.Request{Target: "web-03", Function: "test.ping"})
	collect(all)
	job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: patience, Batch: jobs.Batch{Size: "1"}})
	until(t, func() bool { return len(s.ran()) == 1 })
	send := func(o jobs.Order) {
		t.Helper()
		if _, err := c.Send(t.Context(), job.ID, o); err != nil {
			t.Error(err)
		}
	}
	send(jobs.Pause)
	release <- struct{}{}
	until(t, func() bool { return len(s.stored(t, job.ID)) == 1 })
	look, record, err := c.Follow(t.Context(), job.ID, false)
	if sum, _ := collect(look); err != nil || record.Paused != "by alice" || len(sum.Silent) != 3 || !sum.Silent[0].Unreleased || !sum.Silent[2].Unreleased {
		t.Errorf("%+v %+v %v", record, sum, err)
	}
	send(jobs.Resume)
	until(t, func() bool { return len(s.ran()) == 2 })
	send(jobs.Abort)
	release <- struct{}{}
	sum, _ := collect(job)
	if sum.Returned != 2 || len(sum.Silent) != 2 || !sum.Silent[0].Unreleased || !sum.Silent[1].Unreleased || len(s.ran()) != 2 {
		t.Errorf("%+v, %v ran", sum, s.ran())
	}
	if r := s.closed(t, job.ID); r.Stopped != "by alice" || r.Stage() != jobs.StageAborted {
		t.Errorf("%+v", r)
	}
	for _, test := range []struct {
		batch jobs.Batch
		want  string
	}{
		{jobs.Batch{Size: "0"}, `"0": want a number from 1, or a share from 1% to 100%`},
		{jobs.Batch{Size: "200%"}, `"200%": want a number from 1, or a share from 1% to 100%`},
		{jobs.Batch{FailLimit: "1"}, "the batch has no size"},
	} {
		if _, err := c.Submit(t.Context(), jobs.Request{Target: "*", Function: "test.ping", Batch: test.batch}); err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v", test.batch, err)
		}
	}
}
