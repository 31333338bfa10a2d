package bus

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

func loadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--nats-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--nats-ca: %s holds no PEM certificate", file)
	}
	return pool, nil
}

// offeredTLS dials so that a server which merely allows TLS is treated as one that requires
// it: nats.go upgrades only in the latter case. It changes one word in the server's greeting.
type offeredTLS struct{}

const dialTimeout = 5 * time.Second

func (offeredTLS) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, dialTimeout)
	if err != nil {
		return nil, err
	}
	return &greeting{Conn: conn}, nil
}

// greeting rewrites the first line read from a server.
type greeting struct {
	net.Conn
	line []byte // what is left to hand out of the rewritten line
	done bool
}

const maxGreeting = 64 << 10

func (g *greeting) Read(p []byte) (int, error) {
	if !g.done {
		g.done = true
		line, err := g.readLine()
		if err != nil {
			return 0, err
		}
		g.line = bytes.Replace(line, []byte(`"tls_available":true`), []byte(`"tls_required":true`), 1)
	}
	if len(g.line) > 0 {
		n := copy(p, g.line)
		g.line = g.line[n:]
		return n, nil
	}
	return g.Conn.Read(p)
}

// readLine reads byte by byte: what follows the line may belong to a TLS handshake.
func (g *greeting) readLine() ([]byte, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxGreeting {
		if _, err := g.Conn.Read(one); err != nil {
			return nil, err
		}
		if line = append(line, one[0]); one[0] == '\n' {
			return line, nil
		}
	}
	return nil, errors.New("the server's greeting is too long for NATS")
}

// unreachable tells a server that is not there, or not yet, from one that refuses.
func unreachable(err error) bool {
	var dns *net.DNSError
	var slow net.Error
	return errors.As(err, &dns) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) ||
		errors.As(err, &slow) && slow.Timeout()
}

// overtaken is of a handshake that has taken so long, on a busy host say, that the server's first ping came before its end, or
// its patience to one: it then says so, or in the midst of TLS just hangs up.
func overtaken(err error) bool {
	return strings.Contains(err.Error(), "expected 'PONG', got 'PING'") || errors.Is(err, errHandshakeTimeout) || hungUp(err)
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// errHandshakeTimeout is what nats.go makes of a server's word that it has no name for.
var errHandshakeTimeout = errors.New("nats: authentication timeout")

// redacted is a list of URLs as it may be shown: without passwords.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		if u, err := url.Parse(strings.TrimSpace(part)); err == nil && u.User != nil {
			parts[i] = u.Redacted()
		}
	}
	return strings.Join(parts, ",")
}

// explainConnect turns a failed connect into one line with its remedy.
func explainConnect(o Options, err error) error {
	at := "nats at " + redacted(o.URL)
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var dns *net.DNSError
	switch {
	case errors.As(err, &unknown):
		if o.CA == "" {
			return fmt.Errorf("%s: its certificate is signed by an unknown authority: name the authority's file with --nats-ca", at)
		}
		return fmt.Errorf("%s: its certificate is not signed by the authority in %s: check --nats-ca", at, o.CA)
	case errors.As(err, &host):
		return fmt.Errorf("%s: %v: check --nats-url or the server's certificate", at, host)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: no such host %q: check --nats-url", at, dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("%s: no server answers there: start it, or check --nats-url", at)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("%s: the server offers no TLS, which --nats-ca or a tls:// URL asks for", at)
	case errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%s: it refuses these credentials (%w): they may be of another cluster, expired or revoked", at, err)
	case errors.Is(err, errHandshakeTimeout):
		return fmt.Errorf("%s: it took too long to check these credentials: they may be of another cluster, or the server is overloaded", at)
	case hungUp(err) && !errors.Is(err, nats.ErrTLS):
		return fmt.Errorf("%s: the connection ends before the server has answered (%w): it may be overloaded, or no NATS server", at, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}
