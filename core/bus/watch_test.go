package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
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
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
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

// A watch that is asked for while the server is away for some seconds begins when it is back.
func TestWatchBeginsLate(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core := s.Core(t)
	put(t, core, bus.BucketBasket, "p1.ip", "1")
	s.Stop()
	type result struct {
		w    *bus.Watcher
		err  error
		took time.Duration
	}
	began := make(chan result, 1)
	go func() {
		start := time.Now()
		w, err := core.Watch(t.Context(), bus.BucketBasket, ">")
		began <- result{w, err, time.Since(start)}
	}()
	for range 2 { // two seconds each
		if _, err := core.ServerTime(t.Context()); err == nil {
			t.Fatal("the server is there")
		}
	}
	s.Start(t)
	r := <-began
	switch {
	case r.err == nil:
		expect(t, r.w, "p1.ip=1", ".")
	case r.took < 10*time.Second || !errors.Is(r.err, context.DeadlineExceeded): // on a busy machine the server may be away for longer
		t.Errorf("after %s: %v", r.took, r.err)
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

// A bucket that was lost and made anew starts its revisions over: a watch gives what is there
// now, and what is gone as deleted.
func TestWatchOfAReplacedBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := server.StartTest(t, func(o *server.Options) { o.Dir = dir })
	core := s.Core(t)
	for _, key := range []string{"p1.ip", "p2.ip", "p3.ip"} {
		put(t, core, bus.BucketBasket, key, "old")
	}
	w, err := core.Watch(t.Context(), bus.BucketBasket, ">")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, w, "p1.ip=old", "p2.ip=old", "p3.ip=old", ".")
	s.Stop()
	wipe(t, dir)
	s.Start(t)
	eventually(t, func() bool { return core.Setup(t.Context(), 1) == nil })
	put(t, core, bus.BucketBasket, "p2.ip", "new")
	got := map[string]string{}
	for len(got) < 3 {
		e := <-w.Entries()
		if e.Key == "" {
			t.Fatal("the end of the initial values is told twice")
		}
		got[e.Key] = string(e.Value)
		if e.Deleted {
			got[e.Key] = "gone"
		}
		if len(got) == 2 && got["p2.ip"] == "" { // read before the new value was there
			delete(got, "p2.ip")
		}
	}
	if got["p1.ip"] != "gone" || got["p3.ip"] != "gone" || got["p2.ip"] != "new" && got["p2.ip"] != "gone" {
		t.Errorf("got %v", got)
	}
	put(t, core, bus.BucketBasket, "p1.ip", "back")
	for e := range w.Entries() {
		if e.Key == "p1.ip" && string(e.Value) == "back" {
			break
		}
	}
}

// wipe empties a stopped server's store, as a lost disk would.
func wipe(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
}

// A work queue that was lost is taken from again once it is there.
func TestWorkAfterALoss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := server.StartTest(t, func(o *server.Options) { o.Dir = dir })
	core, alice := s.Core(t), s.Operator(t, "alice")
	took := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		q := bus.Queue{Stream: bus.StreamSubmissions, Durable: "masters", AckWait: patience / 6, Workers: 2}
		ended <- core.Work(ctx, q, func(_ context.Context, w bus.Work) { w.Done(); took <- string(w.Data) })
	}()
	submit := func(id string) {
		t.Helper()
		eventually(t, func() bool { return alice.StoreOnce(t.Context(), bus.Submit("alice"), id, []byte(id)) == nil })
		for <-took != id { // what was done may come again, if this machine stands still for AckWait
		}
	}
	submit("j1")
	s.Stop()
	wipe(t, dir)
	s.Start(t)
	eventually(t, func() bool { return core.Setup(t.Context(), 1) == nil })
	submit("j2")
	if err := core.Purge(t.Context(), "no-such", ">"); err == nil {
		t.Error("purged what is not there")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Purge makes room, which Delete does not.
func TestPurge(t *testing.T) {
	s := server.StartTest(t)
	core := s.Core(t)
	for _, key := range []string{"p1.a", "p1.b", "p2.a"} {
		put(t, core, bus.BucketBasket, key, strings.Repeat("x", 1000))
	}
	before, err := core.Usage(t.Context(), bus.BucketBasket)
	if err != nil || before.Bytes < 3000 || before.Limit != 256<<20 || before.Revision != 3 {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := core.Purge(t.Context(), bus.BucketBasket, "p1.>"); err != nil {
		t.Fatal(err)
	}
	after, err := core.Usage(t.Context(), bus.BucketBasket)
	if err != nil || after.Bytes > before.Bytes/2 {
		t.Errorf("%+v, %v", after, err)
	}
	if left, err := core.GetMany(t.Context(), bus.BucketBasket, ">"); err != nil || len(left) != 1 || left[0].Key != "p2.a" {
		t.Errorf("%v, %v", left, err)
	}
}
