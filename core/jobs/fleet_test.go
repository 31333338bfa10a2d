package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
	"github.com/ptorbus/zester/core/target"
)

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// fleet is a server with masters and peels.
type fleet struct {
	*server.TestServer
	core     *bus.Conn
	presence *jobs.Presence
	log      *slog.Logger
}

func newFleet(t *testing.T, change ...func(*server.Options)) *fleet {
	f := &fleet{TestServer: server.StartTest(t, change...), log: logger(t)}
	f.core = f.Core(t)
	f.presence = jobs.NewPresence(f.core, f.Account.Public(), f.log)
	start(t, f.presence.Run)
	<-f.presence.Ready()
	return f
}

// start runs something until the returned function is called, or the test ends.
func start(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(string(p[:len(p)-1]))
	}
	return len(p), nil
}

func logger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return slog.New(slog.NewTextHandler(w, nil))
}

// known resolves targets over a list of ids.
type known []string

func (k known) Resolve(_ context.Context, text string) (ids, missing []string, err error) {
	tgt, err := target.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range tgt.Literals() {
		if !contains(k, id) {
			missing = append(missing, id)
		}
	}
	return tgt.ResolveIDs(k), missing, nil
}

func (k known) Nearest(id string) string { return config.Nearest(id, k) }

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// master starts a dispatcher and returns what stops it.
func (f *fleet) master(t testing.TB, ids []string, change ...func(*jobs.Dispatcher)) (stop func()) {
	d := jobs.Dispatcher{Conn: f.core, Account: f.Account, Resolver: known(ids), Presence: f.presence, Log: f.log}
	for _, c := range change {
		c(&d)
	}
	return start(t, d.Run)
}

// calls counts what was run, by function and job.
type calls struct {
	mu   sync.Mutex
	runs map[string]int
	ping func(ctx context.Context, cmd keys.Command) (any, int, error) // for test.hook and write.hook
}

func (c *calls) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[what]
}

func (c *calls) Mutates(cmd keys.Command) bool { return cmd.Function[:5] == "write" }

func (c *calls) Execute(ctx context.Context, cmd keys.Command) (any, int, error) {
	c.mu.Lock()
	if c.runs == nil {
		c.runs = map[string]int{}
	}
	c.runs[cmd.Function]++
	c.runs[cmd.JID]++
	c.mu.Unlock()
	switch cmd.Function {
	case "test.ping", "write.file":
		return true, 0, nil
	case "test.echo":
		return map[string]any{"args": cmd.Args, "kwargs": cmd.Kwargs, "operator": cmd.Operator}, 0, nil
	case "test.fail":
		return "half of it", 3, errors.New("it broke")
	case "test.false":
		return false, 1, nil
	case "test.panic":
		panic("out of cheese")
	case "test.chan":
		return make(chan int), 0, nil
	case "test.large":
		return string(bytes.Repeat([]byte("zester "), 20<<20/7)), 0, nil
	case "test.huge":
		return string(make([]byte, 65<<20)), 0, nil
	case "test.wait", "write.wait":
		<-ctx.Done()
		return nil, 0, ctx.Err()
	case "test.hook", "write.hook":
		return c.ping(ctx, cmd)
	}
	return nil, 0, fmt.Errorf("unknown function %q", cmd.Function)
}

// peel is a runner with what it keeps between its lives.
type peel struct {
	id   string
	dir  string
	conn *bus.Conn
	exec *calls
	stop func()
}

func (f *fleet) peel(t testing.TB, id string, change ...func(*jobs.Runner)) *peel {
	p := &peel{id: id, dir: t.TempDir(), conn: f.Peel(t, id), exec: &calls{}}
	p.start(t, f, change...)
	return p
}

func (p *peel) start(t testing.TB, f *fleet, change ...func(*jobs.Runner)) {
	r := jobs.Runner{Conn: p.conn, ID: p.id, AccountPublic: f.Account.Public(), StateDir: p.dir, Executor: p.exec, Log: f.log, StopWait: patience}
	for _, c := range change {
		c(&r)
	}
	ready := make(chan struct{})
	r.Ready = func() { close(ready) }
	p.stop = start(t, r.Run)
	<-ready
	until(t, func() bool { return p.conn.Flush(t.Context()) == nil }) // a connection that was cut may not know it yet
	until(t, func() bool { return f.presence.Connected(p.id) })
}

func (f *fleet) peels(t testing.TB, ids ...string) map[string]*peel {
	all := map[string]*peel{}
	for _, id := range ids {
		all[id] = f.peel(t, id)
	}
	return all
}

func until(t testing.TB, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// inTime tries something whose outcome hangs on a job's time being long enough for what happens and not a moment
// longer: with the time given, and as long as done is false, which says that the machine was too slow, with more.
func inTime(t testing.TB, short time.Duration, try func(timeout time.Duration) (done bool)) {
	t.Helper()
	for timeout := short; !try(timeout); timeout *= 3 {
		if timeout > patience {
			t.Fatalf("not done in %s", timeout)
		}
		t.Logf("not done in %s: trying with more", timeout)
	}
}

func (f *fleet) client(t testing.TB) *jobs.Client {
	return &jobs.Client{Conn: f.Operator(t, "alice"), Operator: "alice", Log: f.log}
}

// run submits and waits for the end.
func run(t testing.TB, c *jobs.Client, r jobs.Request) (*jobs.Summary, map[string]jobs.Return) {
	t.Helper()
	if r.Timeout == 0 {
		r.Timeout = patience
	}
	return collect(submit(t, c, r))
}

func collect(j *jobs.Job) (*jobs.Summary, map[string]jobs.Return) {
	returns := map[string]jobs.Return{}
	s := j.Wait(func(e jobs.Event) {
		if r, ok := e.(jobs.Return); ok {
			returns[r.Peel] = r
		}
	})
	return s, returns
}
