package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func TestRequests(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	ctx := t.Context()
	ask := bus.Ask("p1", "hello")
	if _, err := peel.Request(ctx, ask, nil); !errors.Is(err, bus.ErrNoResponders) || err.Error() != "zester.ask.p1.hello: nobody answers" {
		t.Errorf("nobody there: %v", err)
	}
	type question struct {
		Text string `msgpack:"text"`
	}
	sub, err := bus.Serve(core, bus.Ask("*", "hello"), "masters", func(_ context.Context, asker string, q question) (string, error) {
		if q.Text == "" {
			return "", errors.New("say\nsomething")
		}
		return asker + " says " + q.Text, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := core.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := bus.Call[string](ctx, peel, ask, question{"hi"}); err != nil || got != "p1 says hi" {
		t.Errorf("got %q, %v", got, err)
	}
	var remote *bus.RemoteError
	if _, err := bus.Call[string](ctx, peel, ask, question{}); !errors.As(err, &remote) || remote.Text != "say something" {
		t.Errorf("got %v", err)
	}
	sub.Stop()
	if err := core.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := peel.Request(ctx, ask, nil); !errors.Is(err, bus.ErrNoResponders) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestRequestMany(t *testing.T) {
	s := server.StartTest(t)
	core, alice := s.Core(t), s.Operator(t, "alice")
	ctx := t.Context()
	order := bus.Order("alice", "count")
	if err := alice.RequestMany(ctx, order, nil, time.Millisecond, func([]byte) bool { return true }); !errors.Is(err, bus.ErrNoResponders) {
		t.Errorf("nobody there: %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, err := core.Subscribe(order, func(m bus.Msg) { m.Respond([]byte(name)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := core.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err := alice.RequestMany(ctx, order, nil, time.Minute, func(data []byte) bool {
		seen[string(data)] = true
		return len(seen) < 3
	})
	if err != nil || len(seen) != 3 {
		t.Errorf("%v, %v", seen, err)
	}
}

// What the server refuses is reported at once, not as a timeout.
func TestRefusalsAreErrors(t *testing.T) {
	s := server.StartTest(t)
	s.Core(t)
	peel := s.Peel(t, "p1")
	ctx := t.Context()
	for name, f := range map[string]func() error{
		"Get":     func() error { _, err := peel.Get(ctx, bus.BucketSettings, "p2"); return err },
		"GetMany": func() error { _, err := peel.GetMany(ctx, bus.BucketFacts, ">"); return err },
		"Put":     func() error { _, err := peel.Put(ctx, bus.BucketBasket, "p2.ip", nil); return err },
		"Create":  func() error { _, err := peel.Create(ctx, bus.BucketBasket, "p2.ip", nil); return err },
		"Delete":  func() error { return peel.Delete(ctx, bus.BucketBasket, "p2.ip") },
		"Store":   func() error { return peel.Store(ctx, bus.Return("j", "p2"), nil) },
		"Request": func() error { _, err := peel.Request(ctx, bus.Ask("p2", "q"), nil); return err },
		"RequestMany": func() error {
			return peel.RequestMany(ctx, bus.Ask("p2", "q"), nil, time.Hour, func([]byte) bool { return true })
		},
	} {
		if err := f(); !errors.Is(err, bus.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := peel.Put(ctx, bus.BucketBasket, "p2.ip", nil); err == nil ||
		err.Error() != `basket p2.ip: these credentials have no right to send to "$KV.basket.p2.ip"` {
		t.Errorf("got %v", err)
	}
	if peel.Errors() == 0 {
		t.Error("no error was counted")
	}
	put(t, peel, bus.BucketBasket, "p1.ip", "still works")
}

func TestRequestEndsWithItsContext(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	asked := make(chan struct{})
	if _, err := core.Subscribe(bus.Ask("p1", "slow"), func(bus.Msg) { close(asked) }); err != nil {
		t.Fatal(err)
	}
	if err := core.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := peel.Request(ctx, bus.Ask("p1", "slow"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Work goes to one taker; what is put off comes again; a taker's failure to say is made good.
func TestWork(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	masters := []*bus.Conn{s.Core(t), s.Core(t)}
	alice := s.Operator(t, "alice")
	for _, id := range []string{"j1", "j2", "j2", "j3"} { // j2 is submitted again
		if err := alice.StoreOnce(t.Context(), bus.Submit("alice"), id, []byte(id)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	type taken struct {
		id      string
		attempt uint64
	}
	took := make(chan taken, 100)
	var mu sync.Mutex
	times := map[string]int{} // not attempts: one is lost, and another due, where this machine stands still
	ended := make(chan error, len(masters))
	for _, m := range masters {
		go func() {
			q := bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: 5 * time.Second, Workers: 2}
			ended <- m.Work(ctx, q, func(_ context.Context, w bus.Work) {
				if bus.Submitter(w.Subject) != "alice" {
					t.Errorf("from %s", w.Subject)
				}
				id := string(w.Data)
				mu.Lock()
				times[id]++
				first := times[id] == 1
				mu.Unlock()
				took <- taken{id, w.Attempt}
				switch {
				case id == "j2" && first:
					w.Later(time.Millisecond)
				case id == "j3" && first:
					w.Busy() // and no more: after AckWait another may have it
				default:
					w.Done()
				}
			})
		}()
	}
	missing := map[string]int{"j1": 1, "j2": 2, "j3": 2}
	got := map[taken]bool{}
	for len(missing) > 0 {
		w := <-took
		if got[w] {
			t.Errorf("%v taken twice", w)
		}
		got[w] = true
		if missing[w.id]--; missing[w.id] <= 0 {
			delete(missing, w.id)
		}
	}
	eventually(t, func() bool {
		left, err := masters[0].StreamSubjects(t.Context(), bus.StreamSubmissions, ">")
		return err == nil && len(left) == 0
	})
	cancel()
	for range masters {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// One of two holders leads; when it lets go, or its bus is gone, the other does.
func TestLease(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	a, b := s.Core(t), s.Core(t)
	var leaders sync.Map
	leads := func(name string) func() bool {
		return func() bool { _, ok := leaders.Load(name); return ok }
	}
	campaign := func(c *bus.Conn, name string) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Lease(ctx, "publisher", name, 5*time.Second, func(ctx context.Context) {
				leaders.Store(name, true)
				<-ctx.Done()
				leaders.Delete(name)
			})
		}()
		return func() { cancel(); <-done }
	}
	// Who leads may change at any time where this machine stands still for as long as the lease lives.
	stopA := campaign(a, "a")
	eventually(t, leads("a"))
	stopB := campaign(b, "b")
	stopA()
	if leads("a")() {
		t.Error("a leads when it has stopped")
	}
	eventually(t, leads("b"))
	stopA = campaign(a, "a")
	b.Close() // b cannot say so
	eventually(t, leads("a"))
	stopB()
	eventually(t, func() bool { // it lets go of it, so that nobody need wait: a second is given to that
		eventually(t, leads("a"))
		stopA()
		_, err := a.Get(t.Context(), bus.BucketLeases, "publisher")
		if errors.Is(err, bus.ErrNotFound) {
			return true
		}
		t.Logf("the lease is still there: %v", err)
		stopA = campaign(a, "a")
		return false
	})
}

// Who asks for the time must not wait for ever on an answer that went down with its server.
func TestServerTimeOfALostServer(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core := s.Core(t)
	var now time.Time
	eventually(t, func() (ok bool) { // it has two seconds
		var err error
		now, err = core.ServerTime(t.Context())
		return err == nil
	})
	if time.Since(now).Abs() > time.Minute {
		t.Errorf("the server says it is %s", now)
	}
	s.Stop()
	_, err := core.ServerTime(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "$SYS.REQ.USER.INFO: no answer in 2s: context deadline exceeded" {
		t.Errorf("without a server: %v", err)
	}
}
