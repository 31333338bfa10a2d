package enrollment

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// Listener is the TLS listener of the enrollment API.
type Listener struct {
	tls  net.Listener
	pair *pair
}

// Listen takes the address and loads the certificate and its key, whose files may be replaced later on. Its errors are
// made with config.Invalid for the keys enroll_addr, enroll_tls_cert and enroll_tls_key.
func Listen(addr, certFile, keyFile string) (*Listener, error) {
	p, err := loadPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, explainListen(addr, err)
	}
	limited := &limitedListener{Listener: tcp, open: map[string]int{}}
	return &Listener{tls.NewListener(limited, &tls.Config{GetCertificate: p.certificate, MinVersion: tls.VersionTLS13}), p}, nil
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
	l.pair.logTo(log)
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
