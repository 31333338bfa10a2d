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

func storeAsync(t *testing.T, c *bus.Conn, subject string, data []byte, timeout time.Duration) error {
	t.Helper()
	done := make(chan error, 1)
	if err := c.StoreAsync(subject, data, timeout, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

// What came of a message is told in the same words whether its sender waited for it or not.
func TestStoreAsync(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "p1")
	subject := bus.Return("j1", "p1")
	if err := storeAsync(t, peel, subject, []byte("one"), patience); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		conn    *bus.Conn
		subject string
		size    int
		is      error
	}{
		"the first stays": {peel, subject, 3, bus.ErrStored},
		"not its own":     {peel, bus.Return("j1", "p2"), 3, bus.ErrPermission},
		"max_payload":     {peel, bus.Return("j2", "p1"), 2 << 20, bus.ErrTooLarge},
		"no stream":       {core, "zester.nowhere", 3, bus.ErrNoResponders},
		"a bucket's":      {core, bus.ValueSubject(bus.BucketLeases, "x"), 2 << 10, bus.ErrTooLarge},
	} {
		async := storeAsync(t, c.conn, c.subject, make([]byte, c.size), patience)
		sync := c.conn.Store(t.Context(), c.subject, make([]byte, c.size))
		if !errors.Is(async, c.is) || !errors.Is(sync, c.is) || async != nil && async.Error() != sync.Error() {
			t.Errorf("%s: %v\nwaited for: %v", name, async, sync)
		}
	}
	got, err := core.StreamSubjects(t.Context(), bus.StreamReturns, bus.Returns("*"))
	if err != nil || len(got) != 1 || got[subject] != 1 {
		t.Errorf("stored are %v: %v", got, err)
	}
}

// Each of many gets its own answer.
func TestStoreAsyncMany(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	s.Core(t)
	peel := s.Peel(t, "p1")
	var all sync.WaitGroup
	for i := range 500 {
		all.Add(1)
		jid := []string{"j1", "j2"}[i%2]
		if i > 1 && i%2 == 0 {
			jid += string(rune('a'+i/2%26)) + string(rune('a'+i/52))
		}
		err := peel.StoreAsync(bus.Return(jid, "p1"), nil, patience, func(err error) {
			defer all.Done()
			if again := i > 1 && i%2 == 1; again != errors.Is(err, bus.ErrStored) || !again && err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
}

// An answer that never comes is an error in the end, and no message waits for that of another.
func TestStoreAsyncWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	s.Core(t)
	peel := s.Peel(t, "p1")
	s.Stop()
	errs := make(chan error, 2)
	for _, timeout := range []time.Duration{300 * time.Millisecond, 10 * time.Millisecond} {
		if err := peel.StoreAsync(bus.Return("j1", "p1"), nil, timeout, func(err error) { errs <- err }); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) || err.Error() != "zester.job.j1.return.p1: no answer in time: context deadline exceeded" {
			t.Errorf("got %v", err)
		}
	}
}
