package basket_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// until waits for a condition that the bus will make true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// publisher starts a peel's publisher with functions and a fact "os" of its own.
func publisher(t *testing.T, srv *server.TestServer, id string, answer func() (any, error), functions ...basket.Function) *basket.Publisher {
	t.Helper()
	p := &basket.Publisher{
		Conn: srv.Peel(t, id), ID: id, Log: slog.New(slog.DiscardHandler),
		Call: func(context.Context, string, []any, map[string]any) (any, error) { return answer() },
		Has:  func(name string) bool { return name == "test.answer" },
		Fact: func(path string) (any, bool) { return "debian", path == "os" },
	}
	for i := range functions {
		if functions[i].Interval == 0 {
			functions[i].Interval = time.Hour
		}
	}
	p.Configure(functions)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func values(t *testing.T, r *basket.Reader, q basket.Query) string {
	t.Helper()
	entries, err := r.Get(t.Context(), q)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s=%v", e.Peel, e.Value))
	}
	return strings.Join(out, " ")
}

// fixed is a master's answer in tests: the ids given.
type fixed []string

func (f fixed) Resolve(context.Context, string, bool) ([]string, error) { return f, nil }

func TestPublishAndRead(t *testing.T) {
	srv := server.StartTest(t)
	srv.Core(t)
	for _, id := range []string{"web-01", "web-02", "db.eu-01"} {
		publisher(t, srv, id, func() (any, error) { return id + "!", nil },
			basket.Function{Name: "test.answer"}, basket.Function{Name: "os"},
			basket.Function{Name: "version", Value: map[string]any{"n": int64(2)}},
			basket.Function{Name: "alias", Call: "test.answer"}, basket.Function{Name: "system", Fact: "os"})
	}
	// Another peel reads, with no master anywhere; fact targets have to ask one.
	r := &basket.Reader{Conn: srv.Peel(t, "lb-01"), Resolver: fixed{"db.eu-01", "web-02"}}
	until(t, "all values", func() bool {
		all, err := r.All(t.Context())
		return err == nil && len(all) == 15
	})
	for _, tt := range []struct {
		q    basket.Query
		want string
	}{
		{basket.Query{Target: "*", Function: "test.answer"}, "db.eu-01=db.eu-01! web-01=web-01! web-02=web-02!"},
		{basket.Query{Target: "web-*", Function: "alias"}, "web-01=web-01! web-02=web-02!"},
		{basket.Query{Target: "L@web-02,nobody", Function: "os"}, "web-02=debian"},
		{basket.Query{Target: "E@.*01 and not web-01", Function: "system"}, "db.eu-01=debian"},
		{basket.Query{Target: "web-01", Function: "version"}, "web-01=map[n:2]"},
		{basket.Query{Target: "role:any", Function: "os"}, "db.eu-01=debian web-02=debian"},
		{basket.Query{Target: "*", Function: "os", Live: true}, "db.eu-01=debian web-02=debian"},
		{basket.Query{Target: "*", Function: "os", Scope: "web-*"}, "web-01=debian web-02=debian"},
		{basket.Query{Target: "*", Function: "nothing"}, ""},
		{basket.Query{Target: "*", Function: "a.*"}, `basket function "a.*": use letters, digits, '_' and '-', with single dots between`},
	} {
		if got := values(t, r, tt.q); got != tt.want {
			t.Errorf("%+v = %q, want %q", tt.q, got, tt.want)
		}
	}
	list, err := r.List(t.Context(), "web-01")
	if err != nil || len(list) != 5 || list[0].Function != "alias" || time.Since(list[0].Updated) > time.Minute {
		t.Errorf("List = %+v, %v", list, err)
	}
}

func TestPublishOnChangeOnly(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	var calls, value atomic.Int64
	p := publisher(t, srv, "web-01", func() (any, error) {
		calls.Add(1)
		if value.Load() < 0 {
			return nil, errors.New("broken")
		}
		return map[string]any{"a": value.Load(), "b": []any{"x"}}, nil
	}, basket.Function{Name: "test.answer"})
	revision := func() uint64 {
		e, err := core.Get(t.Context(), bus.BucketBasket, "web-01.test.answer")
		if err != nil {
			return 0
		}
		return e.Revision
	}
	again := func() {
		n := calls.Load()
		p.Refresh()
		until(t, "another call", func() bool { return calls.Load() > n })
	}
	until(t, "the first value", func() bool { return revision() == 1 })
	again()
	again()
	value.Store(-1) // a failing function leaves the last value
	again()
	again()
	if got := revision(); got != 1 {
		t.Errorf("unchanged or failing values were written: revision %d", got)
	}
	value.Store(7)
	p.Refresh()
	until(t, "the changed value", func() bool { return revision() == 2 })
}

// What the bus has lost comes back with the connection, changed or not.
func TestPublishAfterALoss(t *testing.T) {
	dir := t.TempDir()
	srv := server.StartTest(t, func(o *server.Options) { o.Dir = dir })
	core := srv.Core(t)
	publisher(t, srv, "web-01", nil, basket.Function{Name: "os", Fact: "os"})
	r := &basket.Reader{Conn: core}
	q := basket.Query{Target: "*", Function: "os"}
	until(t, "the first value", func() bool { return values(t, r, q) == "web-01=debian" })
	srv.Stop()
	if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	until(t, "the bucket", func() bool { return core.Setup(t.Context(), 1) == nil })
	srv.Restart(t) // the peel may have been back before the bucket was
	until(t, "the value again", func() bool {
		return core.Connected() && values(t, r, q) == "web-01=debian"
	})
}

func TestRestartRemovesWhatIsNoLongerShared(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	for _, key := range []string{"web-01.old", "web-02.old"} {
		if _, err := core.Put(t.Context(), bus.BucketBasket, key, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	p := publisher(t, srv, "web-01", nil, basket.Function{Name: "os"}, basket.Function{Name: "version", Value: "1"})
	r := &basket.Reader{Conn: core}
	names := func() string {
		all, err := r.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range all {
			out = append(out, e.Peel+"."+e.Function)
		}
		return strings.Join(out, " ")
	}
	until(t, "the old entry to go and the new ones to come", func() bool { return names() == "web-01.os web-01.version web-02.old" })
	p.Configure([]basket.Function{{Name: "os", Interval: time.Hour}})
	until(t, "the removed function's entry to go", func() bool { return names() == "web-01.os web-02.old" })
}

func TestTTL(t *testing.T) {
	t.Parallel()
	srv := server.StartTest(t)
	core := srv.Core(t)
	var calls atomic.Int64
	p := &basket.Publisher{
		Conn: srv.Peel(t, "web-01"), ID: "web-01", Log: slog.New(slog.DiscardHandler),
		Call: func(context.Context, string, []any, map[string]any) (any, error) { calls.Add(1); return "x", nil },
	}
	p.Configure([]basket.Function{{Name: "f", Call: "f", Interval: time.Hour, TTL: 4 * time.Second}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	there := func() bool { _, err := core.Get(t.Context(), bus.BucketBasket, "web-01.f"); return err == nil }
	until(t, "the value", there)
	// It is renewed in time, several times over, and does not go missing, unless this machine stands still.
	first := calls.Load()
	until(t, "three renewals of a value that stays", func() bool {
		if !there() {
			t.Log("the value has expired although its peel lives")
			first = calls.Load()
		}
		return calls.Load() >= first+3
	})
	stop()
	<-done
	until(t, "the value to expire", func() bool { return !there() })
}

func TestWatch(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	put := func(key string, v any) {
		data, err := bus.Marshal(v)
		if err == nil {
			_, err = core.Put(t.Context(), bus.BucketBasket, key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("web-01.g", "not asked for")
	put("db-01.f", "not meant")
	put("web-01.f", "a") // last: who sees it has seen all that there was
	index := &growing{}
	index.set("web-01")
	r := &basket.Reader{Conn: core, Resolver: index}
	seen := make(chan string, 16)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- r.Watch(ctx, basket.Query{Target: "role:web", Function: "f"}, func(c basket.Change) error {
			seen <- fmt.Sprintf("%s %v removed=%v initial=%v", c.Peel, c.Value, c.Removed, c.Initial)
			return nil
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("saw %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("never saw %q", want)
		}
	}
	expect("web-01 a removed=false initial=true")
	put("web-01.f", "b")
	expect("web-01 b removed=false initial=false")
	index.later("web-01", "web-02") // its facts come a moment later than its value
	put("web-02.f", "new")
	expect("web-02 new removed=false initial=false")
	if err := r.Remove(t.Context(), basket.Entry{Peel: "web-01", Function: "f"}); err != nil {
		t.Fatal(err)
	}
	expect("web-01 <nil> removed=true initial=false")
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch = %v", err)
	}
}

// growing is a master's index that learns of peels.
type growing struct {
	mu        sync.Mutex
	ids, next []string
	asked     int // since next was set
}

func (g *growing) set(ids ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids, g.next = ids, nil
}

// later sets what is answered to the third question from now on, the first of them lost on the way.
func (g *growing) later(ids ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next, g.asked = ids, 0
}

func (g *growing) Resolve(context.Context, string, bool) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asked++; g.next != nil {
		switch g.asked {
		case 1:
			return nil, errors.New("no answer")
		case 3:
			g.ids, g.next = g.next, nil
		}
	}
	return slices.Clone(g.ids), nil
}

func TestAnswer(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	peel := basket.Asking{Conn: srv.Peel(t, "lb-01"), Subject: bus.Ask("lb-01", basket.Resolve)}
	operator := basket.Asking{Conn: srv.Operator(t, "alice"), Subject: bus.Order("alice", basket.Resolve)}

	_, err := peel.Resolve(t.Context(), "role:web", false)
	want := `target "role:web" needs facts or presence, which a master knows, and none answers: start one, or target by id: zester.ask.lb-01.resolve: nobody answers`
	if err == nil || err.Error() != want || !errors.Is(err, bus.ErrNoResponders) {
		t.Errorf("without a master: %v\nwant %s", err, want)
	}
	stop, err := basket.Answer(core, fixed{"web-01"}, map[string]string{"gold": "N@rich or web-*", "rich": "I@tier:gold", "plain": "role:web"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := core.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who    basket.Asking
		target string
		want   string
	}{
		{peel, "role:web", ""},
		{operator, "I@secret:*", ""},
		{peel, "web-* or I@secret:a*", `target "web-* or I@secret:a*": a peel may not target by settings (I@, J@), nor by a group that does, which could tell it another peel's secrets: target by facts or ids`},
		{peel, "N@gold", `target "N@gold": a peel may not target by settings (I@, J@), nor by a group that does, which could tell it another peel's secrets: target by facts or ids`},
		{peel, "N@plain", ""},
		{operator, "N@gold", ""},
	} {
		ids, err := resolve(t, tt.who, tt.target)
		if tt.want == "" && (err != nil || !slices.Equal(ids, []string{"web-01"})) || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%s: %v, %v; want %q", tt.target, ids, err, tt.want)
		}
	}

	// One that asks without end is refused, others are not.
	question, err := bus.Marshal(map[string]any{"target": "role:web"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a refusal", func() bool {
		for range 500 { // it does not wait for the answers
			if err := peel.Conn.Publish(peel.Subject, question); err != nil {
				t.Fatal(err)
			}
		}
		_, err = resolve(t, peel, "role:web")
		return err != nil
	})
	if want := `target "role:web": this peel asks more than 100 questions per second: try again`; err.Error() != want {
		t.Errorf("asking without end: %v\nwant %s", err, want)
	}
	other := basket.Asking{Conn: srv.Peel(t, "lb-02"), Subject: bus.Ask("lb-02", basket.Resolve)}
	if _, err := resolve(t, other, "role:web"); err != nil {
		t.Errorf("another peel: %v", err)
	}
}

// resolve asks until there is an answer: five seconds are not enough for a machine that stands still.
func resolve(t *testing.T, who basket.Asking, target string) (ids []string, err error) {
	t.Helper()
	until(t, "an answer", func() bool {
		ids, err = who.Resolve(t.Context(), target, false)
		return !errors.Is(err, context.DeadlineExceeded)
	})
	return ids, err
}
