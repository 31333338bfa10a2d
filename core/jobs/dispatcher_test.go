package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// submit starts a job, which is given up when it takes longer than any test may wait for.
func submit(t testing.TB, c *jobs.Client, r jobs.Request) *jobs.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	j, err := c.Submit(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (f *fleet) closed(t testing.TB, jid string) *jobs.Record {
	t.Helper()
	var r *jobs.Record
	until(t, func() bool {
		var err error
		r, _, err = jobs.LoadRecord(t.Context(), f.core, jid)
		return err == nil && r.State != jobs.StateOpen
	})
	return r
}

func TestRecord(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peels(t, "web-01", "web-02")
	f.master(t, []string{"web-01", "web-02", "web-03"})
	c := f.client(t)
	s, _ := run(t, c, jobs.Request{Target: "* or L@web-9", Function: "test.echo", Args: []any{int64(1)}, Comment: "why not"})
	r := f.closed(t, s.JID)
	want := jobs.Record{JID: s.JID, Operator: "alice", Target: "* or L@web-9", Function: "test.echo", Args: []any{int64(1)}, Comment: "why not",
		State: jobs.StateClosed, Returned: 2, Targets: []string{"web-01", "web-02"}, Offline: []string{"web-03"}, Missing: []string{"web-9"},
		Created: r.Created, Deadline: r.Deadline, Until: r.Deadline, Timeout: patience, Addressed: 2, Closed: r.Closed, Cancelled: r.Cancelled, Expires: r.Expires}
	if len(r.Kwargs) == 0 {
		r.Kwargs = nil
	}
	if !reflect.DeepEqual(*r, want) {
		t.Errorf("record\n%+v, want\n%+v", *r, want)
	}
	s, _ = run(t, c, jobs.Request{Target: "db-*", Function: "test.ping"})
	if r := f.closed(t, s.JID); r.State != jobs.StateRefused || r.Error != `no peel matches target "db-*"` {
		t.Errorf("%+v", r)
	}
	if _, _, err := jobs.LoadRecord(t.Context(), f.core, jobs.NewID(time.Now())); !errors.Is(err, jobs.ErrNoJob) {
		t.Error(err)
	}
	until(t, func() bool { // nothing stays in the queue
		left, err := f.core.StreamSubjects(t.Context(), bus.StreamSubmissions, ">")
		return err == nil && len(left) == 0
	})
}

// Ids that no single entry and no single note can hold.
func TestLargeFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	ids := []string{"web-01"}
	for i := range 12_000 {
		ids = append(ids, fmt.Sprintf("%s-%05d", strings.Repeat("x", 90), i))
	}
	f.master(t, ids)
	s, _ := run(t, f.client(t), jobs.Request{Target: "*", Function: "test.ping"})
	if s.Returned != 1 || len(s.Targets) != 1 || len(s.Offline) != 12_000 || s.ExitCode() != jobs.ExitSilent {
		t.Errorf("%d returned, %d targets, %d offline, %v", s.Returned, len(s.Targets), len(s.Offline), s.Err)
	}
	if r := f.closed(t, s.JID); len(r.Offline) != 12_000 || r.Returned != 1 {
		t.Errorf("%d offline, %d returned", len(r.Offline), r.Returned)
	}
}

func TestSilentPeels(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.Peel(t, "deaf-01") // connected, but nothing runs there
	slow := f.peel(t, "slow-01")
	release := make(chan struct{})
	slow.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	t.Cleanup(func() { close(release) })
	failing := f.peel(t, "web-01")
	failing.exec.ping = func(context.Context, keys.Command) (any, int, error) { return nil, 1, nil }
	until(t, func() bool { return f.presence.Connected("deaf-01") })
	set := metrics.NewSet()
	f.master(t, []string{"deaf-01", "slow-01", "web-01"}, func(d *jobs.Dispatcher) { d.Metrics = set })
	c := f.client(t)
	dispatched := 0
	inTime(t, 900*time.Millisecond, func(timeout time.Duration) bool {
		s, _ := run(t, c, jobs.Request{Target: "*", Function: "test.hook", Timeout: timeout})
		r := f.closed(t, s.JID)
		if r.State == jobs.StateClosed { // and not refused, as nobody took it in time
			dispatched++
		}
		want := []jobs.Silent{{Peel: "deaf-01"}, {Peel: "slow-01", Acked: true}}
		resent := !strings.Contains(metricsOf(set), "zester_commands_resent_total 0\n")
		if s.Returned == 0 || !reflect.DeepEqual(s.Silent, want) || !resent {
			t.Logf("resent %t, %+v", resent, s)
			return false
		}
		if s.ExitCode() != jobs.ExitPartial || r.Returned != 1 {
			t.Errorf("exit %d, %+v", s.ExitCode(), r)
		}
		return true
	})
	until(t, func() bool {
		return strings.Contains(metricsOf(set), fmt.Sprintf(`zester_jobs_closed_total{state="incomplete"} %d`, dispatched))
	})
}

func TestNoMaster(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	c := f.client(t)
	c.QueuedAfter = 20 * time.Millisecond
	j := submit(t, c, jobs.Request{Target: "*", Function: "test.ping", Timeout: 100 * time.Millisecond})
	var events []jobs.Event
	s := j.Wait(func(e jobs.Event) { events = append(events, e) })
	if !reflect.DeepEqual(events, []jobs.Event{jobs.Queued{}}) || !s.Queued || s.ExitCode() != jobs.ExitSilent || s.Err != nil {
		t.Errorf("%v %+v", events, s)
	}
	missed := j.ID
	// A master that comes late takes what still has time, and nothing else.
	j = submit(t, c, jobs.Request{Target: "*", Function: "test.ping", Timeout: patience})
	if e := <-j.Events(); e != (jobs.Queued{}) {
		t.Errorf("%v", e)
	}
	f.master(t, []string{"web-01"})
	if s := j.Wait(nil); s.ExitCode() != jobs.ExitOK {
		t.Errorf("%+v", s)
	}
	if r := f.closed(t, missed); r.State != jobs.StateRefused || r.Error != "no master took the job within its time of 100ms: run it again" || p.exec.count(missed) != 0 {
		t.Errorf("%+v", r)
	}
}

// A master dies between the record and the commands: another takes the job over, for the
// targets that the record names.
func TestTakeover(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	peels := f.peels(t, "web-01", "web-02", "web-03")
	dying := f.Core(t)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	taken := make(chan bus.Work, 1)
	go dying.Work(ctx, bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: time.Second, Workers: 1},
		func(ctx context.Context, w bus.Work) { taken <- w; <-ctx.Done() })
	j := submit(t, f.client(t), jobs.Request{Target: "*", Function: "write.file", Timeout: patience})
	<-taken
	now := time.Now()
	data, err := bus.Marshal(jobs.Record{JID: j.ID, Operator: "alice", Target: "*", Function: "write.file", Created: now,
		Deadline: now.Add(patience), State: jobs.StateOpen, Targets: []string{"web-01", "web-02"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dying.Create(t.Context(), bus.BucketJobs, j.ID, data); err != nil {
		t.Fatal(err)
	}
	kill()
	dying.Close()
	set := metrics.NewSet()
	f.master(t, []string{"web-01", "web-02", "web-03"}, func(d *jobs.Dispatcher) { d.Metrics, d.AckWait = set, time.Second })
	s, _ := collect(j)
	if s.ExitCode() != jobs.ExitOK || s.Returned != 2 || peels["web-03"].exec.count("write.file") != 0 {
		t.Errorf("%+v", s)
	}
	f.closed(t, j.ID)
	if got := metricsOf(set); strings.Contains(got, "zester_jobs_taken_over_total 0\n") {
		t.Error(got)
	}
}

// Masters that stop and start while jobs run lose none of them and run none twice.
func TestMastersComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"web-01", "web-02"}
	peels := f.peels(t, ids...)
	release := make(chan struct{})
	for _, p := range peels {
		p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return nil, 0, nil }
	}
	stop := f.master(t, ids)
	c := f.client(t)
	var all []*jobs.Job
	for range 5 {
		all = append(all, submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: patience}))
	}
	for range 3 {
		next := f.master(t, ids)
		stop()
		stop = next
	}
	close(release)
	for _, j := range all {
		if s := j.Wait(nil); s.ExitCode() != jobs.ExitOK || s.Returned != 2 {
			t.Errorf("%+v", s)
		}
		for id, p := range peels {
			if n := p.exec.count(j.ID); n != 1 {
				t.Errorf("%s ran %s %d times", id, j.ID, n)
			}
		}
		f.closed(t, j.ID)
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"web-01", "web-02"}
	peels := f.peels(t, ids...)
	release := make(chan struct{})
	for _, p := range peels {
		p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "still here", 0, nil }
	}
	f.master(t, ids)
	j := submit(t, f.client(t), jobs.Request{Target: "*", Function: "write.hook", Timeout: patience})
	until(t, func() bool { return peels["web-01"].exec.count(j.ID)+peels["web-02"].exec.count(j.ID) == 2 })
	f.Stop()
	close(release)
	f.Start(t)
	s, returns := collect(j)
	if s.ExitCode() != jobs.ExitOK || returns["web-01"].Value != "still here" || returns["web-02"].Value != "still here" {
		t.Errorf("%+v %v", s, returns)
	}
	for id, p := range peels {
		if n := p.exec.count(j.ID); n != 1 {
			t.Errorf("%s ran it %d times", id, n)
		}
	}
	f.closed(t, j.ID)
}

// What a client misses while its connection is broken it reads from the stream.
func TestClientLosesConnection(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"web-01", "web-02"}
	peels := f.peels(t, ids...)
	release := make(chan struct{})
	for _, p := range peels {
		p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "missed", 0, nil }
	}
	f.master(t, ids)
	creds, err := f.Hierarchy.OperatorCreds("alice")
	if err != nil {
		t.Fatal(err)
	}
	conn, line := f.through(t, creds, bus.Core)
	j := submit(t, &jobs.Client{Conn: conn, Operator: "alice", Log: f.log, QueuedAfter: patience}, jobs.Request{Target: "*", Function: "write.hook", Timeout: patience})
	if e, ok := (<-j.Events()).(jobs.Addressed); !ok || !reflect.DeepEqual(e.Targets, ids) {
		t.Fatalf("%+v", e)
	}
	line.cut()
	close(release)
	until(t, func() bool { return len(f.stored(t, j.ID)) == 2 })
	line.mend()
	s, returns := collect(j)
	if s.ExitCode() != jobs.ExitOK || returns["web-01"].Value != "missed" || returns["web-02"].Value != "missed" {
		t.Errorf("%+v %v", s, returns)
	}
}

// Peels that were not asked cannot put words into a job, and operators not into each other's.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01")
	stranger := f.Peel(t, "web-66")
	until(t, func() bool { return f.presence.Connected("web-66") })
	release := make(chan struct{})
	p.exec.ping = func(context.Context, keys.Command) (any, int, error) { <-release; return "true word", 0, nil }
	set := metrics.NewSet()
	f.master(t, []string{"web-01", "web-66"}, func(d *jobs.Dispatcher) { d.Metrics = set })
	j := submit(t, f.client(t), jobs.Request{Target: "web-01", Function: "write.hook", Timeout: patience})
	until(t, func() bool { return p.exec.count(j.ID) == 1 })
	lie, err := bus.Marshal(jobs.Return{JID: j.ID, Peel: "web-01", Success: true, Value: "lie"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Store(t.Context(), bus.Return(j.ID, "web-66"), lie); err != nil {
		t.Fatal(err)
	}
	bob := &jobs.Client{Conn: f.Operator(t, "bob"), Operator: "bob", Log: f.log}
	other := submit(t, bob, jobs.Request{JID: jobs.NewID(time.Now()), Target: "web-66", Function: "test.ping", Timeout: time.Second})
	taken, err := bus.Marshal(jobs.Request{JID: j.ID, Target: "*", Function: "write.file"})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{taken, nil, []byte("what")} {
		if err := bob.Conn.Store(t.Context(), bus.Submit("bob"), data); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool {
		return strings.Contains(metricsOf(set), `zester_job_requests_total{verdict="unreadable"} 2`)
	})
	until(t, func() bool { // and the one with the id of another's job is dropped
		left, err := f.core.StreamSubjects(t.Context(), bus.StreamSubmissions, bus.Submit("bob"))
		return err == nil && left[bus.Submit("bob")] <= 1 // bob's own
	})
	other.Wait(nil)
	close(release)
	s, returns := collect(j)
	if s.Returned != 1 || len(returns) != 1 || returns["web-01"].Value != "true word" || p.exec.count("write.file") != 0 {
		t.Errorf("%+v %v", s, returns)
	}
}

// notReady cannot tell at first.
type notReady struct {
	known
	asked atomic.Int32
}

func (n *notReady) Resolve(ctx context.Context, text string) (ids, missing []string, err error) {
	switch n.asked.Add(1) {
	case 1:
		return nil, nil, fmt.Errorf("the index is loading: %w", jobs.ErrNotReady)
	case 2:
		panic("no such tree")
	}
	return n.known.Resolve(ctx, text)
}

func TestResolver(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	f.master(t, nil, func(d *jobs.Dispatcher) { d.Resolver = &notReady{known: known{"web-01"}} })
	c := f.client(t)
	s, _ := run(t, c, jobs.Request{Target: "*", Function: "test.ping"})
	if s.Refused != `target "*": fault in the master: no such tree` {
		t.Errorf("%+v", s)
	}
	if s, _ := run(t, c, jobs.Request{Target: "*", Function: "test.ping"}); s.ExitCode() != jobs.ExitOK {
		t.Errorf("%+v", s)
	}
}

func TestNoRights(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := &jobs.Client{Conn: f.Operator(t, "bob"), Operator: "alice"}
	_, err := c.Submit(t.Context(), jobs.Request{Target: "*", Function: "test.ping"})
	if !errors.Is(err, bus.ErrPermission) || !strings.HasPrefix(err.Error(), `operator "alice" may not run jobs: these credentials have no right to send to "zester.submit.alice"`) {
		t.Error(err)
	}
}

func TestCancelledClient(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := f.client(t)
	j, err := c.Submit(ctx, jobs.Request{Target: "*", Function: "test.ping"})
	if err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped by the user")
	cancel(stopped)
	if s := j.Wait(nil); !errors.Is(s.Err, stopped) || s.ExitCode() != jobs.ExitError {
		t.Errorf("%+v", s)
	}
}
