package enrollment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// submit puts pending records there without the HTTPS API.
func (m *master) submit(ids ...string) {
	m.f.t.Helper()
	for _, id := range ids {
		if _, _, err := m.store.Submit(m.f.t.Context(), request(m.f.t, id)); err != nil {
			m.f.t.Fatal(err)
		}
	}
	eventually(m.f.t, "the directory knows all", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return m.directory.record(id).State == "" })
	})
}

func describe(outcomes []Outcome) string {
	var b strings.Builder
	for _, o := range outcomes {
		fmt.Fprintf(&b, "%s: %s%s%s\n", o.ID, o.State, o.Note, o.Error)
	}
	return b.String()
}

func TestOrders(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	m.submit("web-01", "web-02", "web-03", "db-01", "db-02", "lb-01")
	alice := f.operator()
	ctx := t.Context()
	approve := func(patterns ...string) func() ([]Outcome, error) {
		return func() ([]Outcome, error) { return alice.Approve(ctx, patterns, false) }
	}
	reject := func(patterns ...string) func() ([]Outcome, error) {
		return func() ([]Outcome, error) { return alice.Reject(ctx, patterns, false) }
	}
	remove := func(patterns ...string) func() ([]Outcome, error) {
		return func() ([]Outcome, error) { return alice.Remove(ctx, patterns) }
	}
	steps := []struct {
		name string
		do   func() ([]Outcome, error)
		want string
		err  string
	}{
		{"by id", approve("web-01"), "web-01: approved\n", ""},
		{"again", approve("web-01"), "web-01: peel \"web-01\" is approved already, approved by alice\n", ""},
		{"some of it right", approve("db-01", "web-1", "nothing-like-it"), "db-01: approved\nnothing-like-it: no peel \"nothing-like-it\" has asked to enroll\nweb-1: no peel \"web-1\" has asked to enroll (did you mean \"web-01\"?)\n", ""},
		{"by glob, pending ones only", approve("web-*"), "web-02: approved\nweb-03: approved\n", ""},
		{"glob without a match", approve("web-*", "lb-0[!1]"), "web-*: no pending peel matches \"web-*\"\nlb-0[!1]: no pending peel matches \"lb-0[!1]\"\n", ""},
		{"reject by glob", reject("*-02"), "db-02: rejected\n", ""},
		{"reject what is approved", reject("web-03"), "web-03: rejected\n", ""},
		{"approve what is rejected", approve("db-02"), "db-02: peel \"db-02\" was rejected by alice: to let it ask again, run `zester enroll remove db-02`\n", ""},
		{"all that are left", func() ([]Outcome, error) { return alice.Approve(ctx, nil, true) }, "lb-01: approved\n", ""},
		{"all of none", func() ([]Outcome, error) { return alice.Reject(ctx, nil, true) }, "", ""},
		{"remove by glob spares members", remove("*"), "db-02: \nweb-03: \n", ""},
		{"remove by glob nobody", remove("*"), "*: no pending or rejected peel matches \"*\"\n", ""},
		{"remove a member", remove("web-02"), "web-02: \n", ""},
		{"nothing named", approve(), "", "name peels, a pattern, or --all"},
		{"by fact", approve("os:debian"), "", `pattern "os:debian": peels that enroll are matched by id: use ids, globs, E@ or L@`},
		{"broken pattern", approve("web-[0"), "", `target "web-[0": character 5: `},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			outcomes, err := s.do()
			if s.err == "" && err != nil || s.err != "" && (err == nil || !strings.HasPrefix(err.Error(), s.err)) {
				t.Fatalf("got error %v, want %q", err, s.err)
			}
			if got := describe(outcomes); got != s.want {
				t.Errorf("got\n%swant\n%s", got, s.want)
			}
			for _, o := range outcomes { // the next step chooses by what the directory knows
				if o.Error == "" {
					m.awaitState(o.ID, o.State)
				}
			}
		})
	}
	list, err := alice.List(ctx, "*-01")
	if err != nil || len(list) != 3 || list[0].ID != "db-01" || list[2].ID != "web-01" || list[0].DecidedBy != "alice" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if _, err := alice.List(ctx, "mail-*"); err == nil || err.Error() != `no enrollment matches "mail-*"` {
		t.Errorf("list of none: %v", err)
	}
	if _, err := alice.Show(ctx, "web-10"); err == nil || err.Error() != `no peel "web-10" has asked to enroll (did you mean "web-01"?)` {
		t.Errorf("show: %v", err)
	}
}

func TestRemovedMemberKeepsItsCredentials(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	m.submit("web-01", "web-02")
	alice := f.operator()
	ctx := t.Context()
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var publics []string
	for id, expires := range map[string]time.Time{"web-01": until, "web-02": {}} {
		r, err := m.store.Approve(ctx, id, "alice")
		if err == nil {
			_, err = m.store.MarkIssued(ctx, id, r.Public, expires)
		}
		if err != nil {
			t.Fatal(err)
		}
		publics = append(publics, id+" "+r.Public)
	}
	slices.Sort(publics)
	out, err := alice.Remove(ctx, []string{"web-01", "web-02"})
	want := fmt.Sprintf("web-01: the credentials it has stay valid until 2030-01-02T03:04:05Z: revoke user %s in the NATS account to cut it off now\n"+
		"web-02: the credentials it has stay valid for ever: revoke user %s in the NATS account to cut it off now\n", publics[0][7:], publics[1][7:])
	if err != nil || describe(out) != want {
		t.Errorf("got\n%s%v\nwant\n%s", describe(out), err, want)
	}
	eventually(t, "it is no member", func() bool { return !m.directory.Member("web-01") })
}

// More records than one answer holds, with the largest facts there can be.
func TestOrdersInPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	keys := identity(t)
	const n = 2*page + 7
	for i := range n {
		r := Record{ID: fmt.Sprintf("%0126d-x", i), Public: keys.Public(), Curve: keys.Curve(), Address: "2001:db8::1", Facts: map[string]string{}}
		for j := range 4 {
			r.Facts[fmt.Sprint(j)] = strings.Repeat("é", 127)
		}
		if _, _, err := m.store.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the directory knows all", func() bool { return m.directory.Pending() == n })
	alice := f.operator()
	list, err := alice.List(t.Context(), "")
	if err != nil || len(list) != n || !slices.IsSortedFunc(list, func(a, b Record) int { return strings.Compare(a.ID, b.ID) }) {
		t.Fatalf("%d of %d, %v", len(list), n, err)
	}
	// A pattern whose matches are all on the first page is no error on the second.
	out, err := alice.Approve(t.Context(), []string{"*", strings.Repeat("0", 125) + "[0-9]-?"}, false)
	if err != nil || len(out) != n || slices.ContainsFunc(out, func(o Outcome) bool { return o.State != Approved }) {
		t.Fatalf("%d of %d, %v\n%.500s", len(out), n, err, describe(out))
	}
}

func TestNoMasterAnswers(t *testing.T) {
	f := newFleet(t)
	f.nats.Core(t)
	alice := Orders{Conn: f.nats.Operator(t, "alice")}
	_, err := alice.List(t.Context(), "")
	if !errors.Is(err, bus.ErrNoResponders) || err.Error() != "no master answers on this bus: start one with `zester master`, or check --nats-url" {
		t.Errorf("got %v", err)
	}
}

func TestOperatorSpeaksForItselfOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	m.submit("web-01")
	f.operator()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	mallory := Orders{Conn: f.nats.Operator(t, "mallory"), Operator: "alice"}
	if _, err := mallory.Approve(ctx, []string{"web-01"}, false); !errors.Is(err, bus.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if r, err := m.store.Get(t.Context(), "web-01"); err != nil || r.State != Pending {
		t.Errorf("web-01 is %s, %v", r.State, err)
	}
}
