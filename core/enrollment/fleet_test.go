package enrollment

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
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

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// fleet is a NATS server with masters that enroll peels over real TLS.
type fleet struct {
	t    *testing.T
	nats *server.TestServer
	ca   *authority
}

func newFleet(t *testing.T) *fleet {
	return &fleet{t: t, nats: server.StartTest(t), ca: newAuthority(t)}
}

// master is one of them.
type master struct {
	f         *fleet
	conn      *bus.Conn
	store     *Store
	directory *Directory
	server    *Server
	url       string
	stop      func() // ends it as a signal would
	log       *logBook
}

func (f *fleet) master(change ...func(*ServerOptions)) *master {
	f.t.Helper()
	conn := f.nats.Core(f.t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	m := &master{f: f, conn: conn, store: NewStore(conn, nil), log: &logBook{}}
	var err error
	if m.directory, err = Follow(ctx, conn, m.log.logger()); err != nil {
		f.t.Fatal(err)
	}
	o := ServerOptions{Conn: conn, Account: f.nats.Account, Directory: m.directory, TTL: time.Hour, Log: m.log.logger()}
	for _, c := range change {
		c(&o)
	}
	certFile, keyFile := f.ca.issue(f.t, "localhost", net.IPv4(127, 0, 0, 1))
	l, err := Listen(fmt.Sprintf("127.0.0.1:%d", server.TestPort(f.t)), certFile, keyFile) // nobody else has it once the master is gone
	if err != nil {
		f.t.Fatal(err)
	}
	m.url, m.server = "https://"+l.Addr(), NewServer(o)
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Serve(ctx, m.server, m.log.logger()); err != nil {
			f.t.Error(err)
		}
	})
	running.Go(func() {
		if err := ServeOrders(ctx, conn, m.store, m.directory, m.log.logger()); err != nil {
			f.t.Error(err)
		}
	})
	m.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	f.t.Cleanup(m.stop)
	return m
}

// operator is alice's end of the orders, once a master listens to all of hers: it does so to one after the other.
func (f *fleet) operator() *Orders {
	f.t.Helper()
	o := &Orders{Conn: f.nats.Operator(f.t, "alice")}
	for _, name := range []string{orderList, orderShow, orderApprove, orderReject, orderRemove} {
		eventually(f.t, "a master answers "+name, func() bool {
			_, err := o.ask(f.t.Context(), bus.Order("alice", name), order{}) // about nobody
			var remote *bus.RemoteError
			return errors.As(err, &remote)
		})
	}
	return o
}

func (f *fleet) client(m *master, id string) *Client {
	f.t.Helper()
	return &Client{URL: m.url, CAFile: f.ca.file, ID: id, Identity: identity(f.t), Facts: map[string]string{"hostname": id, "os": "debian"}}
}

func identity(t testing.TB) *keys.Identity {
	t.Helper()
	i, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

type enrolled struct {
	creds keys.Creds
	err   error
}

// start enrolls in the background.
func start(ctx context.Context, c *Client) <-chan enrolled {
	done := make(chan enrolled, 1)
	go func() {
		creds, err := c.Enroll(ctx)
		done <- enrolled{creds, err}
	}()
	return done
}

func receive(t *testing.T, done <-chan enrolled) enrolled {
	t.Helper()
	select {
	case e := <-done:
		return e
	case <-time.After(patience):
		t.Fatal("the peel is still enrolling")
		return enrolled{}
	}
}

func (m *master) awaitState(id string, want State) {
	m.f.t.Helper()
	eventually(m.f.t, id+" is "+string(want), func() bool { return m.directory.record(id).State == want })
}

// peel speaks the API by hand.
type peel struct {
	m        *master
	id       string
	identity *keys.Identity
	http     *http.Client
}

func (m *master) peel(id string) *peel {
	m.f.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(m.f.ca.pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	m.f.t.Cleanup(transport.CloseIdleConnections)
	return &peel{m: m, id: id, identity: identity(m.f.t), http: &http.Client{Transport: transport}}
}

func (p *peel) post(path string, body any) (status int, reply string) {
	p.m.f.t.Helper()
	data, ok := body.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(body); err != nil {
			p.m.f.t.Fatal(err)
		}
	}
	res, err := p.http.Post(p.m.url+path, "application/json", bytes.NewReader(data))
	if err != nil {
		p.m.f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.m.f.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text))
}

func (p *peel) nonce() string {
	p.m.f.t.Helper()
	status, reply := p.post(pathChallenge, challengeRequest{ID: p.id, Public: p.identity.Public()})
	var c challengeReply
	if err := json.Unmarshal([]byte(reply), &c); err != nil || status != http.StatusOK || c.Nonce == "" {
		p.m.f.t.Fatalf("challenge: %d %s", status, reply)
	}
	return c.Nonce
}

func (p *peel) enrollment(nonce string) enrollRequest {
	p.m.f.t.Helper()
	q := enrollRequest{ID: p.id, Public: p.identity.Public(), Curve: p.identity.Curve(), Facts: map[string]string{"os": "debian"}, Nonce: nonce}
	q.Signature = p.sign(q.statement())
	return q
}

func (p *peel) credentials(nonce string) credsRequest {
	p.m.f.t.Helper()
	q := credsRequest{ID: p.id, Public: p.identity.Public(), Nonce: nonce}
	q.Signature = p.sign(q.statement())
	return q
}

func (p *peel) sign(data []byte) []byte {
	p.m.f.t.Helper()
	sig, err := p.identity.Sign(data)
	if err != nil {
		p.m.f.t.Fatal(err)
	}
	return sig
}

func (p *peel) enroll() {
	p.m.f.t.Helper()
	if status, reply := p.post(pathEnroll, p.enrollment(p.nonce())); status != http.StatusOK {
		p.m.f.t.Fatalf("enroll %s: %d %s", p.id, status, reply)
	}
	eventually(p.m.f.t, p.id+" is known", func() bool { return p.m.directory.record(p.id).State != "" })
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	file string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, file: filepath.Join(t.TempDir(), "ca.crt")}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, a.file, a.pem)
	return a
}

// issue makes a certificate and its key, and gives the two files.
func (a *authority) issue(t testing.TB, name string, ips ...net.IP) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: ips,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "enroll.crt"), filepath.Join(dir, "enroll.key")
	writeFile(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return certFile, keyFile
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not so: %s", what)
		}
	}
}
