package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
	"github.com/ptorbus/zester/core/target"
)

const (
	operator = "bench"
	// connecting is how many connections are made at a time.
	connecting = 16
	startWait  = 2 * time.Minute
)

// swarm is a server with a master's dispatcher and peels.
type swarm struct {
	log       *slog.Logger
	dir       string
	hierarchy *keys.Hierarchy
	nats      *server.Server
	monitor   string // URL of the server's counts

	core       *bus.Conn // the master's
	client     *jobs.Client
	metrics    *metrics.Set // of the master and all peels together
	presence   *jobs.Presence
	ids        []string
	identities []*keys.Identity
	conns      []*bus.Conn // of the peels, less those that are processes
	processes  []child
	asIs       bool // leave the heap as it is before an exchange

	stops []func() // in order of starting
}

// newSwarm starts all but the peels' runners.
func newSwarm(ctx context.Context, n int, log *slog.Logger) (*swarm, error) {
	s := &swarm{log: log, metrics: metrics.NewSet()}
	if err := s.start(ctx, n); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *swarm) start(ctx context.Context, n int) error {
	if err := s.serve(); err != nil {
		return err
	}
	if err := s.connectCore(ctx); err != nil {
		return err
	}
	if err := s.core.Setup(ctx, 1); err != nil {
		return err
	}
	s.presence = jobs.NewPresence(s.core, s.hierarchy.Account().Public(), s.log)
	s.run(ctx, "presence", s.presence.Run)
	if err := s.connectPeels(ctx, n, n); err != nil {
		return err
	}
	err := wait(ctx, slow, "the server tells of all peels", func() bool { return s.presence.Count() == n })
	if err != nil {
		return err
	}
	d := jobs.Dispatcher{Conn: s.core, Account: s.hierarchy.Account(), Resolver: known(s.ids), Presence: s.presence, Log: s.log, Metrics: s.metrics}
	s.run(ctx, "dispatcher", d.Run)
	return nil
}

// serve starts the NATS server with an empty store.
func (s *swarm) serve() error {
	var err error
	if s.dir, err = os.MkdirTemp("", "zester-bench-"); err != nil {
		return err
	}
	s.stops = append(s.stops, func() { os.RemoveAll(s.dir) })
	if s.hierarchy, err = keys.NewHierarchy("bench"); err != nil {
		return err
	}
	monitor, release, err := server.FreePort()
	if err != nil {
		return err
	}
	s.stops = append(s.stops, release)
	dir := filepath.Join(s.dir, "nats")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.nats, err = server.Start(server.Options{Hierarchy: s.hierarchy, Dir: dir, Name: "bench", Port: -1, Monitor: monitor, Log: s.log})
	if err != nil {
		return err
	}
	s.monitor = fmt.Sprintf("http://127.0.0.1:%d/varz", monitor)
	s.stops = append(s.stops, s.nats.Shutdown)
	return nil
}

// run starts a part of the swarm that goes on until stop.
func (s *swarm) run(ctx context.Context, name string, part func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		if err := part(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("a part of the benchmark has failed", "part", name, "error", err)
		}
	})
	s.stops = append(s.stops, func() { cancel(); done.Wait() })
}

func (s *swarm) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func (s *swarm) connect(ctx context.Context, creds keys.Creds, side bus.Side) (*bus.Conn, error) {
	o := bus.Options{URL: s.nats.URL(), Side: side, Log: s.log, Patience: startWait}
	creds.Fill(&o)
	return bus.Connect(ctx, o)
}

// connectMany makes n connections with the credentials of each.
func (s *swarm) connectMany(ctx context.Context, n int, side bus.Side, creds func(i int) (keys.Creds, error)) ([]*bus.Conn, error) {
	conns, errs := make([]*bus.Conn, n), make([]error, n)
	var all sync.WaitGroup
	slots := make(chan struct{}, connecting)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			c, err := creds(i)
			if err == nil && ctx.Err() == nil {
				conns[i], err = s.connect(ctx, c, side)
			}
			errs[i] = err
		})
	}
	all.Wait()
	s.stops = append(s.stops, func() {
		for _, c := range conns {
			if c != nil {
				all.Go(c.Close)
			}
		}
		all.Wait()
	})
	return conns, errors.Join(append(errs, ctx.Err())...)
}

// peelLife is how long the peels' credentials are valid.
const peelLife = 24 * time.Hour

// connectPeels makes n peels and connects the first of them.
func (s *swarm) connectPeels(ctx context.Context, n, connected int) (err error) {
	for i := range n {
		identity, err := keys.NewIdentity()
		if err != nil {
			return err
		}
		s.ids, s.identities = append(s.ids, fmt.Sprintf("peel-%05d", i)), append(s.identities, identity)
	}
	s.conns, err = s.connectMany(ctx, connected, bus.Peels, s.peelCreds)
	return err
}

func (s *swarm) peelCreds(i int) (keys.Creds, error) {
	token, err := keys.PeelJWT(s.hierarchy.Account(), s.ids[i], s.identities[i].Public(), peelLife)
	return keys.Creds{JWT: token, Seed: s.identities[i].Seed()}, err
}

// connectCore connects a master's user and an operator.
func (s *swarm) connectCore(ctx context.Context) error {
	master, err := s.hierarchy.MasterCreds("master")
	if err != nil {
		return err
	}
	if s.core, err = s.connect(ctx, master, bus.Core); err != nil {
		return err
	}
	s.stops = append(s.stops, s.core.Close)
	creds, err := s.hierarchy.OperatorCreds(operator)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx, creds, bus.Core)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, conn.Close)
	s.client = &jobs.Client{Conn: conn, Operator: operator, Log: s.log}
	return nil
}

// runPeels runs a real runner for each peel until stop is called. A nil verifier lets each have its own.
func (s *swarm) runPeels(ctx context.Context, verifier *keys.Verifier, confirm time.Duration) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	stop = func() { cancel(); all.Wait() }
	started := make(chan error, 2*len(s.ids)) // nil, or why not
	for i, conn := range s.conns {
		id := s.ids[i]
		r := jobs.Runner{
			Conn: conn, ID: id, AccountPublic: s.hierarchy.Account().Public(), Verifier: verifier, Executor: pinged{}, Metrics: s.metrics,
			StateDir: filepath.Join(s.dir, "peels", id), Log: s.log, Confirm: confirm, Ready: func() { started <- nil }, StopWait: time.Second,
		}
		if err := os.MkdirAll(r.StateDir, 0o700); err != nil {
			stop()
			return nil, err
		}
		all.Go(func() {
			if err := r.Run(ctx); err != nil {
				started <- err
			}
		})
	}
	for range s.conns {
		if err == nil {
			err = <-started
		}
	}
	for _, c := range s.conns {
		if err == nil {
			err = c.Flush(ctx)
		}
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// pinged is what the peels can do: test.ping.
type pinged struct{}

func (pinged) Mutates(keys.Command) bool { return false }

func (pinged) Execute(context.Context, keys.Command) (any, int, error) { return true, 0, nil }

// known resolves targets over all there are.
type known []string

func (k known) Resolve(_ context.Context, text string) (ids, missing []string, err error) {
	t, err := target.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	return t.ResolveIDs(k), nil, nil
}

// wait looks until cond holds, which costs what it waits for if it is quick.
func wait(ctx context.Context, pace time.Duration, what string, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for !cond() {
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// confirmAfter is later than the last return of a ping.
func confirmAfter(peels int) time.Duration { return max(100, time.Duration(peels)) * time.Millisecond }

const (
	quick = 500 * time.Microsecond
	slow  = 10 * time.Millisecond
)

type session struct {
	ctx     context.Context
	stdio   config.Stdio
	environ []string
	log     *slog.Logger
}
