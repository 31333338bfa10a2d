package enrollment

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":   "2001:db8:1:2::/64",
		"fe80::1%eth0":           "fe80::/64",
		"":                       "",
		"a name that resolved":   "a name that resolved",
		"2001:db8:1:3:3:4:5:6":   "2001:db8:1:3::/64",
		"2001:0db8:0001:0003::1": "2001:db8:1:3::/64",
	} {
		if got := network(address); got != want {
			t.Errorf("%q counts as %q, not %q", address, got, want)
		}
	}
}

func TestLimiter(t *testing.T) {
	l := newLimiter(2, 3, 2)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	spend := func(address string) (passed int) {
		for range 10 {
			if _, ok := l.allow(address, now); ok {
				passed++
			}
		}
		return passed
	}
	if n := spend("192.0.2.1"); n != 3 {
		t.Errorf("a burst of %d", n)
	}
	if wait, ok := l.allow("192.0.2.1", now); ok || wait != 500*time.Millisecond {
		t.Errorf("the next one in %s", wait)
	}
	now = now.Add(time.Second)
	if n := spend("192.0.2.1"); n != 2 {
		t.Errorf("%d in a second", n)
	}
	if n := spend("2001:db8::1") + spend("2001:db8::2"); n != 3 {
		t.Errorf("a burst of %d from one /64", n)
	}
	// The table holds two: a third pushes out the one not seen for longest.
	spend("192.0.2.1")
	spend("192.0.2.3")
	if len(l.bucket) != 2 || l.recent.Len() != 2 {
		t.Errorf("the table holds %d", len(l.bucket))
	}
	if n := spend("192.0.2.1"); n != 0 {
		t.Errorf("the address that asked last was forgotten: %d", n)
	}
	if n := spend("2001:db8::1"); n != 3 {
		t.Errorf("the address that was quiet was not: %d", n)
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	now := time.Now()
	m := f.master(func(o *ServerOptions) {
		o.Limits = Limits{Rate: 0.1, Burst: 2}
		o.Clock = func() time.Time { return now }
	})
	p := m.peel("web-01")
	p.nonce()
	p.nonce()
	challenge := challengeRequest{ID: "web-01", Public: p.identity.Public()}
	if status, reply := p.post(pathChallenge, challenge); status != http.StatusTooManyRequests || reply != `{"error":"too many challenges for this address: wait and try again"}` {
		t.Errorf("got %d %s", status, reply)
	}
	for range 5 {
		p.post(pathEnroll, []byte("{}"))
	}
	res, err := p.http.Post(m.url+pathEnroll, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "3" {
		t.Errorf("got %s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
	}
	if _, reply := p.post(pathEnroll, []byte("{}")); reply != `{"error":"too many requests from this address: wait and try again"}` {
		t.Errorf("got %s", reply)
	}
}

// A fleet behind one address, far over its rate, gets in all the same.
func TestFleetBehindOneAddress(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master(func(o *ServerOptions) { o.Limits = Limits{Rate: 60, Burst: 20} })
	const n = 40
	var waits []<-chan enrolled
	for i := range n {
		waits = append(waits, start(t.Context(), f.client(m, fmt.Sprintf("web-%02d", i))))
	}
	eventually(t, "all have asked", func() bool { return m.directory.Pending() == n })
	if out, err := f.operator().Approve(t.Context(), nil, true); err != nil || len(out) != n {
		t.Fatalf("%d outcomes, %v", len(out), err)
	}
	for _, w := range waits {
		if e := receive(t, w); e.err != nil {
			t.Fatal(e.err)
		}
	}
}

// A peel for which there is no place to wait comes back for its answer.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master(func(o *ServerOptions) { o.Limits = Limits{Waiting: 1} })
	ids := []string{"web-01", "web-02", "web-03"}
	var waits []<-chan enrolled
	for _, id := range ids {
		waits = append(waits, start(t.Context(), f.client(m, id)))
	}
	p := m.peel("web-04")
	p.enroll()
	eventually(t, "the one place is taken", func() bool { return len(m.server.waiting) == 1 })
	if status, reply := p.post(pathCreds, p.credentials(p.nonce())); status != http.StatusAccepted || reply != `{"state":"pending"}` {
		t.Errorf("got %d %s", status, reply)
	}
	for _, id := range ids {
		m.awaitState(id, Pending)
		if _, err := m.store.Approve(t.Context(), id, "alice"); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range waits {
		if e := receive(t, w); e.err != nil {
			t.Fatal(e.err)
		}
	}
}

func TestUndecidedRecordsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master(func(o *ServerOptions) { o.Limits = Limits{Pending: 3, PendingPerAddress: 2} })
	for _, id := range []string{"web-01", "web-02"} {
		m.peel(id).enroll()
	}
	p := m.peel("web-03")
	status, reply := p.post(pathEnroll, p.enrollment(p.nonce()))
	want := "{\"error\":\"2 enrollments from this address wait for a decision, which is the limit: run `zester enroll approve` or `zester enroll reject`\"}"
	if status != http.StatusServiceUnavailable || reply != want {
		t.Errorf("got %d %s", status, reply)
	}
	m.submit("elsewhere") // from another address
	want = "{\"error\":\"3 enrollments wait for a decision, which is the limit: run `zester enroll approve` or `zester enroll reject`\"}"
	if status, reply = p.post(pathEnroll, p.enrollment(p.nonce())); status != http.StatusServiceUnavailable || reply != want {
		t.Errorf("got %d %s", status, reply)
	}
	if _, err := m.store.Approve(t.Context(), "web-01", "alice"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is room again", func() bool { return m.directory.Pending() == 2 })
	p.enroll()
}

func TestChallengesAreBounded(t *testing.T) {
	f := newFleet(t)
	now := time.Now()
	m := f.master(func(o *ServerOptions) {
		o.Limits = Limits{Challenges: 1}
		o.Clock = func() time.Time { return now }
	})
	p := m.peel("web-01")
	for range 10 {
		p.nonce()
	}
	status, reply := p.post(pathChallenge, challengeRequest{ID: p.id, Public: p.identity.Public()})
	if status != http.StatusTooManyRequests || reply != `{"error":"too many peels are enrolling at once: wait and try again"}` {
		t.Errorf("got %d %s", status, reply)
	}
}

func TestNoncesAreNotToBeRead(t *testing.T) {
	f := newFleet(t)
	m := f.master()
	nonce := m.peel("web-01").nonce()
	entries, err := m.conn.GetMany(t.Context(), bus.BucketChallenges, ">")
	if err != nil || len(entries) != 1 || strings.Contains(entries[0].Key+string(entries[0].Value), nonce) {
		t.Errorf("the bucket holds %+v, %v", entries, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &limitedListener{Listener: tcp, open: map[string]int{}}
	defer l.Close()
	for i := range maxConns {
		if !l.enter(fmt.Sprint(i)) {
			t.Fatalf("connection %d is one too many", i)
		}
	}
	if l.enter("another") {
		t.Error("there is no limit in all")
	}
	for i := range maxConns {
		l.leave(fmt.Sprint(i))
	}
	for range maxConnsAddress - 1 {
		l.enter("127.0.0.1")
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	refused := dial()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
	}()
	if n, err := refused.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("a connection over the limit is kept")
	}
	first.Close()
	first.Close() // counts once
	dial()
	select {
	case c := <-accepted:
		c.Close()
	case <-time.After(patience):
		t.Fatal("there is no room after one was closed")
	}
	if l.all != maxConnsAddress-1 || l.open["127.0.0.1"] != maxConnsAddress-1 {
		t.Errorf("%d and %d are counted", l.all, l.open["127.0.0.1"])
	}
}
