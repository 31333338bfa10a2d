package facts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/server"
	"github.com/ptorbus/zester/core/target"
)

// host is a host whose facts a test can change.
type host struct {
	mu       sync.Mutex
	facts    map[string]any
	warnings []error
}

func (h *host) set(name string, v any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.facts = maps.Clone(h.facts)
	h.facts[name] = v
}

func (h *host) collect(context.Context) (map[string]any, []error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.facts, h.warnings
}

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// await waits until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func start(t *testing.T, run func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func startPublisher(t *testing.T, p *facts.Publisher) (stop func()) {
	return start(t, func(ctx context.Context) error { p.Run(ctx); return nil })
}

func revision(t *testing.T, conn *bus.Conn, id string) uint64 {
	t.Helper()
	e, err := conn.Get(t.Context(), bus.BucketFacts, bus.Token(id))
	if errors.Is(err, bus.ErrNotFound) {
		return 0
	} else if err != nil {
		t.Fatal(err)
	}
	return e.Revision
}

func TestPublishOnChange(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	ix := facts.NewIndex()
	changed := make(chan string, 100)
	ix.Changed = func(id string) { changed <- id }
	start(t, func(ctx context.Context) error { return ix.Follow(ctx, core) })
	<-ix.Ready()
	if ix.Len() != 0 {
		t.Fatalf("%d peels before any reported", ix.Len())
	}

	const id = "web-01.example.com"
	h := &host{facts: map[string]any{"os": "debian", "role": "web"}}
	p := &facts.Publisher{Conn: srv.Peel(t, id), ID: id, Collect: h.collect}
	stop := startPublisher(t, p)
	await(t, "the facts arrive", func() bool { return ix.Facts(id)["role"] == "web" })
	if got := <-changed; got != id {
		t.Errorf("Changed(%q)", got)
	}

	first := revision(t, core, id)
	for range 3 {
		if err := p.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := revision(t, core, id); got != first {
		t.Errorf("unchanged facts were published again: revision %d, then %d", first, got)
	}
	h.set("role", "db")
	if err := p.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := target.Parse("role:db")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the index has the change", func() bool {
		ids, err := db.Resolve(ix)
		return err == nil && slices.Equal(ids, []string{id})
	})

	// The next process finds its facts on the bus and stays silent.
	stop()
	second := revision(t, core, id)
	p = &facts.Publisher{Conn: core, ID: id, Collect: h.collect} // a connection that may read the entry
	if err := p.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := revision(t, core, id); got != second {
		t.Errorf("facts were published again at a start: revision %d, then %d", second, got)
	}

	if err := core.Delete(t.Context(), bus.BucketFacts, bus.Token(id)); err != nil {
		t.Fatal(err)
	}
	await(t, "the index forgets the peel", func() bool { return ix.Len() == 0 })
}

func TestPublishInterval(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	h := &host{facts: map[string]any{"n": int64(0)}}
	var log bytes.Buffer
	h.warnings = []error{errors.New("a.yaml:1: broken")}
	p := &facts.Publisher{Conn: srv.Peel(t, "web-01"), ID: "web-01", Collect: h.collect, Interval: 10 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	stop := startPublisher(t, p)
	last := uint64(0)
	for n := range int64(3) {
		h.set("n", n+1)
		await(t, "the change is noticed", func() bool { return revision(t, core, "web-01") > last && p.Facts()["n"] == n+1 })
		last = revision(t, core, "web-01")
	}
	stop()
	if n := strings.Count(log.String(), "a.yaml:1: broken"); n != 1 {
		t.Errorf("the warning was logged %d times:\n%s", n, log.String())
	}
}

// Facts that cannot be published are tried again at the interval, however often that has failed.
func TestPublishFailsForLong(t *testing.T) {
	srv := server.StartTest(t)
	srv.Core(t)
	h := &host{facts: map[string]any{"k": strings.Repeat("x", facts.MaxSize)}}
	var log syncBuffer
	p := &facts.Publisher{Conn: srv.Peel(t, "web-01"), ID: "web-01", Collect: h.collect, Interval: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))}
	stop := startPublisher(t, p)
	await(t, "a hundred failures", func() bool { return strings.Count(log.String(), "facts not published") >= 100 })
	stop()
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "facts not published") && !strings.Contains(line, "retry=1ms") {
			t.Fatal(line)
		}
	}
}

// A change while the server is away is published when it is back.
func TestPublishAfterReconnect(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	ix := facts.NewIndex()
	start(t, func(ctx context.Context) error { return ix.Follow(ctx, core) })
	h := &host{facts: map[string]any{"role": "web"}}
	peel := srv.Peel(t, "web-01")
	p := &facts.Publisher{Conn: peel, ID: "web-01", Collect: h.collect}
	startPublisher(t, p)
	await(t, "the facts arrive", func() bool { return ix.Facts("web-01")["role"] == "web" })

	srv.Stop()
	await(t, "the peel notices", func() bool { return !peel.Connected() })
	h.set("role", "db")
	if err := p.Refresh(t.Context()); err != nil {
		t.Errorf("without a connection Refresh collects: %v", err)
	}
	if p.Facts()["role"] != "db" {
		t.Errorf("Facts() = %v", p.Facts())
	}
	srv.Start(t)
	await(t, "the change arrives", func() bool { return ix.Facts("web-01")["role"] == "db" })
}

// Facts that the bus has lost while the connection was away are published again, where the publisher may look.
func TestPublishLost(t *testing.T) {
	srv := server.StartTest(t)
	core, own := srv.Core(t), srv.Core(t)
	h := &host{facts: map[string]any{"role": "web"}}
	startPublisher(t, &facts.Publisher{Conn: own, ID: "web-01", Collect: h.collect})
	await(t, "the facts arrive", func() bool { return revision(t, core, "web-01") > 0 })
	if err := core.Delete(t.Context(), bus.BucketFacts, "web-01"); err != nil {
		t.Fatal(err)
	}
	if err := own.Reconnect(); err != nil {
		t.Fatal(err)
	}
	await(t, "the lost facts are back", func() bool { return revision(t, core, "web-01") > 0 })
}

// What a peel reports is not to be trusted: it may be no facts at all, or too many.
func TestFollowRefuses(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	put := func(conn *bus.Conn, id string, v any) {
		t.Helper()
		data, ok := v.([]byte)
		if !ok {
			var err error
			if data, err = bus.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := conn.Put(t.Context(), bus.BucketFacts, bus.Token(id), data); err != nil {
			t.Fatal(err)
		}
	}
	many := make([]any, 5000)
	for i := range many {
		many[i] = int64(i)
	}
	peel := srv.Peel(t, "web-01")
	put(peel, "web-01", map[string]any{"role": "web"})
	put(srv.Peel(t, "web-02"), "web-02", map[string]any{"role": "web"})

	var log syncBuffer
	ix := facts.NewIndex()
	ix.Log = slog.New(slog.NewTextHandler(&log, nil))
	start(t, func(ctx context.Context) error { return ix.Follow(ctx, core) })
	<-ix.Ready()
	if !slices.Equal(ix.IDs(), []string{"web-01", "web-02"}) {
		t.Fatalf("IDs() = %v", ix.IDs())
	}
	for i, bad := range []any{[]byte("\xc1 not msgpack"), []any{"a list"}, map[string]any{"n": many}, []byte{}} {
		put(peel, "web-01", bad)
		await(t, fmt.Sprintf("bad facts %d are refused", i), func() bool { return ix.Refused() == uint64(i+1) })
		if ix.Facts("web-01") != nil || !ix.Has("web-01") {
			t.Errorf("bad facts %d: the peel has %v", i, ix.Facts("web-01"))
		}
	}
	if got := log.String(); !strings.Contains(got, `5000 values; there can be 4096`) || strings.Count(got, "facts refused") != 4 {
		t.Errorf("log:\n%s", got)
	}
	put(peel, "web-01", map[string]any{"role": "db"})
	await(t, "good facts count again", func() bool { return ix.Facts("web-01")["role"] == "db" })

	// A client that loads by itself comes to the same result.
	put(peel, "web-01", map[string]any{"n": many})
	await(t, "refused", func() bool { return ix.Refused() == 5 })
	loaded, err := facts.Load(t.Context(), srv.Operator(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(loaded.IDs(), ix.IDs()) || loaded.Facts("web-02")["role"] != "web" || loaded.Facts("web-01") != nil || loaded.Refused() != 1 {
		t.Errorf("loaded %v, refused %d", loaded.IDs(), loaded.Refused())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
