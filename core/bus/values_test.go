package bus_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func put(t testing.TB, c *bus.Conn, bucket, key, value string) uint64 {
	t.Helper()
	rev, err := c.Put(t.Context(), bucket, key, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// Both accounts read and write the same entries with the same calls.
func TestEntriesOnBothSides(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	for name, c := range map[string]*bus.Conn{"core": core, "peel": peel} {
		t.Run(name, func(t *testing.T) {
			ctx, key := t.Context(), "p1."+name
			if _, err := c.Get(ctx, bus.BucketBasket, key); !errors.Is(err, bus.ErrNotFound) || err.Error() != "basket "+key+": not found" {
				t.Errorf("before: %v", err)
			}
			rev, err := c.Create(ctx, bus.BucketBasket, key, []byte("one"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Create(ctx, bus.BucketBasket, key, []byte("two")); !errors.Is(err, bus.ErrExists) {
				t.Errorf("created twice: %v", err)
			}
			next, err := c.Update(ctx, bus.BucketBasket, key, []byte("two"), rev)
			if err != nil || next <= rev {
				t.Errorf("revision %d after %d, %v", next, rev, err)
			}
			if _, err := c.Update(ctx, bus.BucketBasket, key, []byte("three"), rev); !errors.Is(err, bus.ErrConflict) {
				t.Errorf("updated an old revision: %v", err)
			}
			e, err := c.Get(ctx, bus.BucketBasket, key)
			if err != nil || e.Bucket != bus.BucketBasket || e.Key != key || string(e.Value) != "two" || e.Revision != next || e.Deleted {
				t.Errorf("got %+v, %v", e, err)
			}
			if age := time.Since(e.Created); age < -time.Second || age > time.Minute {
				t.Errorf("created %s ago", age)
			}
			for range 2 {
				if err := c.Delete(ctx, bus.BucketBasket, key); err != nil {
					t.Error(err)
				}
			}
			if _, err := c.Get(ctx, bus.BucketBasket, key); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("after delete: %v", err)
			}
			if _, err := c.Create(ctx, bus.BucketBasket, key, nil); err != nil {
				t.Errorf("create after delete: %v", err)
			}
			if e, err := c.Get(ctx, bus.BucketBasket, key); err != nil || len(e.Value) != 0 {
				t.Errorf("an empty value: %+v, %v", e, err)
			}
			if _, err := c.Put(ctx, bus.BucketBasket, key, make([]byte, 65<<10)); !errors.Is(err, bus.ErrTooLarge) {
				t.Errorf("over the bucket's limit: %v", err)
			}
			if _, err := c.Put(ctx, bus.BucketBasket, key, make([]byte, 2<<20)); !errors.Is(err, bus.ErrTooLarge) {
				t.Errorf("over the server's limit: %v", err)
			}
		})
	}
	put(t, core, bus.BucketSettings, "p1", "sealed")
	put(t, core, bus.BucketTrees, "states", "pointer")
	for bucket, key := range map[string]string{bus.BucketSettings: "p1", bus.BucketTrees: "states"} {
		if _, err := peel.Get(t.Context(), bucket, key); err != nil {
			t.Error(err)
		}
	}
	put(t, peel, bus.BucketFacts, "p1", "facts")
}

// One call reads more entries than one request of the server's may name, exactly those that match.
func TestGetMany(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	ctx := t.Context()
	const n = 1700
	var exact []string
	var all sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range n {
		key := fmt.Sprintf("peel%04d.ip", i)
		exact = append(exact, key)
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if _, err := core.Put(ctx, bus.BucketBasket, key, []byte(key)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	put(t, core, bus.BucketBasket, "peel0007.disk.root", "x")
	put(t, core, bus.BucketBasket, "gone.ip", "x")
	if err := core.Delete(ctx, bus.BucketBasket, "gone.ip"); err != nil {
		t.Fatal(err)
	}
	put(t, core, bus.BucketBasket, exact[3], "again")
	for name, c := range map[string]*bus.Conn{"core": core, "peel": peel} {
		for _, tt := range []struct {
			name     string
			patterns []string
			want     []string
		}{
			{"exact", append(slices.Clone(exact), "nobody.ip", "gone.ip"), exact},
			{"one function of all", []string{"*.ip"}, exact},
			{"all of one", []string{"peel0007.>"}, []string{"peel0007.disk.root", "peel0007.ip"}},
			{"overlapping", []string{"peel0007.ip", "peel0007.*", "*.disk.root"}, []string{"peel0007.disk.root", "peel0007.ip"}},
			{"everything", []string{">"}, slices.Sorted(slices.Values(append(slices.Clone(exact), "peel0007.disk.root")))},
			{"none", []string{"nobody.*", "nobody.ip"}, nil},
			{"no question", nil, nil},
		} {
			got, err := c.GetMany(ctx, bus.BucketBasket, tt.patterns...)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, tt.name, err)
			}
			var keys []string
			for _, e := range got {
				keys = append(keys, e.Key)
				if e.Key == exact[3] && string(e.Value) != "again" {
					t.Errorf("%s, %s: an old value %q", name, tt.name, e.Value)
				}
			}
			if !slices.Equal(keys, tt.want) {
				t.Errorf("%s, %s: %d keys instead of %d", name, tt.name, len(keys), len(tt.want))
			}
		}
	}
}

func TestStoreFirstWins(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	ctx := t.Context()
	heard := make(chan bus.Msg, 10)
	if _, err := core.Subscribe(bus.Returns("j1"), func(m bus.Msg) { heard <- m }); err != nil {
		t.Fatal(err)
	}
	if err := core.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := peel.Store(ctx, bus.Return("j1", "p1"), []byte("first")); err != nil {
		t.Fatal(err)
	}
	err := peel.Store(ctx, bus.Return("j1", "p1"), []byte("second"))
	if !errors.Is(err, bus.ErrStored) || err.Error() != "zester.job.j1.return.p1: stored already" {
		t.Errorf("second: %v", err)
	}
	if err := peel.Store(ctx, bus.Return("j2", "p1"), []byte("other")); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"first", "second"} { // a listener hears both: the stream decides
		if m := <-heard; string(m.Data) != want {
			t.Errorf("heard %q", m.Data)
		}
	}
	var got []string
	err = core.StreamMessages(ctx, bus.StreamReturns, bus.Returns("j1"), func(subject string, data []byte, stored time.Time) error {
		got = append(got, subject+"="+string(data))
		if time.Since(stored) > time.Minute {
			t.Errorf("stored at %s", stored)
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"zester.job.j1.return.p1=first"}) {
		t.Errorf("got %v, %v", got, err)
	}
	subjects, err := core.StreamSubjects(ctx, bus.StreamReturns, bus.Returns("*"))
	if err != nil || !maps.Equal(subjects, map[string]uint64{"zester.job.j1.return.p1": 1, "zester.job.j2.return.p1": 1}) {
		t.Errorf("got %v, %v", subjects, err)
	}
	stop := errors.New("enough")
	if err := core.StreamMessages(ctx, bus.StreamReturns, ">", func(string, []byte, time.Time) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// A stream of more messages than one batch holds is read to its end, in order.
func TestStreamMessagesInBatches(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core := s.Core(t)
	const n = 12_000
	for i := range n {
		if err := core.Publish(bus.Return("big", fmt.Sprintf("p%05d", i)), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := core.Store(t.Context(), bus.Return("big", "last"), nil); err != nil {
		t.Fatal(err)
	}
	count := 0
	err := core.StreamMessages(t.Context(), bus.StreamReturns, bus.Returns("big"), func(subject string, _ []byte, _ time.Time) error {
		want := bus.Return("big", fmt.Sprintf("p%05d", count))
		if count == n {
			want = bus.Return("big", "last")
		}
		if subject != want {
			return fmt.Errorf("%s instead of %s", subject, want)
		}
		count++
		return nil
	})
	if err != nil || count != n+1 {
		t.Errorf("%d messages, %v", count, err)
	}
}

func TestValuesExpire(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	eventually(t, func() bool { // a machine that stands still between the two sees nothing of it
		if _, err := peel.PutTTL(t.Context(), bus.BucketBasket, "p1.short", []byte("x"), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		_, err := peel.Get(t.Context(), bus.BucketBasket, "p1.short")
		return err == nil
	})
	eventually(t, func() bool {
		_, err := core.Get(t.Context(), bus.BucketBasket, "p1.short")
		return errors.Is(err, bus.ErrNotFound)
	})
	if _, err := peel.Create(t.Context(), bus.BucketBasket, "p1.short", nil); err != nil {
		t.Errorf("create after it expired: %v", err)
	}
	if _, err := core.PutTTL(t.Context(), bus.BucketTrees, "x", nil, time.Second); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a bucket without expiry: %v", err)
	}
}

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// eventually waits for a condition.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it has not happened in %s", patience)
		}
	}
}
