package enrollment

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// Connections that may be open at once.
const (
	maxConns        = 8192
	maxConnsAddress = 1024
)

// Listener is the TLS listener of the enrollment API.
type Listener struct{ tls net.Listener }

// Listen takes the address and loads the certificate and its key. Its errors are made with config.Invalid for the keys
// enroll_addr, enroll_tls_cert and enroll_tls_key.
func Listen(addr, certFile, keyFile string) (*Listener, error) {
	cert, err := loadCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, explainListen(addr, err)
	}
	limited := &limitedListener{Listener: tcp, open: map[string]int{}}
	return &Listener{tls.NewListener(limited, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})}, nil
}

func loadCertificate(certFile, keyFile string) (tls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, explainFile("enroll_tls_cert", "--enroll-tls-cert", certFile, err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, explainFile("enroll_tls_key", "--enroll-tls-key", keyFile, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(certPEM) {
		return tls.Certificate{}, config.Invalid("enroll_tls_cert", "%q holds no PEM certificate: name another file with --enroll-tls-cert", certFile)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, config.Invalid("enroll_tls_key", "%q is not the key of the certificate in %q (%w): name the two files of one pair with --enroll-tls-cert and --enroll-tls-key", keyFile, certFile, err)
	}
	return cert, nil
}

func explainFile(key, flag, file string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return config.Invalid(key, "%q: %w: name a PEM file that can be read with %s (\"zester bootstrap\" makes one)", file, err, flag)
}

func explainListen(addr string, err error) error {
	var syntax *net.AddrError
	var number syscall.Errno
	switch {
	case errors.As(err, &syntax):
		return config.Invalid("enroll_addr", "%q: %s: use HOST:PORT or :PORT with --enroll-addr", addr, syntax.Err)
	case errors.Is(err, syscall.EADDRINUSE):
		return config.Invalid("enroll_addr", "%q: %w: stop what listens there, or choose another port with --enroll-addr", addr, syscall.EADDRINUSE)
	case errors.As(err, &number):
		err = number
	}
	return config.Invalid("enroll_addr", "%q: %w: choose an address of this host with --enroll-addr", addr, err)
}

// Addr is the address with its real port.
func (l *Listener) Addr() string { return l.tls.Addr().String() }

// Close frees the address of a Listener that is not being served.
func (l *Listener) Close() error { return l.tls.Close() }

// Serve answers peels until ctx ends; polls that wait then are told to try again, at another master if there is one.
// It returns nil then, and otherwise why it could not go on.
func (l *Listener) Serve(ctx context.Context, handler http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      pollTime + 3*kvTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxBody,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // anybody can cause these
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l.tls) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close()
	}
	<-done
	return nil
}

// limitedListener closes connections beyond the limits at once, before a handshake costs anything.
type limitedListener struct {
	net.Listener
	mu   sync.Mutex
	all  int
	open map[string]int
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		key := network(host)
		if l.enter(key) {
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(key) })}, nil
		}
		conn.Close()
	}
}

func (l *limitedListener) enter(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxConns || l.open[key] >= maxConnsAddress {
		return false
	}
	l.all++
	l.open[key]++
	return true
}

func (l *limitedListener) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[key]--; l.open[key] == 0 {
		delete(l.open, key)
	}
}

type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
