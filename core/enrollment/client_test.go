package enrollment

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// serve serves a handler over TLS, under a certificate of the authority.
func (a *authority) serve(t *testing.T, handler http.Handler, change ...func(*tls.Config)) (url string) {
	t.Helper()
	return a.serveAs(t, "localhost", handler, change...)
}

func (a *authority) serveAs(t *testing.T, name string, handler http.Handler, change ...func(*tls.Config)) (url string) {
	t.Helper()
	var ips []net.IP
	if name == "localhost" {
		ips = append(ips, net.IPv4(127, 0, 0, 1))
	}
	pair, err := tls.LoadX509KeyPair(a.issue(t, name, ips...))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	for _, f := range change {
		f(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestClientGivesUp(t *testing.T) {
	ca, wrong := newAuthority(t), newAuthority(t)
	api := http.NotFoundHandler()
	good := ca.serve(t, api)
	foreign := ca.serveAs(t, "elsewhere.example", api)
	old := ca.serve(t, api, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	redirect := ca.serve(t, http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect))
	page := ca.serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome") }))
	plain := httptest.NewServer(api)
	t.Cleanup(plain.Close)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.crt")
	writeFile(t, empty, nil)
	missing := filepath.Join(dir, "missing.crt")
	cases := []struct {
		name, url, ca, id string
		key, err          string // the setting at fault, and what is said of it
	}{
		{"no URL", "", ca.file, "web-01", "master_url", `"" is no URL: use https://HOST:PORT with --master-url`},
		{"host alone", "master:8443", ca.file, "web-01", "master_url", `"master:8443" is no URL: use https://HOST:PORT with --master-url`},
		{"plain http", "http://master:8443", ca.file, "web-01", "master_url", `"http://master:8443": enrollment is over https only: use https://HOST:PORT with --master-url`},
		{"password in it", "https://u:p@master:8443", ca.file, "web-01", "master_url", `"https://u:xxxxx@master:8443" has more than a host, a port and a path: use https://HOST:PORT with --master-url`},
		{"illegal id", good, ca.file, "web 01", "id", `peel id "web 01": character 4, ' ', is not allowed: use letters, digits, '.', '_' and '-' with --id`},
		{"no CA file", good, missing, "web-01", "enroll_ca", fmt.Sprintf(`%q: no such file or directory: name the file of the authority that signed the master's certificate with --enroll-ca`, missing)},
		{"empty CA file", good, empty, "web-01", "enroll_ca", fmt.Sprintf(`%q holds no PEM certificate: name the file of the authority that signed the master's certificate with --enroll-ca`, empty)},
		{"wrong CA", good, wrong.file, "web-01", "enroll_ca", fmt.Sprintf(`the certificate of %s is not signed by the authority in %q: name the right file with --enroll-ca`, good, wrong.file)},
		{"the system's CAs", good, "", "web-01", "enroll_ca", fmt.Sprintf(`the certificate of %s is signed by an authority that this system does not know: name the authority's file with --enroll-ca`, good)},
		{"another host's certificate", foreign, ca.file, "web-01", "master_url", fmt.Sprintf(`%q: its certificate is for another host (x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs): check --master-url`, foreign)},
		{"TLS 1.2", old, ca.file, "web-01", "master_url", fmt.Sprintf(`%q: it offers no TLS 1.3: check --master-url and what stands in front of the master`, old)},
		{"no TLS there", strings.Replace(plain.URL, "http:", "https:", 1), ca.file, "web-01", "master_url", fmt.Sprintf(`%q: it speaks plain HTTP there: check the port in --master-url`, strings.Replace(plain.URL, "http:", "https:", 1))},
		{"no API", good, ca.file, "web-01", "master_url", fmt.Sprintf(`%q: what answers there is not a master's enrollment API (no /v1/challenge): check --master-url`, good)},
		{"redirect", redirect, ca.file, "web-01", "master_url", fmt.Sprintf(`%q: what answers there is not a master's enrollment API (no /v1/challenge): check --master-url`, redirect)},
		{"web page", page, ca.file, "web-01", "master_url", fmt.Sprintf(`%q: what answers there is not a master's enrollment API (no /v1/challenge): check --master-url`, page)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := Client{URL: c.url, CAFile: c.ca, ID: c.id, Identity: identity(t)}
			creds, err := client.Enroll(t.Context())
			var invalid *config.InvalidError
			if !errors.As(err, &invalid) || invalid.Key != c.key || invalid.Err.Error() != c.err || creds.JWT != "" {
				t.Errorf("got  %v\nwant %s: %s", err, c.key, c.err)
			}
		})
	}
}

func TestClientWithATakenID(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	m.submit("web-01")
	_, err := f.client(m, "web-01").Enroll(t.Context())
	want := m.url + ": peel id \"web-01\" is enrolled already with another key: if this host replaces that one, run `zester enroll remove web-01` first; otherwise choose another --id"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// handler is the real API, to be put behind something that troubles the peel.
func (f *fleet) handler(m *master, change ...func(*ServerOptions)) *Server {
	o := ServerOptions{Conn: m.conn, Account: f.nats.Account, Directory: m.directory, TTL: time.Hour}
	for _, c := range change {
		c(&o)
	}
	return NewServer(o)
}

func TestClientTriesAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	api := f.handler(m)
	cases := map[string]struct {
		trouble http.HandlerFunc
		told    string
	}{
		"hung-up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"proxy":      {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }, "it answers 502 Bad Gateway"},
		"rate-limit": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, "it answers 429 Too Many Requests"},
		"expired":    {func(w http.ResponseWriter, r *http.Request) { api.fail(w, r, errNonce) }, "ask for a new one"},
		"storage":    {func(w http.ResponseWriter, r *http.Request) { api.fail(w, r, errors.New("a disk on fire")) }, "cannot reach its storage: try again later"},
	}
	for id, c := range cases {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			var seen sync.Map // each path fails the first time
			url := f.ca.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, again := seen.LoadOrStore(r.URL.Path, true); !again {
					c.trouble(w, r)
					return
				}
				api.ServeHTTP(w, r)
			}))
			book := &logBook{}
			done := start(t.Context(), &Client{URL: url, CAFile: f.ca.file, ID: id, Identity: identity(t), Log: book.logger()})
			m.awaitState(id, Pending)
			if _, err := m.store.Approve(t.Context(), id, "alice"); err != nil {
				t.Fatal(err)
			}
			if e := receive(t, done); e.err != nil || e.creds.Name() != id {
				t.Fatal(e.err)
			}
			if log := book.String(); !strings.Contains(log, c.told) || strings.Contains(log, "disk on fire") {
				t.Errorf("the log does not tell of %q, or of more than that:\n%s", c.told, log)
			}
		})
	}
}

func TestClientOutlivesAnOutageOfNATS(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	c := f.client(m, "web-01")
	book := &logBook{}
	c.Log = book.logger()
	f.nats.Stop()
	done := start(t.Context(), c)
	eventually(t, "the peel says that it goes on", func() bool { return strings.Contains(book.String(), "cannot reach its storage") })
	f.nats.Start(t)
	m.awaitState("web-01", Pending)
	if _, err := m.store.Approve(t.Context(), "web-01", "alice"); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, done); e.err != nil {
		t.Fatalf("%v\n%s", e.err, book)
	}
}

func TestClientRefusesForeignCredentials(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	mine := identity(t)
	token := func(id, public string) string {
		jwt, err := keys.PeelJWT(f.nats.Account, id, public, 0)
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	cases := []struct {
		name, jwt, account, want string
	}{
		{"another's key", token("web-01", identity(t).Public()), f.nats.Account.Public(), `the JWT is "web-01"'s`},
		{"another's name", token("web-02", mine.Public()), f.nats.Account.Public(), `the JWT is "web-02"'s`},
		{"another account", token("web-01", mine.Public()), server.StartTest(t).Account.Public(), `the JWT is "web-01"'s`},
		{"no JWT", "x", "", `not a user's JWT: expected 3 chunks`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			api := f.handler(m)
			url := f.ca.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == pathCreds {
					api.write(w, http.StatusOK, credsReply{c.jwt, c.account})
					return
				}
				api.ServeHTTP(w, r)
			}))
			client := Client{URL: url, CAFile: f.ca.file, ID: "web-01", Identity: mine}
			_, err := client.Enroll(t.Context())
			want := url + " hands out credentials that are not this peel's: " + c.want + ": check --master-url"
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestOddFactsDoNotKeepAHostOut(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.master()
	c := f.client(m, "web-01")
	c.Facts = map[string]string{"hostname": "web-01", "motd": "\x1b[31mwelcome", "long": strings.Repeat("x", 300), "": "x"}
	for i := range 20 {
		c.Facts[fmt.Sprintf("fact-%02d", i)] = strings.Repeat("x", 100)
	}
	done := start(t.Context(), c)
	m.awaitState("web-01", Pending)
	r, err := m.store.Approve(t.Context(), "web-01", "alice")
	if err != nil || len(r.Facts) != 9 || r.Facts["fact-00"] == "" || r.Facts["motd"] != "" {
		t.Errorf("facts: %v, %v", r.Facts, err)
	}
	if e := receive(t, done); e.err != nil {
		t.Fatal(e.err)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	for i, step := range []time.Duration{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		step *= time.Millisecond
		if d := b.next(0); d < step/2 || d > step {
			t.Errorf("wait %d is %s, not of %s to %s", i, d, step/2, step)
		}
	}
	if d := b.next(time.Minute); d < time.Minute+15*time.Second || d > 90*time.Second {
		t.Errorf("with Retry-After it is %s", d)
	}
	b.reset()
	if d := b.next(0); d > firstRetry {
		t.Errorf("after a reset it is %s", d)
	}
}

func TestListenComplains(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "localhost")
	_, otherKey := ca.issue(t, "localhost")
	dir := t.TempDir()
	garbage, missing := filepath.Join(dir, "garbage"), filepath.Join(dir, "missing")
	writeFile(t, garbage, []byte("garbage"))
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cases := []struct {
		name, addr, cert, key string
		setting, err          string
	}{
		{"no certificate", ":0", missing, key, "enroll_tls_cert", fmt.Sprintf(`%q: no such file or directory: name a PEM file that can be read with --enroll-tls-cert ("zester bootstrap" makes one)`, missing)},
		{"no key", ":0", cert, missing, "enroll_tls_key", fmt.Sprintf(`%q: no such file or directory: name a PEM file that can be read with --enroll-tls-key ("zester bootstrap" makes one)`, missing)},
		{"a directory", ":0", dir, key, "enroll_tls_cert", fmt.Sprintf(`%q: is a directory: name a PEM file that can be read with --enroll-tls-cert ("zester bootstrap" makes one)`, dir)},
		{"garbage for a certificate", ":0", garbage, key, "enroll_tls_cert", fmt.Sprintf(`%q holds no PEM certificate: name another file with --enroll-tls-cert`, garbage)},
		{"the two exchanged", ":0", key, cert, "enroll_tls_cert", fmt.Sprintf(`%q holds no PEM certificate: name another file with --enroll-tls-cert`, key)},
		{"garbage for a key", ":0", cert, garbage, "enroll_tls_key", fmt.Sprintf(`%q is not the key of the certificate in %q (tls: failed to find any PEM data in key input): name the two files of one pair with --enroll-tls-cert and --enroll-tls-key`, garbage, cert)},
		{"another's key", ":0", cert, otherKey, "enroll_tls_key", fmt.Sprintf(`%q is not the key of the certificate in %q (tls: private key does not match public key): name the two files of one pair with --enroll-tls-cert and --enroll-tls-key`, otherKey, cert)},
		{"no port", "127.0.0.1", cert, key, "enroll_addr", `"127.0.0.1": missing port in address: use HOST:PORT or :PORT with --enroll-addr`},
		{"occupied", taken.Addr().String(), cert, key, "enroll_addr", fmt.Sprintf(`%q: address already in use: stop what listens there, or choose another port with --enroll-addr`, taken.Addr())},
		{"not this host's", "192.0.2.1:8443", cert, key, "enroll_addr", `"192.0.2.1:8443": cannot assign requested address: choose an address of this host with --enroll-addr`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l, err := Listen(c.addr, c.cert, c.key)
			if err == nil {
				l.Close()
			}
			var invalid *config.InvalidError
			if !errors.As(err, &invalid) || invalid.Key != c.setting || invalid.Err.Error() != c.err {
				t.Errorf("got  %v\nwant %s: %s", err, c.setting, c.err)
			}
		})
	}
}
