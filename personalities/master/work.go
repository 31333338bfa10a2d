package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/enrollment"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/observe"
)

const (
	// leaseTime is how long a dead master's duties wait for another to take them up.
	leaseTime    = 5 * time.Second
	setupTimeout = 30 * time.Second
)

// accountKey is the entry of the leases, which it is not, that names the account whose seed
// all masters must hold.
const accountKey = "account"

// errAccount: another account.seed than the fleet's.
var errAccount = errors.New("copy the other masters' account.seed")

// claim creates what is missing on the bus and refuses to go on with another account.seed than
// the fleet's: settings sealed and commands signed with it would be refused everywhere.
func (m *master) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	if err := m.conn.Setup(ctx, m.Replicas); err != nil {
		return err
	}
	if m.JobsKept != 0 {
		if err := m.conn.Retain(ctx, m.JobsKept); err != nil {
			return fmt.Errorf("jobs_kept: %w", err)
		}
	}
	_, err := m.conn.Create(ctx, bus.BucketLeases, accountKey, []byte(m.account.Public()))
	if !errors.Is(err, bus.ErrExists) {
		return err
	}
	e, err := m.conn.Get(ctx, bus.BucketLeases, accountKey)
	if err != nil {
		return err
	}
	if string(e.Value) != m.account.Public() {
		return fmt.Errorf("account.seed in %s is of account %s, but this fleet's is %s: %w", m.AuthDir, m.account.Public(), e.Value, errAccount)
	}
	return nil
}

// claimEvery is how often buckets and streams are looked at that nobody should have deleted.
const (
	claimEvery = time.Minute
	claimRetry = 2 * time.Second
)

// keepClaim creates anew what the bus has lost while this master runs: a disk, or a stream that
// somebody has deleted. Those who follow a bucket find out by themselves.
func (m *master) keepClaim(ctx context.Context) error {
	again := make(chan struct{}, 1)
	defer m.conn.OnConnect(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})()
	for wait := claimEvery; ; {
		select {
		case <-again:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = claimEvery
		switch err := m.claim(ctx); {
		case errors.Is(err, errAccount):
			return err
		case err != nil && m.conn.Connected() && ctx.Err() == nil:
			m.log.Warn("the fleet's buckets cannot be looked after", "error", err)
			wait = claimRetry
		}
	}
}

// work runs all of a master's duties until the context ends or one of them cannot go on.
func (m *master) work(ctx context.Context, listener *enrollment.Listener, web *observe.Server) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var duties sync.WaitGroup
	defer duties.Wait()
	defer cancel(nil)
	duty := func(name string, run func(context.Context) error) {
		duties.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	duty("buckets", m.keepClaim)
	warden := basket.Warden{Conn: m.conn, Log: m.log, Metrics: m.metrics}
	duty("basket", func(ctx context.Context) error { warden.Run(ctx); return nil })
	var err error
	if m.directory, err = enrollment.Follow(ctx, m.conn, m.log); err != nil {
		return err
	}
	m.store = enrollment.NewStore(m.conn, nil)
	service, err := m.newSettings()
	if err != nil {
		return err
	}
	m.index.Log, m.index.Changed = m.log, service.Touch
	if err := m.followFacts(ctx, duty); err != nil {
		return err
	}
	m.followPresence(ctx, duty)
	stop, err := basket.Answer(m.conn, fleetIndex{m}, m.Groups)
	if err != nil {
		return err
	}
	defer stop()
	if err := m.servePeels(); err != nil {
		return err
	}
	m.keepSettings(service, duty)
	m.keepTree(duty)
	dispatcher := jobs.Dispatcher{
		Conn: m.conn, Account: m.account, Resolver: resolver{m}, Presence: m.presence, Defaults: m.jobDefaults(), Log: m.log, Metrics: m.metrics,
	}
	duty("jobs", dispatcher.Run)
	duty("enrollment orders", func(ctx context.Context) error {
		return enrollment.ServeOrders(ctx, m.conn, m.store, m.directory, m.log)
	})
	server := enrollment.NewServer(enrollment.ServerOptions{
		Conn: m.conn, Account: m.account, Directory: m.directory, TTL: m.PeelJWTLife, Log: m.log,
	})
	duty("enrollment", func(ctx context.Context) error { return listener.Serve(ctx, server, m.log) })
	m.checks(web)
	m.log.Info("master ready", "name", m.name, "enroll_addr", listener.Addr(), "account", m.account.Public())
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// keepTree keeps the states tree published, on one master at a time.
func (m *master) keepTree(duty func(string, func(context.Context) error)) {
	dir := treeDir(m.StatesDir, "states")
	if _, err := os.Stat(dir); err != nil {
		m.log.Warn("there is no states tree to publish: create the directory, or name another with --states-dir", "directory", dir)
	}
	p := files.NewPublisher(files.PublisherOptions{
		Conn: m.conn, Account: m.account, Master: m.name, Trees: map[string]string{"states": dir},
		Environments: map[string]map[string]string{"states": m.Environments}, Force: m.ForcePublish,
		Log: m.log, Metrics: m.metrics,
	})
	duty("tree lease", func(ctx context.Context) error {
		m.conn.Lease(ctx, "publisher", m.name, leaseTime, p.Follow)
		return nil
	})
}

func (m *master) checks(web *observe.Server) {
	m.conn.Meter(m.metrics)
	m.metrics.NewGauge("zester_peels_connected", func() float64 { return float64(m.presence.Count()) })
	m.metrics.NewGauge("zester_peels_known", func() float64 { return float64(m.index.Len()) })
	m.metrics.NewGauge("zester_enrollments_pending", func() float64 { return float64(m.directory.Pending()) })
	web.Check("nats", func(context.Context) error {
		if !m.conn.Connected() {
			return errors.New("not connected")
		}
		return nil
	})
	web.Check("jetstream", func(ctx context.Context) error {
		_, err := m.conn.Get(ctx, bus.BucketLeases, accountKey)
		return err
	})
}
