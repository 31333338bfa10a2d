// Package master is a master: it enrolls peels, publishes the states tree, seals settings,
// dispatches jobs, and answers the questions that need the facts and presence of the whole
// fleet. It keeps nothing on disk and nothing in memory that another master could not rebuild
// from the bus, so any number of masters may run side by side.
package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/enrollment"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/observe"
)

// Run is "zester-master".
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	p.Files = []string{"/etc/zester/master.yaml"}
	var c Config
	return p.Main(&c, args, environ, stdio, func(*config.Invocation) error {
		log, err := observe.Logger(c.LogLevel, c.LogFormat, stdio.Err)
		if err != nil {
			return err
		}
		err = Serve(ctx, c, p.Version, log)
		if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
			return nil // told to stop before it was ready
		}
		return err
	})
}

// master is a running master.
type master struct {
	Config
	name    string // of this process: what leases and published trees carry
	log     *slog.Logger
	metrics *metrics.Set
	account *keys.Account
	conn    *bus.Conn

	directory *enrollment.Directory
	store     *enrollment.Store
	index     *facts.Index
	presence  *jobs.Presence
}

// Serve runs a master until the context ends.
func Serve(ctx context.Context, c Config, version string, log *slog.Logger) error {
	m := &master{Config: c, log: log, metrics: metrics.NewSet(), index: facts.NewIndex()}
	listener, err := enrollment.Listen(c.EnrollAddr, c.EnrollTLSCert, c.EnrollTLSKey)
	if err != nil {
		return err
	}
	defer listener.Close()
	web, err := observe.Listen(observe.Options{Addr: c.MetricsAddr, Metrics: m.metrics, Logger: log})
	if err != nil {
		return err
	}
	defer web.Close()
	if err := m.connect(ctx); err != nil {
		return err
	}
	defer m.conn.Close()
	if err := m.claim(ctx); err != nil {
		return err
	}
	return m.work(ctx, listener, web)
}

// connect reads the master's keys and connects. Unlike a peel it does not wait for NATS to
// come up: whoever starts it is there to be told.
func (m *master) connect(ctx context.Context) error {
	var err error
	if m.account, err = keys.LoadAccount(filepath.Join(m.AuthDir, "account.seed")); err != nil {
		return err
	}
	creds, err := keys.OpenCreds(filepath.Join(m.AuthDir, "master.creds"))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	m.name = fmt.Sprintf("%s-%d", host, os.Getpid())
	o := bus.Options{URL: m.NATSURL, CA: keys.NATSCA(m.NATSCA, m.AuthDir), Name: "zester-master " + m.name, Patience: m.NATSWait, Log: m.log}
	creds.Fill(&o)
	m.conn, err = bus.Connect(ctx, o)
	return err
}
