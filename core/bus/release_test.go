package bus_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// What was taken and is in nobody's hands comes again at once; what somebody has does not.
func TestReleaseLost(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, first, alice := s.Core(t), s.Core(t), s.Operator(t, "alice")
	q := bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: time.Hour, Workers: 4}
	none := func(uint64) bool { return false }
	if n, err := core.ReleaseLost(t.Context(), q, none); n != 0 || err != nil { // there is no such queue yet
		t.Error(n, err)
	}
	took := make(chan bus.Work, 10)
	work := func(c *bus.Conn) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Work(ctx, q, func(_ context.Context, w bus.Work) { took <- w }) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := work(first)
	for _, id := range []string{"j1", "j2", "j3", "j4"} {
		if err := alice.StoreOnce(t.Context(), bus.Submit("alice"), id, []byte(id)); err != nil {
			t.Fatal(err)
		}
	}
	known := map[uint64]bool{}
	// take waits for work of these ids. Where this machine stands still a taker may miss what it was given.
	take := func(each func(id string, w bus.Work), ids ...string) {
		missing := map[string]bool{}
		for _, id := range ids {
			missing[id] = true
		}
		for len(missing) > 0 {
			select {
			case w := <-took:
				known[w.Sequence()] = true
				delete(missing, string(w.Data))
				each(string(w.Data), w)
			case <-time.After(patience / 10):
				n, err := core.ReleaseLost(t.Context(), q, func(seq uint64) bool { return known[seq] })
				t.Logf("released %d that nobody was given, %v", n, err)
			}
		}
	}
	held := map[uint64]bool{}
	take(func(id string, w bus.Work) {
		var err error
		switch id {
		case "j1":
			err = w.Done()
		case "j2":
			held[w.Sequence()] = true
		case "j3":
			err = w.Later(time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
	}, "j1", "j2", "j3", "j4")
	eventually(t, func() bool { // j1 is out of the queue
		left, err := core.StreamSubjects(t.Context(), bus.StreamSubmissions, ">")
		return err == nil && left[bus.Submit("alice")] == 3
	})
	stop()
	first.Close()
	queue, err := jetStream(t, s).Consumer(t.Context(), q.Stream, q.Durable)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { // nothing is delivered to the first one's requests any more
		info, err := queue.Info(t.Context())
		return err == nil && info.NumWaiting == 0
	})
	defer work(s.Core(t))()
	if n, err := core.ReleaseLost(t.Context(), q, func(seq uint64) bool { return held[seq] }); n != 2 || err != nil {
		t.Error(n, err)
	}
	known = maps.Clone(held)
	take(func(id string, w bus.Work) {
		if id != "j3" && id != "j4" || w.Attempt < 2 {
			t.Errorf("%s comes again at attempt %d", id, w.Attempt)
		}
	}, "j3", "j4")
}
