package jobs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

// A job of which all have returned is done for whoever asks, though no master has closed it yet.
func TestOverBeforeItIsClosed(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.master(t, []string{"web-01", "web-02"})
	c := f.client(t)
	// Records that no request in the queue stands for: no master will ever look at them.
	open := func(change func(*jobs.Record), returned ...string) *jobs.Record {
		t.Helper()
		now := time.Now()
		r := &jobs.Record{
			JID: jobs.NewID(now), Operator: "alice", Target: "*", Function: "test.ping", Created: now, Timeout: time.Minute,
			Deadline: now.Add(time.Hour), Until: now.Add(time.Hour), State: jobs.StateOpen, Targets: []string{"web-01", "web-02"}, Addressed: 2,
		}
		change(r)
		data, err := bus.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.core.Create(t.Context(), bus.BucketJobs, r.JID, data); err != nil {
			t.Fatal(err)
		}
		if data, err = bus.Marshal(jobs.Return{Success: true}); err != nil {
			t.Fatal(err)
		}
		for _, id := range returned {
			if err := f.core.Store(t.Context(), bus.Return(r.JID, id), data); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	batch := func(r *jobs.Record) { r.Batch = jobs.Batch{Size: "1"} }
	for _, test := range []struct {
		name     string
		change   func(*jobs.Record)
		returned []string
		want     jobs.Stage
	}{
		{"all", batch, []string{"web-01", "web-02"}, jobs.StageDone},
		{"one", batch, []string{"web-02"}, jobs.StageRunning},
		{"a stranger", batch, []string{"web-02", "web-03"}, jobs.StageRunning},
		{"paused", func(r *jobs.Record) { batch(r); r.Paused = "by alice" }, []string{"web-01", "web-02"}, jobs.StageDone},
		{"cancelled", func(r *jobs.Record) { batch(r); r.CancelledBy = "bob" }, []string{"web-01", "web-02"}, jobs.StageCancelled},
		{"away", func(r *jobs.Record) { batch(r); r.Wait, r.Offline, r.Addressed = true, []string{"db-01"}, 3 }, []string{"web-01", "web-02"}, jobs.StageRunning},
	} {
		r := open(test.change, test.returned...)
		over := len(test.returned) == 2 && test.want != jobs.StageRunning
		want := 0
		if over {
			want = 2
		}
		for _, filter := range []jobs.Filter{{}, {Stage: test.want}} {
			list, err := jobs.List(t.Context(), c.Conn, filter)
			if err != nil || len(list) == 0 || list[0].JID != r.JID || list[0].Stage() != test.want || list[0].Returned != want {
				t.Errorf("%s: %v, %v", test.name, idsOf(list), err)
			}
		}
		if other := jobs.StageRunning; over {
			list, err := jobs.List(t.Context(), c.Conn, jobs.Filter{Stage: other})
			if err != nil || slices.Contains(idsOf(list), r.JID) {
				t.Errorf("%s: %v, %v", test.name, idsOf(list), err)
			}
		}
		look, record, err := c.Follow(t.Context(), r.JID, false)
		if err != nil {
			t.Fatal(err)
		}
		sum, _ := collect(look)
		if record.Judge(sum); record.Stage() != test.want || record.Returned != want {
			t.Errorf("%s: %s, %+v", test.name, record.Stage(), sum)
		}
		for _, o := range []jobs.Order{jobs.Pause, jobs.Resume, jobs.Abort, jobs.Cancel} {
			_, err := c.Send(t.Context(), r.JID, o)
			obeyed := !over || o == jobs.Cancel && test.want == jobs.StageCancelled
			if obeyed && err != nil || !obeyed && (err == nil || err.Error() != "job "+r.JID+" is over: closed") {
				t.Errorf("%s: %s: %v", test.name, o, err)
			}
		}
	}
}
