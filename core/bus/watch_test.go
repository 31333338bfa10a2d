package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// expect reads entries up to one that is as wanted: "key=value", "-key" for a deletion, "." for
// the end of the initial values.
func expect(t *testing.T, w *bus.Watcher, want ...string) {
	t.Helper()
	for _, want := range want {
		e, ok := <-w.Entries()
		got := e.Key + "=" + string(e.Value)
		switch {
		case !ok:
			got = "closed"
		case e.Key == "":
			got = "."
		case e.Deleted:
			got = "-" + e.Key
		}
		if got != want {
			t.Fatalf("watched %q instead of %q", got, want)
		}
	}
}

func TestWatch(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	put(t, core, bus.BucketBasket, "p1.ip", "1")
	put(t, core, bus.BucketBasket, "p2.ip", "2")
	put(t, core, bus.BucketBasket, "p1.other", "x")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := core.Watch(ctx, bus.BucketBasket, "*.ip")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, w, "p1.ip=1", "p2.ip=2", ".")
	put(t, peel, bus.BucketBasket, "p1.ip", "3")
	put(t, peel, bus.BucketBasket, "p1.other", "y")
	expect(t, w, "p1.ip=3") // now, since a value that is overtaken may not be seen
	if err := peel.Delete(t.Context(), bus.BucketBasket, "p1.ip"); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "-p1.ip")
	cancel()
	expect(t, w, "closed")

	empty, err := core.Watch(t.Context(), bus.BucketBasket, "*.none")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, empty, ".")
	empty.Stop()
	expect(t, empty, "closed")
}

// A watch goes on after the server was away, without losing, repeating or announcing again.
func TestWatchSurvivesARestart(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, writer := s.Core(t), s.Core(t)
	put(t, core, bus.BucketBasket, "p1.ip", "1")
	w, err := core.Watch(t.Context(), bus.BucketBasket, ">")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, w, "p1.ip=1", ".")
	for _, value := range []string{"2", "3"} {
		s.Restart(t)
		if err := writer.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := writer.Put(ctx, bus.BucketBasket, "p1.ip", []byte(value))
			return err == nil
		})
		for { // an attempt of Put may have been stored although its answer was lost
			e := <-w.Entries()
			if e.Key != "p1.ip" {
				t.Fatalf("watched %+v", e)
			}
			if string(e.Value) == value {
				break
			}
		}
	}
	if core.Reconnects() == 0 {
		t.Error("the connection was never lost")
	}
}

func TestWatchWithoutABucket(t *testing.T) {
	s := server.StartTest(t)
	alice := s.Operator(t, "alice") // nobody has called Setup
	_, err := alice.Watch(t.Context(), bus.BucketBasket, ">")
	want := `nats at ` + s.URL + ` has no bucket "basket": start a master, which creates it: not found`
	if !errors.Is(err, bus.ErrNotFound) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	settings, trees := make(chan struct{}, 100), make(chan struct{}, 100)
	for _, h := range []struct {
		bucket, key string
		to          chan struct{}
	}{{bus.BucketSettings, "p1", settings}, {bus.BucketTrees, "*", trees}} {
		if _, err := peel.Hints(h.bucket, h.key, func() { h.to <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
	}
	if err := peel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, core, bus.BucketSettings, "p1", "mine")
	put(t, core, bus.BucketTrees, "states", "pointer")
	<-settings
	<-trees
	s.Restart(t) // what changed meanwhile is for the peel to find out
	<-settings
	<-trees
}
