package enrollment

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
)

const (
	unsigned = `{"error":"the request is not signed with the key it names"}`
	noNonce  = `{"error":"the challenge is unknown, used or expired: ask for a new one"}`
)

func TestSignaturesAndNonces(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m, other := f.master(), f.master()
	mallory := m.peel("mallory")
	resign := func(p *peel, q enrollRequest) enrollRequest {
		q.Signature = p.sign(q.statement())
		return q
	}
	cases := []struct {
		name    string
		request func(p *peel) enrollRequest
		status  int
		reply   string
	}{
		{"no signature", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Signature = nil
			return q
		}, 401, unsigned},
		{"another's signature", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Signature = mallory.sign(q.statement())
			return q
		}, 401, unsigned},
		{"curve key exchanged", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Curve = mallory.identity.Curve()
			return q
		}, 401, unsigned},
		{"fact exchanged", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Facts["os"] = "windows"
			return q
		}, 401, unsigned},
		{"id exchanged", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.ID = "db-01"
			return q
		}, 401, unsigned},
		{"the signature of a NATS nonce", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Signature = p.sign([]byte(strings.ToValidUTF8(string(q.statement()), "\uFFFD")))
			return q
		}, 401, unsigned},
		{"the signature for another purpose", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Signature = p.credentials(q.Nonce).Signature
			return q
		}, 401, unsigned},
		{"a nonce of its own making", func(p *peel) enrollRequest {
			return p.enrollment("AAAAAAAAAAAAAAAAAAAAAAAAAA")
		}, 410, noNonce},
		{"a nonce for another id", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.ID = "db-01"
			return resign(p, q)
		}, 410, noNonce},
		{"a nonce for another key", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			q.Public = mallory.identity.Public()
			return resign(mallory, q)
		}, 410, noNonce},
		{"a replayed request", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			if status, reply := p.post(pathEnroll, q); status != 200 {
				t.Fatalf("the first one: %d %s", status, reply)
			}
			return q
		}, 410, noNonce},
		{"a request replayed at another master", func(p *peel) enrollRequest {
			q := p.enrollment(p.nonce())
			at := *p
			at.m = other
			if status, reply := at.post(pathEnroll, q); status != 200 {
				t.Fatalf("the first one: %d %s", status, reply)
			}
			return q
		}, 410, noNonce},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := m.peel(fmt.Sprintf("web-%02d", i))
			status, reply := p.post(pathEnroll, c.request(p))
			if status != c.status || reply != c.reply {
				t.Errorf("got %d %s, want %d %s", status, reply, c.status, c.reply)
			}
		})
	}
	if _, err := m.store.Get(t.Context(), "db-01"); err == nil {
		t.Error("a request that was refused is on record")
	}
}

func TestForgedRequestSpoilsNoNonce(t *testing.T) {
	f := newFleet(t)
	p := f.master().peel("web-01")
	q := p.enrollment(p.nonce())
	forged := q
	forged.Signature = make([]byte, 64)
	if status, _ := p.post(pathEnroll, forged); status != http.StatusUnauthorized {
		t.Fatalf("forged: %d", status)
	}
	if status, reply := p.post(pathEnroll, q); status != http.StatusOK || reply != `{"state":"pending"}` {
		t.Errorf("the owner's request after it: %d %s", status, reply)
	}
}

func TestOneNonceManyRequests(t *testing.T) {
	f := newFleet(t)
	p := f.master().peel("web-01")
	q := p.enrollment(p.nonce())
	var mu sync.Mutex
	got := map[int]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			status, _ := p.post(pathEnroll, q)
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	all.Wait()
	if got[200] != 1 || got[410] != 7 {
		t.Errorf("statuses: %v", got)
	}
}

func TestStolenID(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	victim, thief := m.peel("web-01"), m.peel("web-01")
	taken := "{\"error\":\"peel id \\\"web-01\\\" is enrolled already with another key: if this host replaces that one, run `zester enroll remove web-01` first; otherwise choose another --id\"}"
	victim.enroll()
	for _, state := range []State{Pending, Approved, Issued, Active, Rejected} {
		switch state {
		case Approved:
			m.store.Approve(t.Context(), "web-01", "alice")
		case Issued:
			m.store.MarkIssued(t.Context(), "web-01", victim.identity.Public(), time.Time{})
		case Active:
			m.store.MarkActive(t.Context(), "web-01", victim.identity.Public())
		case Rejected:
			m.store.Remove(t.Context(), "web-01")
			victim.enroll()
			m.store.Reject(t.Context(), "web-01", "alice")
		}
		before, err := m.store.Get(t.Context(), "web-01")
		if err != nil || before.State != state {
			t.Fatalf("%+v, %v", before, err)
		}
		if status, reply := thief.post(pathEnroll, thief.enrollment(thief.nonce())); status != 409 || reply != taken {
			t.Errorf("%s: enrolling a stolen id: %d %s", state, status, reply)
		}
		if status, reply := thief.post(pathCreds, thief.credentials(thief.nonce())); status != 409 || reply != taken {
			t.Errorf("%s: fetching with a stolen id: %d %s", state, status, reply)
		}
		after, err := m.store.Get(t.Context(), "web-01")
		if err != nil || after.Public != victim.identity.Public() || after.State != state {
			t.Errorf("%s: the record became %+v, %v", state, after, err)
		}
	}
}

func TestCopiedMachine(t *testing.T) {
	f := newFleet(t)
	m := f.master()
	original := m.peel("web-01")
	original.enroll()
	clone := m.peel("web-02")
	clone.identity = original.identity
	status, reply := clone.post(pathEnroll, clone.enrollment(clone.nonce()))
	want := `{"error":"this key is enrolled already as \"web-01\", so \"web-02\" cannot have it: a copied machine needs a key of its own`
	if status != http.StatusConflict || !strings.HasPrefix(reply, want) {
		t.Errorf("got %d %s", status, reply)
	}
}

func TestCredentialsOfUnknownPeel(t *testing.T) {
	f := newFleet(t)
	p := f.master().peel("web-01")
	status, reply := p.post(pathCreds, p.credentials(p.nonce()))
	if status != http.StatusNotFound || reply != `{"error":"peel \"web-01\": not enrolled"}` {
		t.Errorf("got %d %s", status, reply)
	}
}

// What a peel that has been enrolled, and was taken over since, can reach of this by its connection to NATS.
func TestEnrolledPeelHasNoReach(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	m.peel("web-02").enroll()
	conn := f.nats.Peel(t, "web-01")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, operator := range []string{"web-01", "alice"} {
		if _, err := (&Orders{Conn: conn, Operator: operator}).Approve(ctx, []string{"web-02"}, false); err == nil {
			t.Errorf("it approves as %q", operator)
		}
	}
	for _, bucket := range []string{bus.BucketEnrollments, bus.BucketChallenges} {
		if _, err := conn.Get(ctx, bucket, "web-02"); err == nil {
			t.Errorf("it reads bucket %s", bucket)
		}
		if _, err := conn.Put(ctx, bucket, "web-02", []byte("x")); err == nil {
			t.Errorf("it writes bucket %s", bucket)
		}
	}
	if r, err := m.store.Get(t.Context(), "web-02"); err != nil || r.State != Pending {
		t.Errorf("web-02 is %s, %v", r.State, err)
	}
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.master().peel("web-01")
	public, curve := p.identity.Public(), p.identity.Curve()
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountPublic, err := account.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	manyFacts := map[string]string{}
	for i := range maxFacts + 1 {
		manyFacts[fmt.Sprint(i)] = ""
	}
	cases := []struct {
		name, path string
		body       any
		status     int
		reply      string
	}{
		{"empty", pathChallenge, []byte(""), 400, `{"error":"the body is not the JSON that is asked for: EOF"}`},
		{"no JSON", pathChallenge, []byte("id=web-01"), 400, `{"error":"the body is not the JSON that is asked for: invalid character 'i' looking for beginning of value"}`},
		{"unknown field", pathChallenge, []byte(`{"id":"a","publik":""}`), 400, `{"error":"the body is not the JSON that is asked for: json: unknown field \"publik\""}`},
		{"more after it", pathChallenge, []byte(`{"id":"a"}{}`), 400, `{"error":"the body goes on after the JSON object"}`},
		{"not UTF-8", pathChallenge, []byte("{\"id\":\"\xff\"}"), 400, `{"error":"the body is not UTF-8"}`},
		{"deeply nested", pathEnroll, []byte(`{"facts":` + strings.Repeat(`{"a":`, 2000)), 400, `{"error":"the body is not the JSON that is asked for: unexpected EOF"}`},
		{"too large", pathEnroll, []byte(`{"id":"` + strings.Repeat("a", maxBody) + `"}`), 413, `{"error":"the body is larger than 16384 bytes"}`},
		{"illegal id", pathChallenge, challengeRequest{ID: "web/01", Public: public}, 400, `{"error":"peel id \"web/01\": character 4, '/', is not allowed: use letters, digits, '.', '_' and '-'"}`},
		{"id that is a wildcard", pathChallenge, challengeRequest{ID: "*", Public: public}, 400, `{"error":"peel id \"*\": character 1, '*', is not allowed: use letters, digits, '.', '_' and '-'"}`},
		{"account's key", pathChallenge, challengeRequest{ID: "web-01", Public: accountPublic}, 400, fmt.Sprintf(`{"error":"public \"%s\" is not a public user key (\"U...\")"}`, accountPublic)},
		{"user key as curve key", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: public}, 400, fmt.Sprintf(`{"error":"curve \"%s\" is not a public curve key (\"X...\")"}`, public)},
		{"too many facts", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: curve, Facts: manyFacts}, 400, `{"error":"17 facts are more than 16"}`},
		{"long fact", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: curve, Facts: map[string]string{"os": strings.Repeat("x", 257)}}, 400, `{"error":"fact \"os\": use names of 1 to 64 bytes and values of up to 256"}`},
		{"large facts", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: curve, Facts: map[string]string{"a": strings.Repeat("x", 256), "b": strings.Repeat("x", 256), "c": strings.Repeat("x", 256), "d": strings.Repeat("x", 256)}}, 400, `{"error":"the facts have 1028 bytes, more than 1024"}`},
		{"escape sequence", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: curve, Facts: map[string]string{"os": "\x1b[2J"}}, 400, `{"error":"fact \"os\": \"\\x1b[2J\" has characters that cannot be shown"}`},
		{"text turned round", pathEnroll, enrollRequest{ID: "web-01", Public: public, Curve: curve, Facts: map[string]string{"os": "\u202e01-bew"}}, 400, `{"error":"fact \"os\": \"\\u202e01-bew\" has characters that cannot be shown"}`},
		{"elsewhere", "/v2/enroll", challengeRequest{}, 404, `{"error":"there is nothing at \"/v2/enroll\": enrollment is at /v1/challenge, /v1/enroll and /v1/creds"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, reply := p.post(c.path, c.body)
			reply = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(reply)
			if status != c.status || reply != c.reply {
				t.Errorf("got  %d %s\nwant %d %s", status, reply, c.status, c.reply)
			}
		})
	}
	res, err := p.http.Get(p.m.url + pathChallenge)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", res.Status)
	}
}
