package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// A job waits for a peel that is not there, through the end of its master and the start of another.
func TestDeferred(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	ids := []string{"web-01", "web-02", "web-03"}
	stop := f.master(t, ids)
	c := f.client(t)
	job := submit(t, c, jobs.Request{Target: "*", Function: "write.file", Timeout: patience, Wait: true, Expires: time.Hour})
	sum, returns := collect(job)
	if len(returns) != 1 || !slices.Equal(sum.Offline, []string{"web-02", "web-03"}) || sum.ExitCode() != jobs.ExitSilent {
		t.Errorf("%+v", sum)
	}
	until(t, func() bool { return len(f.stored(t, job.ID)) == 1 }) // a follower may hear of a return before it is stored
	look, record, err := c.Follow(t.Context(), job.ID, false)
	if err != nil || record.Stage() != jobs.StageRunning || record.Deadline.Sub(record.Created) != time.Hour {
		t.Fatalf("%+v, %v", record, err)
	}
	if sum, _ := collect(look); len(sum.Silent) != 2 || sum.Silent[0].Peel != "web-02" {
		t.Errorf("%+v", sum)
	}
	stop()
	second := f.peel(t, "web-02") // comes while there is no master
	f.master(t, ids)
	until(t, func() bool { return second.exec.count(job.ID) == 1 })
	follow, _, err := c.Follow(t.Context(), job.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	third := f.peel(t, "web-03") // comes while there is one
	sum, returns = collect(follow)
	if len(returns) != 3 || sum.ExitCode() != jobs.ExitOK {
		t.Errorf("%+v", sum)
	}
	if r := f.closed(t, job.ID); r.Returned != 3 || r.Stage() != jobs.StageDone {
		t.Errorf("%+v", r)
	}
	until(t, func() bool { // no mark of it is left
		marks, err := f.core.GetMany(t.Context(), "jobs", "*.wait")
		return err == nil && len(marks) == 0
	})
	if second.exec.count(job.ID) != 1 || third.exec.count(job.ID) != 1 {
		t.Error("it did not run once")
	}
}

func TestDeferredExpires(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.master(t, []string{"web-01"})
	c := f.client(t)
	var job *jobs.Job
	inTime(t, time.Second, func(expires time.Duration) bool {
		job = submit(t, c, jobs.Request{Target: "*", Function: "write.file", Timeout: expires, Wait: true, Expires: expires})
		s, _ := collect(job)
		r := f.closed(t, job.ID)
		if r.Stage() == jobs.StageRefused { // nobody took it in time
			return false
		}
		if s.ExitCode() != jobs.ExitSilent || s.Err != nil || r.Stage() != jobs.StageIncomplete {
			t.Errorf("%+v, %+v", s, r)
		}
		return true
	})
	p := f.peel(t, "web-01")
	if s, _ := run(t, c, jobs.Request{Target: "*", Function: "test.ping"}); s.ExitCode() != jobs.ExitOK || p.exec.count(job.ID) != 0 {
		t.Errorf("%+v, and the expired job ran %d times", s, p.exec.count(job.ID))
	}
	for _, test := range []struct {
		request jobs.Request
		want    string
	}{
		{jobs.Request{Expires: time.Hour}, "expires 1h0m0s: only a job that waits for peels to connect expires: ask for that with --when-offline wait"},
		{jobs.Request{Wait: true, Expires: 8 * 24 * time.Hour}, "expires 192h0m0s: use more than 0 and at most 168h0m0s"},
	} {
		test.request.Target, test.request.Function = "*", "test.ping"
		if _, err := c.Submit(t.Context(), test.request); err == nil || err.Error() != test.want {
			t.Error(err)
		}
	}
}

func TestNoQueue(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01", func(r *jobs.Runner) { r.Concurrent = 1 })
	f.master(t, []string{"web-01"})
	c := f.client(t)
	release := make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	for i, test := range []struct{ long, short, want string }{
		{"write.hook", "write.file", "not started: the peel is busy, 1 job that may change the host runs or waits, and this one is not to wait for it"},
		{"test.hook", "test.ping", "not started: the peel is busy, 1 function runs, and this one is not to wait for it"},
	} {
		job := submit(t, c, jobs.Request{Target: "*", Function: test.long})
		until(t, func() bool { return p.exec.count(test.long) == 1 })
		_, returns := run(t, c, jobs.Request{Target: "*", Function: test.short, NoQueue: true})
		if r := returns["web-01"]; r.Error != test.want || r.Reason != jobs.ReasonBusy {
			t.Errorf("%s: %+v", test.short, r)
		}
		release <- struct{}{}
		collect(job)
		until(t, func() bool { // once its slot is free
			s, _ := run(t, c, jobs.Request{Target: "*", Function: test.short, NoQueue: true, Comment: fmt.Sprint(i)})
			return s.ExitCode() == jobs.ExitOK
		})
	}
}

// What a request leaves open is as the masters have it for its operator.
func TestDefaults(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	f.master(t, []string{"web-01", "web-02"}, func(d *jobs.Dispatcher) {
		d.Defaults = map[string]jobs.Defaults{"alice": {Wait: true, Expires: 2 * time.Hour}, "carol": {Wait: true}}
	})
	for _, test := range []struct {
		operator string
		request  jobs.Request
		expires  time.Duration // 0: it does not wait
		refused  string
	}{
		{"alice", jobs.Request{ByDefault: true}, 2 * time.Hour, ""},
		{"alice", jobs.Request{ByDefault: true, Expires: time.Hour}, time.Hour, ""},
		{"alice", jobs.Request{}, 0, ""},
		{"alice", jobs.Request{Wait: true}, jobs.DefaultExpires, ""},
		{"bob", jobs.Request{ByDefault: true}, 0, ""},
		{"bob", jobs.Request{ByDefault: true, Expires: time.Hour}, 0, "expires 1h0m0s: only a job that waits for peels to connect expires: ask for that with --when-offline wait"},
		{"carol", jobs.Request{ByDefault: true}, jobs.DefaultExpires, ""},
	} {
		test.request.Target, test.request.Function = "*", "test.ping"
		s, _ := run(t, &jobs.Client{Conn: f.Operator(t, test.operator), Operator: test.operator, Log: f.log}, test.request)
		r, _, err := jobs.LoadRecord(t.Context(), f.core, s.JID)
		if err != nil {
			t.Fatal(err)
		}
		if s.Refused != test.refused || r.Error != test.refused || r.Wait != (test.expires > 0) || r.Wait && r.Expires.Sub(r.Created) != test.expires {
			t.Errorf("%s, %+v: %q, waits %v until %s", test.operator, test.request, s.Refused, r.Wait, r.Expires)
		}
	}
}
