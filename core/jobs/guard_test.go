package jobs_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

// A peel that invents jobs does not fill the stream of returns, nor does it harm what belongs there.
func TestStrayReturnsAreRemoved(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peels(t, "web-01", "web-02")
	set := metrics.NewSet()
	c := f.client(t)
	f.master(t, []string{"web-01", "web-02"}, func(d *jobs.Dispatcher) {
		d.Metrics = set
		jobs.SetGuard(d, 20*time.Millisecond, 50)
	})
	both, _ := run(t, c, jobs.Request{Target: "*", Function: "test.large"}) // with parts
	one, _ := run(t, c, jobs.Request{Target: "web-01", Function: "test.ping"})
	until(t, func() bool { // a follower may hear of a return before it is stored
		return len(f.stored(t, both.JID)) == 2 && len(f.stored(t, one.JID)) == 1
	})
	good, err := f.core.StreamSubjects(t.Context(), bus.StreamReturns, ">")
	if err != nil {
		t.Fatal(err)
	}
	evil := f.Peel(t, "web-02")
	store := func(subject string) {
		if err := evil.Store(t.Context(), subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	store(bus.Return(one.JID, "web-02"))         // a job, but not its own
	store(bus.Part(both.JID, "web-02", "1000"))  // its own, but not a part that a return can have
	store(bus.Part(both.JID, "web-02", "weird")) // nor this
	store(bus.Return("nonsense", "web-02"))
	for i := range 120 {
		store(bus.Return(jobs.NewID(time.Now()), "web-02"))
		store(bus.Part(jobs.NewID(time.Now()), "web-02", strconv.Itoa(i)))
	}
	until(t, func() bool {
		left, err := f.core.StreamSubjects(t.Context(), bus.StreamReturns, ">")
		return err == nil && len(left) < len(good)+50 // fewer than what is looked at are left
	})
	left, err := f.core.StreamSubjects(t.Context(), bus.StreamReturns, ">")
	if err != nil {
		t.Fatal(err)
	}
	for subject := range good {
		if left[subject] == 0 {
			t.Errorf("%s is gone", subject)
		}
	}
	for _, jid := range []string{both.JID, one.JID} {
		j, _, err := c.Follow(t.Context(), jid, false)
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := collect(j); s.ExitCode() != jobs.ExitOK || slices.Contains(s.Failed, "web-02") {
			t.Errorf("%+v", s)
		}
	}
}
