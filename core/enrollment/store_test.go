package enrollment

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func request(t *testing.T, id string) Record {
	i := identity(t)
	return Record{ID: id, Public: i.Public(), Curve: i.Curve(), Address: "192.0.2.1", Facts: map[string]string{"os": "debian"}}
}

func TestStepsAndStates(t *testing.T) {
	t.Parallel()
	conn := server.StartTest(t).Core(t)
	s := NewStore(conn, nil)
	ctx := t.Context()
	// reach makes a fresh record in a state.
	reach := func(t *testing.T, id string, state State) Record {
		t.Helper()
		r, created, err := s.Submit(ctx, request(t, id))
		if err != nil || !created {
			t.Fatal(created, err)
		}
		path := map[State][]State{Approved: {Approved}, Rejected: {Rejected}, Issued: {Approved, Issued}, Active: {Approved, Issued, Active}}
		for _, to := range path[state] {
			switch to {
			case Approved:
				r, err = s.Approve(ctx, id, "alice")
			case Rejected:
				r, err = s.Reject(ctx, id, "alice")
			case Issued:
				r, err = s.MarkIssued(ctx, id, r.Public, time.Time{})
			case Active:
				r, err = s.MarkActive(ctx, id, r.Public)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if r.State != state {
			t.Fatalf("reached %s", r.State)
		}
		return r
	}
	cases := []struct {
		step step
		from State
		to   State
		err  string // %s is the id
	}{
		{approve, Pending, Approved, ""},
		{approve, Approved, "", "peel %q is approved already, approved by alice"},
		{approve, Rejected, "", "peel %q was rejected by alice: to let it ask again, run `zester enroll remove %[2]s`"},
		{approve, Issued, "", "peel %q is issued already, approved by alice"},
		{approve, Active, "", "peel %q is active already, approved by alice"},
		{reject, Pending, Rejected, ""},
		{reject, Approved, Rejected, ""},
		{reject, Rejected, "", "peel %q is rejected already, by alice"},
		{reject, Issued, "", "peel %q is issued and has its credentials: to drop it from the fleet, run `zester enroll remove %[2]s`"},
		{reject, Active, "", "peel %q is active and has its credentials: to drop it from the fleet, run `zester enroll remove %[2]s`"},
		{issue, Pending, "", "peel %q is pending: credentials cannot be issued or used"},
		{issue, Approved, Issued, ""},
		{issue, Rejected, "", "peel %q is rejected: credentials cannot be issued or used"},
		{issue, Issued, Issued, ""},
		{issue, Active, Active, ""},
		{activate, Pending, "", "peel %q is pending: credentials cannot be issued or used"},
		{activate, Approved, "", "peel %q is approved: credentials cannot be issued or used"},
		{activate, Rejected, "", "peel %q is rejected: credentials cannot be issued or used"},
		{activate, Issued, Active, ""},
		{activate, Active, Active, ""},
	}
	for _, c := range cases {
		id := fmt.Sprintf("p-%d-%s", c.step, c.from)
		t.Run(id, func(t *testing.T) {
			before := reach(t, id, c.from)
			var err error
			switch c.step {
			case approve:
				_, err = s.Approve(ctx, id, "bob")
			case reject:
				_, err = s.Reject(ctx, id, "bob")
			case issue:
				_, err = s.MarkIssued(ctx, id, before.Public, time.Time{})
			case activate:
				_, err = s.MarkActive(ctx, id, before.Public)
			}
			after, getErr := s.Get(ctx, id)
			if getErr != nil {
				t.Fatal(getErr)
			}
			if c.err == "" {
				if err != nil || after.State != c.to {
					t.Errorf("it is %s, %v", after.State, err)
				}
				return
			}
			want := fmt.Sprintf(c.err+"%.0[2]s", id, id)
			var state *StateError
			if !errors.As(err, &state) || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if !reflect.DeepEqual(after, before) {
				t.Errorf("it was %+v and is %+v", before, after)
			}
		})
	}
}

func TestAnotherKeyIsNotMarked(t *testing.T) {
	s := NewStore(server.StartTest(t).Core(t), nil)
	r, _, err := s.Submit(t.Context(), request(t, "web-01"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(t.Context(), r.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	other := identity(t).Public()
	var key *KeyError
	if _, err := s.MarkIssued(t.Context(), r.ID, other, time.Time{}); !errors.As(err, &key) {
		t.Errorf("issued: %v", err)
	}
	if _, err := s.MarkActive(t.Context(), r.ID, other); !errors.As(err, &key) {
		t.Errorf("active: %v", err)
	}
	if _, err := s.MarkActive(t.Context(), "web-02", other); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

func TestSubmitAgain(t *testing.T) {
	s := NewStore(server.StartTest(t).Core(t), nil)
	ctx := t.Context()
	q := request(t, "web-01")
	first, created, err := s.Submit(ctx, q)
	if err != nil || !created {
		t.Fatal(created, err)
	}
	again, created, err := s.Submit(ctx, q)
	if err != nil || created || !reflect.DeepEqual(again, first) {
		t.Errorf("the same again: %+v %v %v", again, created, err)
	}
	for _, change := range []func(*Record){
		func(r *Record) { r.Public = identity(t).Public() },
		func(r *Record) { r.Curve = identity(t).Curve() },
	} {
		other := q
		change(&other)
		var key *KeyError
		if _, _, err := s.Submit(ctx, other); !errors.As(err, &key) {
			t.Errorf("another key: %v", err)
		}
	}
	if _, err := s.Remove(ctx, "web-01"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(ctx, "web-01"); !errors.Is(err, ErrUnknown) || err.Error() != `peel "web-01": not enrolled` {
		t.Errorf("removing twice: %v", err)
	}
	if _, created, err := s.Submit(ctx, request(t, "web-01")); err != nil || !created {
		t.Errorf("another key after the removal: %v %v", created, err)
	}
}

func TestMastersRace(t *testing.T) {
	t.Parallel()
	srv := server.StartTest(t)
	stores := []*Store{NewStore(srv.Core(t), nil), NewStore(srv.Core(t), nil)}
	ctx := t.Context()
	for round := range 20 {
		id := fmt.Sprintf("web-%02d", round)
		if _, _, err := stores[0].Submit(ctx, request(t, id)); err != nil {
			t.Fatal(err)
		}
		won := make(chan string, 8)
		var all sync.WaitGroup
		for i := range 8 {
			operator := fmt.Sprintf("op-%d", i)
			all.Go(func() {
				decide := stores[i%2].Approve
				if i%4 > 1 {
					decide = stores[i%2].Reject
				}
				_, err := decide(ctx, id, operator)
				var state *StateError
				switch {
				case err == nil:
					won <- operator
				case !errors.As(err, &state):
					t.Errorf("%s: %v", operator, err)
				}
			})
		}
		all.Wait()
		close(won)
		var winners []string
		for w := range won {
			winners = append(winners, w)
		}
		// An approval may be followed by a rejection; otherwise there is one decision.
		r, err := stores[1].Get(ctx, id)
		if err != nil || len(winners) == 0 || len(winners) > 2 || len(winners) == 2 && r.State != Rejected {
			t.Errorf("%s: decided by %q, is %s, %v", id, winners, r.State, err)
		}
		found := false
		for _, w := range winners {
			found = found || w == r.DecidedBy
		}
		if !found {
			t.Errorf("%s was decided by %q, and the record says %q", id, winners, r.DecidedBy)
		}
	}
}

func TestUnreadableRecords(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	for key, value := range map[string][]byte{"web-01": []byte("garbage"), "web-02": nil} {
		if value == nil { // a record that lies under another's key
			r := request(t, "web-99")
			r.State = Active
			var err error
			if value, err = bus.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.conn.Put(t.Context(), bus.BucketEnrollments, key, value); err != nil {
			t.Fatal(err)
		}
	}
	m.peel("web-03").enroll()
	if _, err := m.store.Get(t.Context(), "web-02"); err == nil || err.Error() != `bucket enrollments: entry "web-02" is damaged: it holds the record of "web-99"` {
		t.Errorf("got %v", err)
	}
	if members := m.directory.Members(); len(members) != 0 {
		t.Errorf("members: %q", members)
	}
	// They are in nobody's way, and can be removed and replaced.
	alice := f.operator()
	if list, err := alice.List(t.Context(), ""); err != nil || len(list) != 1 || list[0].ID != "web-03" {
		t.Errorf("list: %+v, %v", list, err)
	}
	for _, id := range []string{"web-01", "web-02"} {
		if out, err := alice.Remove(t.Context(), []string{id}); err != nil || out[0] != (Outcome{ID: id}) {
			t.Errorf("remove %s: %+v, %v", id, out, err)
		}
		m.peel(id).enroll()
	}
}
