package enrollment

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

func TestWholeLife(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	ctx := t.Context()
	c := f.client(m, "web-01.example")
	book := &logBook{}
	c.Log = book.logger()
	alice := f.operator()
	done := start(ctx, c)

	m.awaitState(c.ID, Pending)
	if m.directory.Member(c.ID) || m.directory.Pending() != 1 {
		t.Fatal("a pending peel counts as a member, or not as pending")
	}
	r, err := alice.Show(ctx, c.ID)
	if err != nil || r.State != Pending || r.Public != c.Identity.Public() || r.Curve != c.Identity.Curve() ||
		r.Address != "127.0.0.1" || r.Facts["hostname"] != c.ID || r.Requested.IsZero() || !r.Decided.IsZero() {
		t.Fatalf("the pending record is %+v, %v", r, err)
	}
	eventually(t, "the peel says what it waits for", func() bool {
		log := book.String()
		return strings.Contains(log, "waiting for approval: run `zester enroll approve web-01.example`") &&
			strings.Contains(log, r.Fingerprint()) && strings.Contains(log, r.Public)
	})

	eventually(t, "the peel's poll waits", func() bool { return len(m.server.waiting) == 1 })
	approved := time.Now()
	outcomes, err := alice.Approve(ctx, []string{c.ID}, false)
	if err != nil || len(outcomes) != 1 || outcomes[0] != (Outcome{ID: c.ID, State: Approved}) {
		t.Fatalf("approve: %+v, %v", outcomes, err)
	}
	e := receive(t, done)
	if e.err != nil {
		t.Fatal(e.err)
	}
	if took := time.Since(approved); took > pollTime*4/5 { // as if nobody had told it
		t.Errorf("the peel heard of its approval after %s", took)
	}
	if e.creds.Name() != c.ID || e.creds.Account() != f.nats.Account.Public() || string(e.creds.Seed) != string(c.Identity.Seed()) {
		t.Fatalf("the credentials are %q's of account %s", e.creds.Name(), e.creds.Account())
	}
	m.awaitState(c.ID, Issued)
	if !m.directory.Issued(c.ID) {
		t.Error("it is not to be marked active")
	}
	if r, err = m.store.Get(ctx, c.ID); err != nil || r.DecidedBy != "alice" || r.IssuedAt.IsZero() || !r.Expires.Equal(e.creds.Expires()) {
		t.Fatalf("the issued record is %+v, %v", r, err)
	}

	conn := f.nats.Connect(t, e.creds, bus.Peels)
	if _, err := conn.Put(ctx, bus.BucketFacts, bus.Token(c.ID), []byte{0xc0}); err != nil {
		t.Fatalf("the credentials do not work: %v", err)
	}
	if r, err = m.store.MarkActive(ctx, c.ID, c.Identity.Public()); err != nil || r.State != Active {
		t.Fatalf("active: %+v, %v", r, err)
	}
	m.awaitState(c.ID, Active)
	if m.directory.Issued(c.ID) {
		t.Error("it is still to be marked active")
	}
	if id, ok := m.directory.ByPublic(c.Identity.Public()); !ok || id != c.ID {
		t.Errorf("the directory has %q for the public key", id)
	}
	if curve, ok := m.directory.Curve(c.ID); !ok || curve != c.Identity.Curve() {
		t.Errorf("the directory has curve %q", curve)
	}
	if members := m.directory.Members(); len(members) != 1 || members[0] != c.ID {
		t.Errorf("the members are %q", members)
	}

	// The peel that lost its creds file and kept its key gets new ones without an operator.
	creds, err := c.Enroll(ctx)
	if err != nil || creds.Name() != c.ID {
		t.Fatalf("enrolling again: %v", err)
	}
	if r, err = m.store.Get(ctx, c.ID); err != nil || r.State != Active {
		t.Fatalf("after that it is %s, %v", r.State, err)
	}
}

func TestRejectedPeelGivesUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	alice := f.operator()
	c := f.client(m, "web-01")
	done := start(t.Context(), c)
	m.awaitState("web-01", Pending)
	if out, err := alice.Reject(t.Context(), []string{"web-01"}, false); err != nil || out[0] != (Outcome{ID: "web-01", State: Rejected}) {
		t.Fatalf("reject: %+v, %v", out, err)
	}
	want := m.url + ": the enrollment of \"web-01\" was rejected: if that was a mistake, run `zester enroll remove web-01` and start the peel again"
	if e := receive(t, done); e.err == nil || e.err.Error() != want {
		t.Fatalf("got  %v\nwant %s", e.err, want)
	}
	if _, err := c.Enroll(t.Context()); err == nil || err.Error() != want {
		t.Fatalf("asking again: %v", err)
	}
	if _, ok := m.directory.Curve("web-01"); ok || len(m.directory.Members()) != 0 {
		t.Error("a rejected peel is a member")
	}

	if out, err := alice.Remove(t.Context(), []string{"web-01"}); err != nil || out[0] != (Outcome{ID: "web-01"}) {
		t.Fatalf("remove: %+v, %v", out, err)
	}
	done = start(t.Context(), c)
	m.awaitState("web-01", Pending)
	if _, err := alice.Approve(t.Context(), nil, true); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, done); e.err != nil {
		t.Fatal(e.err)
	}
}

func TestRemovedWhileItWaitsAsksAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	c := f.client(m, "web-01")
	done := start(t.Context(), c)
	m.awaitState("web-01", Pending)
	first := m.directory.record("web-01").Requested
	if _, err := m.store.Remove(t.Context(), "web-01"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has asked again", func() bool {
		r := m.directory.record("web-01")
		return r.State == Pending && r.Requested.After(first)
	})
	if _, err := m.store.Approve(t.Context(), "web-01", "alice"); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, done); e.err != nil {
		t.Fatal(e.err)
	}
}

func TestApprovalOnOneMasterReachesThePeelOfAnother(t *testing.T) {
	f := newFleet(t)
	one, two := f.master(), f.master()
	done := start(t.Context(), f.client(one, "web-01"))
	two.awaitState("web-01", Pending)
	if _, err := two.store.Approve(t.Context(), "web-01", "alice"); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, done); e.err != nil {
		t.Fatal(e.err)
	}
	two.awaitState("web-01", Issued)
}

func TestMasterStopsWhilePeelsWait(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := f.client(m, "web-01")
	book := &logBook{}
	c.Log = book.logger()
	done := start(ctx, c)
	m.awaitState("web-01", Pending)
	stopping := time.Now()
	m.stop()
	if took := time.Since(stopping); took >= pollTime { // as if it had waited for the peel's answer
		t.Errorf("stopping took %s", took)
	}
	eventually(t, "the peel goes on trying", func() bool { return strings.Contains(book.String(), "connection refused") })
	bored := errors.New("bored")
	cancel(bored)
	if e := receive(t, done); !errors.Is(e.err, bored) {
		t.Errorf("got %v", e.err)
	}
}

func TestDirectoryTellsOfMembers(t *testing.T) {
	f := newFleet(t)
	m := f.master()
	type change struct {
		id     string
		member bool
	}
	changes := make(chan change, 10)
	stop := m.directory.OnChange(func(id string, member bool) { changes <- change{id, member} })
	p := m.peel("db-01")
	p.enroll()
	for _, step := range []func() error{
		func() error {
			_, err := m.store.Approve(t.Context(), "db-01", "alice")
			m.awaitState("db-01", Approved) // a state that is overtaken may not be seen
			return err
		},
		func() error {
			_, err := m.store.MarkIssued(t.Context(), "db-01", p.identity.Public(), time.Time{})
			return err
		},
		func() error { _, err := m.store.Remove(t.Context(), "db-01"); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []change{{"db-01", true}, {"db-01", false}} {
		select {
		case got := <-changes:
			if got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("nobody told of %+v", want)
		}
	}
	stop()
	if _, ok := m.directory.ByPublic(p.identity.Public()); ok || m.directory.Pending() != 0 {
		t.Error("the removed peel is still known")
	}
}
