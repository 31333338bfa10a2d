package bus_test

import (
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func TestRetain(t *testing.T) {
	t.Parallel()
	c := server.StartTest(t).Core(t)
	check := func(returns, submissions time.Duration) {
		t.Helper()
		for stream, want := range map[string]time.Duration{
			bus.StreamReturns: returns, bus.StreamOf(bus.BucketJobs): returns, bus.StreamSubmissions: submissions,
		} {
			if age, err := c.Retention(t.Context(), stream); err != nil || age != want {
				t.Errorf("%s keeps for %s, %v; want %s", stream, age, err, want)
			}
		}
	}
	const day = 24 * time.Hour
	check(7*day, 8*day)
	if err := c.Retain(t.Context(), 30*day); err != nil {
		t.Fatal(err)
	}
	if err := c.Setup(t.Context(), 1); err != nil { // the next master's
		t.Fatal(err)
	}
	check(30*day, 31*day)
	if err := c.Retain(t.Context(), time.Hour); err == nil || err.Error() != "jobs cannot be kept for 1h0m0s: use at least 25h0m0s" {
		t.Error(err)
	}
	check(30*day, 31*day)
}
