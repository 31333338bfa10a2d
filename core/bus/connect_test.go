package bus_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

func options(t *testing.T, s *server.TestServer) bus.Options {
	t.Helper()
	creds, err := s.Hierarchy.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	o := bus.Options{URL: s.URL, CA: s.CA, Side: bus.Core}
	creds.Fill(&o)
	return o
}

func withTLS(o *server.Options) { o.TLS = true }

// Each way in which connecting fails is one line with a remedy.
func TestConnectErrors(t *testing.T) {
	plain, secure := server.StartTest(t), server.StartTest(t, withTLS)
	elsewhere := server.StartTest(t, withTLS, func(o *server.Options) { o.Host = "127.0.0.2" })
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.crt")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.crt")
	nobody := fmt.Sprintf("nats://127.0.0.1:%d", server.TestPort(t))
	account := plain.Account
	peel, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	old, err := keys.PeelJWT(account, "p1", peel.Public(), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	tlsURL := strings.Replace(plain.URL, "nats://", "tls://", 1)
	otherHost := strings.Replace(elsewhere.URL, "127.0.0.2", "127.0.0.3", 1)
	for _, tt := range []struct {
		name   string
		server *server.TestServer
		change func(*bus.Options)
		want   string
	}{
		{"nobody there", plain, func(o *bus.Options) { o.URL = nobody }, "nats at " + nobody + ": no server answers there: start it, or check --nats-url"},
		{"a password in the URL", plain, func(o *bus.Options) { o.URL = strings.Replace(nobody, "//", "//alice:s3cret@", 1) },
			"nats at " + strings.Replace(nobody, "//", "//alice:xxxxx@", 1) + ": no server answers there: start it, or check --nats-url"},
		{"no such host", plain, func(o *bus.Options) { o.URL = "nats://nats.invalid:4222" }, `nats at nats://nats.invalid:4222: no such host "nats.invalid": check --nats-url`},
		{"no authority", secure, func(o *bus.Options) { o.CA = "" }, "nats at " + secure.URL + ": its certificate is signed by an unknown authority: name the authority's file with --nats-ca"},
		{"another authority", secure, func(o *bus.Options) { o.CA = elsewhere.CA }, "nats at " + secure.URL + ": its certificate is not signed by the authority in " + elsewhere.CA + ": check --nats-ca"},
		{"another host", elsewhere, func(o *bus.Options) { o.URL = otherHost }, "nats at " + otherHost + ": no server answers there: start it, or check --nats-url"},
		{"no TLS for --nats-ca", plain, func(o *bus.Options) { o.CA = secure.CA }, "nats at " + plain.URL + ": the server offers no TLS, which --nats-ca or a tls:// URL asks for"},
		{"no TLS for tls://", plain, func(o *bus.Options) { o.URL = tlsURL }, "nats at " + tlsURL + ": the server offers no TLS, which --nats-ca or a tls:// URL asks for"},
		{"no file", secure, func(o *bus.Options) { o.CA = missing }, "--nats-ca: open " + missing + ": no such file or directory"},
		{"no certificate", secure, func(o *bus.Options) { o.CA = empty }, "--nats-ca: " + empty + " holds no PEM certificate"},
		{"another cluster's user", plain, func(o *bus.Options) { *o = options(t, secure); o.URL, o.CA, o.Patience = plain.URL, "", patience }, "nats at " + plain.URL + ": it refuses these credentials (nats: Authorization Violation): they may be of another cluster, expired or revoked"},
		{"expired", plain, func(o *bus.Options) {
			(keys.Creds{JWT: old, Seed: peel.Seed()}).Fill(o)
		}, "nats at " + plain.URL + ": it refuses these credentials (nats: Authorization Violation): they may be of another cluster, expired or revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, tt.server)
			if !strings.Contains(tt.want, "no server answers") && !strings.Contains(tt.want, "no such host") { // which patience is for
				o.Patience = patience
			}
			tt.change(&o)
			c, err := bus.Connect(t.Context(), o)
			if err == nil {
				c.Close()
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// A certificate for another name is refused with the names it is for.
func TestConnectToAnotherName(t *testing.T) {
	s := server.StartTest(t, withTLS, func(o *server.Options) { o.Host = "0.0.0.0"; o.Hosts = []string{"nats.example.org"} })
	o := options(t, s)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "tls://"))
	if err != nil {
		_, port, err = net.SplitHostPort(strings.TrimPrefix(s.URL, "nats://"))
	}
	if err != nil {
		t.Fatal(err)
	}
	o.URL, o.Patience = "nats://127.0.0.1:"+port, patience
	_, err = bus.Connect(t.Context(), o)
	want := "nats at " + o.URL + ": x509: certificate is valid for 0.0.0.0, not 127.0.0.1: check --nats-url or the server's certificate"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// A nats:// URL takes TLS where the server offers it, even if it does not insist; a server
// without TLS is fine without.
func TestTLSIsTakenWhenOffered(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server func(*server.Options)
		want   bool
	}{
		{"required", withTLS, true},
		{"offered", func(o *server.Options) { o.TLS, o.AllowNonTLS = true, true }, true},
		{"absent", func(*server.Options) {}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server.StartTest(t, tt.server)
			seen := observe(t, strings.TrimPrefix(strings.TrimPrefix(s.URL, "nats://"), "tls://"))
			o := options(t, s)
			o.URL, o.Patience = "nats://"+seen.address, patience
			c, err := bus.Connect(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Publish("hello", []byte("secret words")); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := seen.bytes()
			if encrypted := !bytes.Contains(sent, []byte("secret words")); encrypted != tt.want || len(sent) == 0 {
				t.Errorf("encrypted: %v", encrypted)
			}
			if tt.want && bytes.Contains(sent, []byte("CONNECT")) {
				t.Error("the credentials went out in the clear")
			}
		})
	}
}

// tap forwards connections to a server and keeps what the client sends.
type tap struct {
	address string
	mu      sync.Mutex
	sent    bytes.Buffer
}

func (o *tap) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent.Write(p)
}

func (o *tap) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.sent.Bytes())
}

func observe(t *testing.T, address string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	o := &tap{address: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				client.Close()
				return
			}
			go forward(server, client, o)
			go forward(client, server, nil)
		}
	}()
	return o
}

func forward(to, from net.Conn, seen *tap) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if seen != nil {
			seen.Write(buf[:n])
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// A daemon waits for a server that is not there yet; a command gives up after its patience.
func TestConnectWaits(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	s.Stop()
	o := options(t, s)
	o.Wait = true
	c, err := bus.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Connected() {
		t.Error("connected to a server that is down")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if err := c.WaitConnected(ctx); err == nil || !strings.HasPrefix(err.Error(), "nats at "+s.URL+": ") || !strings.HasSuffix(err.Error(), "no time") {
		t.Errorf("got %v", err)
	}
	s.Start(t)
	if err := c.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Setup(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

// The plain connection to a distant server is warned of, and not the one to this host.
func TestPlaintextIsWarnedOf(t *testing.T) {
	out := &tap{}
	const warning = "the connection to NATS is not encrypted"
	s := server.StartTest(t, func(o *server.Options) { o.Host = "0.0.0.0" })
	o := options(t, s)
	o.Log, o.Patience = slog.New(slog.NewTextHandler(out, nil)), patience
	port := o.URL[strings.LastIndexByte(o.URL, ':'):]
	o.URL = "nats://127.0.0.1" + port
	c, err := bus.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if strings.Contains(string(out.bytes()), warning) {
		t.Errorf("on this host: %s", out.bytes())
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		o.URL = "nats://" + ip.String() + port
		if c, err = bus.Connect(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if !strings.Contains(string(out.bytes()), warning) {
			t.Errorf("to %s: %s", ip, out.bytes())
		}
		return
	}
}

// A busy host's handshake that takes longer than the server waits with its first ping, or at all, is made anew.
func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	for _, tt := range []struct {
		slow     int
		then     string
		patience time.Duration
		want     string
	}{
		{2, "PING\r\n", 0, ""},
		{6, "PING\r\n", patience, ""},
		{1000, "PING\r\n", 0, "nats: expected 'PONG', got 'PING'"},
		{2, "-ERR 'Authentication Timeout'\r\n", 0, ""},
		{1000, "-ERR 'Authentication Timeout'\r\n", 0, "it took too long to check these credentials: they may be of another cluster, or the server is overloaded"},
		{2, "", 0, ""},
		{1000, "", 0, "the connection ends before the server has answered (EOF): it may be overloaded, or no NATS server"},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.slow, tt.then), func(t *testing.T) {
			t.Parallel()
			o := options(t, s)
			o.Patience = tt.patience
			o.URL = "nats://" + slowly(t, strings.TrimPrefix(s.URL, "nats://"), tt.slow, tt.then)
			c, err := bus.Connect(t.Context(), o)
			if err == nil {
				c.Close()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != "nats at "+o.URL+": "+tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// slowly forwards connections to a server; in the first so many of them something comes before the server's answer: nothing
// is its end.
func slowly(t *testing.T, address string, slow int, then string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				client.Close()
				return
			}
			greeting := bufio.NewReader(server)
			info, err := greeting.ReadString('\n')
			if n < slow {
				info += then
			}
			if _, werr := io.WriteString(client, info); err != nil || werr != nil || n < slow && then == "" {
				if n < slow { // a reset instead of an end would be another error
					client.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, client)
				}
				client.Close()
				server.Close()
				continue
			}
			go forward(server, client, nil)
			go forward(client, server, nil)
		}
	}()
	return l.Addr().String()
}

// A greeting that never ends is no NATS server.
func TestGreetingIsBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		w := bufio.NewWriter(conn)
		for {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	}()
	o := bus.Options{URL: "nats://" + l.Addr().String()}
	_, err = bus.Connect(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "the server's greeting is too long for NATS") {
		t.Errorf("got %v", err)
	}
}
