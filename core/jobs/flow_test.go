package jobs

import (
	"testing"
	"time"
)

// Many that are silent are not told again while returns come in, and not for long.
func TestFlowing(t *testing.T) {
	for name, c := range map[string]struct {
		before, returned, unheard int
		since                     time.Duration
		want                      bool
	}{
		"the first return":        {0, 1, 999, time.Second, true},
		"more than last time":     {500, 501, 499, 5 * time.Second, true},
		"no more than last time":  {501, 501, 499, time.Second, false},
		"none at all":             {0, 0, 1000, time.Second, false},
		"few are silent":          {0, 990, flowMany, time.Second, false},
		"it has gone on for long": {0, 1, 999, 2 * flowTime, false},
	} {
		d := &dispatching{}
		job := &liveJob{returned: c.before, sent: time.Now().Add(-c.since)}
		if got := d.flowing(job, c.returned, c.unheard); got != c.want || job.returned != c.returned {
			t.Errorf("%s: %t, and %d have returned", name, got, job.returned)
		}
	}
	if (&dispatching{}).flowing(&liveJob{}, 1, 999) {
		t.Error("of a job that another master has sent nothing is known")
	}
}
