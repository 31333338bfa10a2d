package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

func idsOf(list []*jobs.Record) []string {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.JID)
	}
	return ids
}

func TestList(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	all := f.peels(t, "web-01", "web-02")
	f.master(t, []string{"db-01", "web-01", "web-02"})
	alice, bob := f.client(t), &jobs.Client{Conn: f.Operator(t, "bob"), Operator: "bob", Log: f.log}
	release := make(chan struct{})
	all["web-01"].exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	// The oldest job is written last, so that what was written lately is not what was submitted lately.
	long := submit(t, alice, jobs.Request{Target: "web-01", Function: "test.hook", Timeout: time.Hour})
	until(t, func() bool { return all["web-01"].exec.count("test.hook") == 1 })
	var ids []string
	for i := range 12 {
		c, function := alice, "test.ping"
		if i%3 == 0 {
			c, function = bob, "test.fail"
		}
		s, _ := run(t, c, jobs.Request{Target: fmt.Sprintf("web-0%d", 1+i%2), Function: function})
		ids = append(ids, s.JID)
	}
	for _, jid := range ids {
		f.closed(t, jid)
	}
	refused, _ := run(t, bob, jobs.Request{Target: "nobody", Function: "test.ping"})
	active, err := jobs.Active(t.Context(), alice.Conn)
	if err != nil || !slices.Equal(idsOf(active), []string{long.ID}) || active[0].Stage() != jobs.StageRunning {
		t.Errorf("active %v, %v", idsOf(active), err)
	}
	close(release)
	f.closed(t, long.ID)
	ids = append(append([]string{long.ID}, ids...), refused.JID)
	slices.Reverse(ids)
	pick := func(want ...int) []string { // counted from the newest
		var list []string
		for _, i := range want {
			list = append(list, ids[i])
		}
		return list
	}
	for _, test := range []struct {
		name   string
		filter jobs.Filter
		want   []string
	}{
		{"all", jobs.Filter{}, ids},
		{"limit", jobs.Filter{Limit: 3}, ids[:3]},
		{"state", jobs.Filter{Stage: jobs.StageRefused}, ids[:1]},
		{"operator", jobs.Filter{Operator: "bob"}, pick(0, 3, 6, 9, 12)},
		{"function", jobs.Filter{Function: "test.f*"}, pick(3, 6, 9, 12)},
		{"peel", jobs.Filter{Target: "web-02", Limit: 2}, pick(1, 3)},
		{"age", jobs.Filter{Age: time.Nanosecond}, nil},
		{"nothing", jobs.Filter{Operator: "carol"}, nil},
	} {
		list, err := jobs.List(t.Context(), alice.Conn, test.filter)
		if err != nil || !slices.Equal(idsOf(list), test.want) {
			t.Errorf("%s: %v, %v; want %v", test.name, idsOf(list), err, test.want)
		}
		again, err := jobs.ListBack(t.Context(), alice.Conn, test.filter, 1) // the history in small steps comes to the same
		if err != nil || !slices.Equal(idsOf(again), test.want) {
			t.Errorf("%s in small steps: %v, %v; want %v", test.name, idsOf(again), err, test.want)
		}
	}
	if _, err := jobs.List(t.Context(), alice.Conn, jobs.Filter{Stage: "lost"}); err == nil ||
		err.Error() != `there is no state "lost": use queued, running, paused, done, incomplete, aborted, cancelled or refused` {
		t.Error(err)
	}
	if _, err := jobs.List(t.Context(), alice.Conn, jobs.Filter{Target: "[a"}); err == nil || err.Error() != `"[a" is not a glob: syntax error in pattern` {
		t.Error(err)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	all := f.peels(t, "web-01", "web-02")
	c := f.client(t)
	// Before any master has it, while it runs, and after its end.
	job := submit(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: patience})
	release := make(chan struct{})
	all["web-01"].exec.ping = func(context.Context, keys.Command) (any, int, error) { return "first", 0, nil }
	all["web-02"].exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "second", 3, nil }
	early, record, err := c.Follow(t.Context(), job.ID, true)
	if err != nil || record.Stage() != jobs.StageQueued {
		t.Fatal(record, err)
	}
	f.master(t, []string{"web-01", "web-02", "web-03"})
	until(t, func() bool { return len(f.stored(t, job.ID)) == 1 })
	look, record, err := c.Follow(t.Context(), job.ID, false)
	if err != nil || record.Stage() != jobs.StageRunning {
		t.Fatal(record, err)
	}
	sum, returns := collect(look)
	if sum.Returned != 1 || returns["web-01"].Value != "first" || len(sum.Silent) != 1 || sum.Silent[0].Peel != "web-02" {
		t.Errorf("%+v %+v", sum, returns)
	}
	during, _, err := c.Follow(t.Context(), job.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	f.closed(t, job.ID)
	after, _, err := c.Follow(t.Context(), job.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, j := range map[string]*jobs.Job{"submitted": job, "early": early, "during": during, "after": after} {
		sum, returns := collect(j)
		if sum.Returned != 2 || returns["web-02"].Value != "second" || !slices.Equal(sum.Failed, []string{"web-02"}) ||
			!slices.Equal(sum.Offline, []string{"web-03"}) || sum.ExitCode() != jobs.ExitPartial {
			t.Errorf("%s: %+v %+v", name, sum, returns)
		}
	}
	if _, _, err := c.Follow(t.Context(), jobs.NewID(time.Now()), true); !errors.Is(err, jobs.ErrNoJob) {
		t.Error(err)
	}
}

// Who reads slowly, or pages through a long list, is told of all returns in the end.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	now := time.Now()
	r := jobs.Record{JID: jobs.NewID(now), Operator: "alice", Target: "*", Function: "test.ping", Created: now, Deadline: now, State: jobs.StateClosed}
	for i := range 1000 { // more than are on their way at once
		r.Targets = append(r.Targets, fmt.Sprintf("web-%04d", i))
	}
	data, err := bus.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.core.Create(t.Context(), bus.BucketJobs, r.JID, data); err != nil {
		t.Fatal(err)
	}
	ret, err := bus.Marshal(jobs.Return{Success: true, Value: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range r.Targets {
		if err := f.core.Store(t.Context(), bus.Return(r.JID, id), ret); err != nil {
			t.Fatal(err)
		}
	}
	look, _, err := f.client(t).Follow(t.Context(), r.JID, false)
	if err != nil {
		t.Fatal(err)
	}
	<-look.Events()
	<-time.After(6 * time.Second) // longer than an answer may take
	if s, _ := collect(look); s.Err != nil || s.Returned != len(r.Targets) || s.ExitCode() != jobs.ExitOK {
		t.Errorf("%d of %d returned: %v", s.Returned, len(r.Targets), s.Err)
	}
}
