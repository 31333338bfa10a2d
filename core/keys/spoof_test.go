package keys_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// TestHeadersDoNotRename stores, as a peel, its own entry with the headers that a direct get answers with: whoever reads must see
// what the server says of the entry, not what the peel does.
func TestHeadersDoNotRename(t *testing.T) {
	s, core := fleet(t)
	p1 := connect(t, s, s.PeelCreds(t, "p1"))
	header := nats.Header{
		"Nats-Subject": {bus.ValueSubject(bus.BucketBasket, "p2.ip")}, "Nats-Sequence": {"999999"}, "Nats-Stream": {"KV_settings"},
		"Nats-Time-Stamp": {"2001-01-01T00:00:00Z"}, "Nats-Num-Pending": {"0"}, "Nats-Last-Sequence": {"999999"}, "Nats-UpTo-Sequence": {"1"},
	}
	for _, more := range []nats.Header{nil, {"Status": {"204"}}, {"Status": {"404"}}, {"Status": {"503"}}, {"Nats-Marker-Reason": {"MaxAge"}}} {
		h := nats.Header{}
		for _, from := range []nats.Header{header, more} {
			for k, v := range from {
				h[k] = v
			}
		}
		m := &nats.Msg{Subject: bus.ValueSubject(bus.BucketBasket, "p1.ip"), Header: h, Data: []byte("forged")}
		if reply, err := p1.RequestMsg(m, patience); err != nil {
			t.Fatal(err)
		} else {
			t.Logf("%v: %s", more, reply.Data)
		}
		for _, reader := range []*bus.Conn{core, s.Peel(t, "p2")} {
			for _, pattern := range []string{">", "*.ip", "p2.ip"} {
				entries, err := reader.GetMany(t.Context(), bus.BucketBasket, pattern)
				if err != nil {
					t.Errorf("%v %s: %v", more, pattern, err)
				}
				seen := map[string]string{}
				for _, e := range entries {
					seen[e.Key] = string(e.Value)
					if e.Created.Year() == 2001 || e.Revision == 999999 {
						t.Errorf("%v: the peel says when, and which revision: %+v", more, e)
					}
				}
				t.Logf("%v %s: %v", more, pattern, seen)
				if seen["p2.ip"] == "forged" {
					t.Errorf("%v %s: p1 speaks for p2", more, pattern)
				}
			}
			e, err := reader.Get(t.Context(), bus.BucketBasket, "p1.ip")
			t.Logf("%v Get: %+v %v", more, e, err)
		}
	}
}

// speak gives a connection that has logged in, for what no client library would send.
func speak(t *testing.T, s *server.TestServer, creds keys.Creds) net.Conn {
	t.Helper()
	for attempt := 1; ; attempt++ {
		conn, err := login(t, s, creds)
		if err == nil {
			return conn
		}
		if attempt == 5 { // a busy machine may be too slow for the server
			t.Fatal(err)
		}
	}
}

func login(t *testing.T, s *server.TestServer, creds keys.Creds) (net.Conn, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return nil, err
	}
	var info struct{ Nonce string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		t.Fatal(err)
	}
	sig, err := creds.Sign([]byte(info.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "CONNECT {\"jwt\":%q,\"sig\":%q,\"headers\":true,\"verbose\":false}\r\n", creds.JWT, base64.RawURLEncoding.EncodeToString(sig))
	return conn, pong(conn)
}

// ping returns when the server has handled what was sent before.
func ping(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := pong(conn); err != nil {
		t.Fatal(err)
	}
}

// pong asks for the server's and passes over what it says before: it may ask for ours.
func pong(conn net.Conn) error {
	fmt.Fprint(conn, "PING\r\n")
	for answer := []byte{}; !bytes.HasSuffix(answer, []byte("PONG\r\n")); {
		b := make([]byte, 1)
		if _, err := conn.Read(b); err != nil {
			return fmt.Errorf("%q: %w", answer, err)
		}
		answer = append(answer, b...)
	}
	return nil
}

// TestBrokenHeadersDoNotRename is the same with header blocks that end before their end, so that what the server adds is not read.
func TestBrokenHeadersDoNotRename(t *testing.T) {
	s, core := fleet(t)
	conn := speak(t, s, s.PeelCreds(t, "p1"))
	claim := "Nats-Stream: KV_basket\r\nNats-Subject: $KV.basket.p2.ip\r\nNats-Sequence: 999999\r\nNats-Time-Stamp: 2001-01-01T00:00:00Z\r\n"
	for _, header := range []string{
		"NATS/1.0\r\n" + strings.Repeat("a:b\n", 100) + claim + "\r\nX: y\r\n\r\n",
		"NATS/1.0\r\n" + claim + "\r\nX: y\r\n\r\n",
		"NATS/1.0\r\n" + claim + "\r\n\r\n",
		"NATS/1.0\r\n" + claim + "\n\r\n",
		"NATS/1.0\r\n" + claim + "X: \r\n\r\nxx",
		"NATS/1.0\r\n" + claim + "no colon\r\n\r\n",
		"NATS/1.0\n" + claim + "\n\r\n\r\n",
		"NATS/1.0 503\r\n\r\n\r\n",
		"NATS/1.0 204\r\n\r\nx",
		"NATS/1.0\r\nNats-Stream\r\n",
		"nonsense",
		"",
	} {
		body := "forged"
		before, err := core.Usage(t.Context(), bus.BucketBasket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "HPUB %s %d %d\r\n%s%s\r\n", bus.ValueSubject(bus.BucketBasket, "p1.ip"), len(header), len(header)+len(body), header, body)
		for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
			if now, err := core.Usage(t.Context(), bus.BucketBasket); err == nil && now.Revision > before.Revision {
				t.Logf("%q: stored", header)
				break
			}
		}
		for _, reader := range []*bus.Conn{core, s.Peel(t, "p2")} {
			entries, err := reader.GetMany(t.Context(), bus.BucketBasket, ">")
			seen := map[string]string{}
			for _, e := range entries {
				seen[e.Key] = string(e.Value)
			}
			if seen["p2.ip"] != "of p2.ip" || err != nil {
				t.Errorf("%q: p2's entry reads as %v, %v", header, seen, err)
			}
		}
	}
}

// TestBrokenHeadersDoNotDeafen: no entry that one peel writes keeps a master from hearing of the others'.
func TestBrokenHeadersDoNotDeafen(t *testing.T) {
	s, core := fleet(t)
	conn := speak(t, s, s.PeelCreds(t, "p1"))
	p2 := s.Peel(t, "p2")
	live, err := core.Watch(t.Context(), bus.BucketFacts, ">")
	if err != nil {
		t.Fatal(err)
	}
	hear := func(w *bus.Watcher, what, value string) {
		t.Helper()
		timeout := time.After(patience)
		for {
			select {
			case e := <-w.Entries():
				if e.Key == "p2" && string(e.Value) == value {
					return
				}
			case <-timeout:
				t.Fatalf("%s: deaf to p2", what)
			}
		}
	}
	for i, header := range []string{
		"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 999\r\nNats-Last-Stream: 999\r\n\r\n",
		"NATS/1.0 100 FlowControl Request\r\n\r\n",
		"NATS/1.0 409 Consumer Deleted\r\n\r\n",
		"NATS/1.0 404 No Messages\r\n\r\n",
		"NATS/1.0 503\r\n\r\n",
		"NATS/1.0\r\nStatus: 100\r\nNats-Last-Consumer: 1\r\n\r\n",
		"NATS/1.0\r\nKV-Operation: PURGE\r\nNats-Marker-Reason: MaxAge\r\n\r\n",
		"nonsense",
	} {
		for _, body := range []string{"", "x"} {
			fmt.Fprintf(conn, "HPUB %s %d %d\r\n%s%s\r\n", bus.ValueSubject(bus.BucketFacts, "p1"), len(header), len(header)+len(body), header, body)
			value := fmt.Sprint(i, body)
			ping(t, conn) // p1's comes first, wherever it goes
			if _, err := p2.Put(t.Context(), bus.BucketFacts, "p2", []byte(value)); err != nil {
				t.Fatal(err)
			}
			hear(live, "a watch, "+header, value)
			fresh, err := core.Watch(t.Context(), bus.BucketFacts, ">")
			if err != nil {
				t.Fatal(err)
			}
			hear(fresh, "a new watch, "+header, value)
			fresh.Stop()
		}
	}
}
