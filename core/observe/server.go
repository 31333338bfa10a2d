package observe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/config"
)

// Options configure a Server.
type Options struct {
	// Addr is where to listen, e.g. "127.0.0.1:9090". Empty means not at all.
	Addr string
	// Metrics are shown at /metrics, beside those of the process and the Go runtime. Nil is an empty set.
	Metrics *metrics.Set
	// Logger is told what goes wrong while serving. Nil means nobody is.
	Logger *slog.Logger
}

// Server answers /healthz, /readyz and /metrics. Its methods may be called concurrently.
type Server struct {
	listener net.Listener // nil: off
	http     *http.Server
	metrics  *metrics.Set
	logger   *slog.Logger
	served   chan struct{}

	mu     sync.Mutex
	checks map[string]Check
	limit  time.Duration // of a check
}

// Listen starts to serve. An address it cannot have is an error made with config.Invalid for the key metrics_addr.
// Until the first check is registered the server counts as ready.
func Listen(options Options) (*Server, error) {
	s := &Server{metrics: options.Metrics, logger: options.Logger, served: make(chan struct{}), checks: map[string]Check{}, limit: CheckTimeout}
	if s.metrics == nil {
		s.metrics = metrics.NewSet()
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if options.Addr == "" {
		close(s.served)
		return s, nil
	}
	listener, err := net.Listen("tcp", options.Addr)
	if err != nil {
		return nil, listenError(options.Addr, err)
	}
	s.listener = listener
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	go s.serve()
	return s, nil
}

func listenError(addr string, err error) error {
	const key = "metrics_addr"
	// The plain reason: the operation and the address around it would be said twice.
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		err = errno
	}
	var syntax *net.AddrError
	switch {
	case errors.As(err, &syntax):
		return config.Invalid(key, `%q: %s (want HOST:PORT, or "" for no listener)`, addr, syntax.Err)
	case errors.Is(err, syscall.EADDRINUSE):
		return config.Invalid(key, `%q: %w (stop what listens there, choose another port, or "" for no listener)`, addr, err)
	default:
		return config.Invalid(key, `%q: %w (choose an address of this host, or "" for no listener)`, addr, err)
	}
}

func (s *Server) serve() {
	defer close(s.served)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.logger.Error("metrics listener stopped", "address", s.Addr(), "error", err)
	}
}

// Addr is the address that is listened on, with its real port, or "" if the server is off.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Shutdown stops to listen and lets requests finish until ctx ends, when it cuts them off and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.served
	return err
}

// grace is what a request gets that is under way at Close.
const grace = time.Second

// Close is Shutdown for a process that ends: nobody who reads slowly, or has connected and says nothing, keeps it long.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		s.logger.Debug("metrics readers are cut off", "error", err)
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		s.logWrite(io.WriteString(w, "ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		report := s.Ready(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if !report.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if err := json.NewEncoder(w).Encode(report); err != nil {
			s.logWrite(0, err)
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.metrics.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
	return mux
}

// logWrite notes that a reader went away, which is nobody's error.
func (s *Server) logWrite(_ int, err error) {
	if err != nil {
		s.logger.Debug("metrics reader went away", "error", err)
	}
}
