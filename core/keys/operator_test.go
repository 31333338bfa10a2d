package keys_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ptorbus/zester/core/bus"
)

// The rights of an operator suffice for what the client does.
func TestOperatorWorks(t *testing.T) {
	s, core := fleet(t)
	alice := s.Operator(t, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, bucket := range []string{bus.BucketBasket, bus.BucketFacts, bus.BucketJobs, bus.BucketEnrollments} {
		w, err := alice.Watch(ctx, bucket, ">")
		if err != nil {
			t.Fatal(err)
		}
		if e := <-w.Entries(); e.Key == "" {
			t.Errorf("%s: nothing watched", bucket)
		}
		w.Stop()
	}
	if got, err := alice.GetMany(ctx, bus.BucketBasket, "*.ip"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if err := alice.Delete(ctx, bus.BucketBasket, "p1.ip"); err != nil {
		t.Error(err)
	}
	if err := alice.StoreOnce(ctx, bus.Submit("alice"), "j9", []byte("job")); err != nil {
		t.Error(err)
	}
	if _, err := alice.Request(ctx, bus.PresenceList, []byte("{}")); err != nil {
		t.Error(err)
	}
	if _, err := alice.StreamSubjects(ctx, bus.StreamReturns, ">"); err != nil {
		t.Error(err)
	}
	for _, subject := range []string{bus.Submit("bob"), bus.Order("bob", "x"), bus.Command("p1"), bus.Return("j", "p1"), bus.ValueSubject(bus.BucketSettings, "p1")} {
		if err := alice.Store(ctx, subject, nil); !errors.Is(err, bus.ErrPermission) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if _, err := core.Get(ctx, bus.BucketBasket, "p1.ip"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
}
