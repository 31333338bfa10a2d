package jobs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// A large value waits on disk for the connection, through the end of the peel.
func TestLargeReturnIsKept(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	conn, line := f.through(t, f.PeelCreds(t, "web-01"), bus.Peels)
	p := &peel{id: "web-01", dir: t.TempDir(), conn: conn, exec: &calls{}}
	p.start(t, f)
	value := strings.Repeat("zester ", 1<<20)
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) {
		line.cut()
		return value, 0, nil
	}
	f.master(t, []string{"web-01"})
	job := submit(t, f.client(t), jobs.Request{Target: "*", Function: "write.hook", Timeout: 2 * patience})
	file := filepath.Join(p.dir, "jobs", "large", job.ID)
	until(t, func() bool { _, err := os.Stat(file); return err == nil })
	p.stop()
	line.mend()
	p.start(t, f)
	sum, returns := collect(job)
	if got, _ := returns["web-01"].Value.(string); got != value || sum.ExitCode() != jobs.ExitOK {
		t.Errorf("%d bytes, %s; %+v", len(got), returns["web-01"].Error, sum)
	}
	until(t, func() bool { _, err := os.Stat(file); return os.IsNotExist(err) })
	if n := p.exec.count(job.ID); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func TestTooLargeReturn(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	f.master(t, []string{"web-01"})
	_, returns := run(t, f.client(t), jobs.Request{Target: "*", Function: "test.huge"})
	if r := returns["web-01"]; !r.Cut || !r.Success || r.Error != "the value is left out: it has 68157445 bytes and at most 67108864 can be returned" {
		t.Errorf("%+v", r)
	}
}

// What a peel says of the parts of its return is its word: it can only harm its own return.
func TestLyingParts(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	liar := f.Peel(t, "web-01")
	for name, test := range map[string]struct {
		ret  jobs.Return
		want string
	}{
		"none":     {jobs.Return{Parts: 2, Size: 10}, "the value is left out: parts of it are missing: 3 of 10 bytes are there"},
		"other":    {jobs.Return{Parts: 1, Size: 3, Digest: []byte("no")}, "the value is left out: parts of it are missing: 3 of 3 bytes are there"},
		"many":     {jobs.Return{Parts: 1 << 30, Size: 1}, "the value is left out: it is said to have 1 bytes in 1073741824 parts"},
		"negative": {jobs.Return{Parts: -1, Size: 1}, "the value is left out: it is said to have 1 bytes in -1 parts"},
		"huge":     {jobs.Return{Parts: 1, Size: 1 << 40}, "the value is left out: it is said to have 1099511627776 bytes in 1 parts"},
	} {
		jid := jobs.NewID(time.Now())
		if err := liar.Store(t.Context(), bus.Part(jid, "web-01", "0"), []byte("abc")); err != nil {
			t.Fatal(err)
		}
		data, err := bus.Marshal(test.ret)
		if err != nil {
			t.Fatal(err)
		}
		r, err := jobs.DecodeReturn(bus.Return(jid, "web-01"), data)
		if err != nil {
			t.Fatal(err)
		}
		if r.Complete(t.Context(), f.core); r.Error != test.want || !r.Cut || r.Value != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := liar.Store(ctx, bus.Part(jobs.NewID(time.Now()), "web-02", "0"), nil); err == nil {
		t.Error("a peel stored a part of another's return")
	}
}
