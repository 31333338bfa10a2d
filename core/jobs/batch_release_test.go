package jobs

import (
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// A master of an older version does not write how many have been given the job: there are no more canaries for that.
func TestCanariesOfOlderMasters(t *testing.T) {
	data, err := bus.Marshal(map[string]any{"released": 1, "recent": []any{}, "late": 0, "idle": time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var p progress
	if err := bus.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	r := &Record{Targets: []string{"web-01", "web-02", "web-03"}, Batch: Batch{Canary: 1}}
	p.count(r)
	if n, _ := r.mayRelease(&p, standing{}, time.Now()); n != 0 || p.Given != 1 {
		t.Errorf("%d more are released after %d", n, p.Given)
	}
	waiting := &Record{Targets: r.Targets, Wait: true, Batch: r.Batch}
	p = progress{Released: 1} // who was not there for its turn
	p.count(waiting)
	if n, _ := waiting.mayRelease(&p, standing{}, time.Now()); n != 1 {
		t.Errorf("%d canaries are released, want 1", n)
	}
}
