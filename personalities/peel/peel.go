// Package peel is the agent of one host. It enrolls if it has no credentials, publishes its
// facts and its share of the basket, keeps its settings and the states tree, and runs the
// commands that a master has signed for it. Without a bus it goes on with what it has.
package peel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/enrollment"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/observe"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
)

// Run is "zester-peel".
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	p.Files = []string{"/etc/zester/peel.yaml"}
	var c Config
	return p.Main(&c, args, environ, stdio, func(*config.Invocation) error {
		log, err := observe.Logger(c.LogLevel, c.LogFormat, stdio.Err)
		if err != nil {
			return err
		}
		err = Serve(ctx, c, Options{Version: p.Version, Log: log})
		if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
			return nil // told to stop before it was ready
		}
		return err
	})
}

// Options are what a host process gives a peel beside its configuration.
type Options struct {
	Version string
	Log     *slog.Logger
	// Confine, when set, is the only directory below which file states may write.
	Confine string
}

// peel is a running agent.
type peel struct {
	Config
	Options
	identity *keys.Identity
	account  string
	conn     *bus.Conn
	metrics  *metrics.Set

	facts    *facts.Publisher
	settings *settings.Store
	tree     *files.Tree
	basket   *basket.Publisher
	reader   *basket.Reader
	engine   *render.Engine
	registry *modules.Registry
	keeper   *modules.Keeper // nil: commands end with the peel
}

// Serve runs a peel until the context ends.
func Serve(ctx context.Context, c Config, o Options) error {
	release, err := hold(ctx, c.StateDir)
	if err != nil {
		return err
	}
	defer release()
	own, err := basket.Parse("basket", c.Basket)
	if err != nil {
		return config.Invalid("basket", "%w", err)
	}
	p := &peel{Config: c, Options: o, metrics: metrics.NewSet()}
	web, err := observe.Listen(observe.Options{Addr: c.MetricsAddr, Metrics: p.metrics, Logger: o.Log})
	if err != nil {
		return err
	}
	defer web.Close()
	creds, err := p.credentials(ctx)
	if err != nil {
		return err
	}
	if err := p.connect(ctx, creds); err != nil {
		return err
	}
	defer p.conn.Close()
	if err := p.furnish(own); err != nil {
		return err
	}
	if err := p.keep(); err != nil {
		return err
	}
	defer p.tree.Close()
	p.checks(web)
	return p.work(ctx)
}

// credentials reads the peel's creds file, or enrolls to have one: for the first time, or anew
// with the same key when the old ones have expired.
func (p *peel) credentials(ctx context.Context) (*keys.CredsFile, error) {
	file, err := keys.OpenCreds(p.credsFile())
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.MasterURL == "":
		return nil, fmt.Errorf("no credentials at %s: name a master's enrollment API with --master-url, or put the file there", p.credsFile())
	case errors.Is(err, fs.ErrNotExist):
		return p.enrollFirst(ctx)
	case err != nil:
		return nil, err
	}
	creds := file.Creds()
	if creds.Name() != p.ID {
		return nil, fmt.Errorf("%s holds the credentials of %q, not of %q: check --id and --auth-dir", p.credsFile(), creds.Name(), p.ID)
	}
	if end := creds.Expires(); p.MasterURL == "" || end.IsZero() || time.Now().Before(end) {
		return file, nil
	}
	p.Log.Warn("the credentials have expired: enrolling again with the same key", "expired", creds.Expires())
	identity, err := keys.LoadIdentity(creds.Seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.credsFile(), err)
	}
	return p.enroll(ctx, identity)
}

func (p *peel) enrollFirst(ctx context.Context) (*keys.CredsFile, error) {
	if err := os.MkdirAll(p.AuthDir, 0o700); err != nil {
		return nil, config.Invalid("auth_dir", "%w", err)
	}
	identity, err := keys.LoadOrCreate(p.seedFile())
	if err != nil {
		return nil, err
	}
	file, err := p.enroll(ctx, identity)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(p.seedFile()); err != nil { // the creds file holds the seed now
		p.Log.Warn("the seed file of the enrollment stays", "error", err)
	}
	return file, nil
}

func (p *peel) enroll(ctx context.Context, identity *keys.Identity) (*keys.CredsFile, error) {
	summary := map[string]string{"version": p.Version}
	host, _ := facts.Collect(ctx, facts.Options{Version: p.Version})
	for _, name := range []string{"hostname", "os", "osrelease", "arch"} {
		if text, ok := host[name].(string); ok {
			summary[name] = text
		}
	}
	client := enrollment.Client{URL: p.MasterURL, CAFile: p.EnrollCA, ID: p.ID, Identity: identity, Facts: summary, Log: p.Log}
	creds, err := client.Enroll(ctx)
	if err != nil {
		return nil, err
	}
	if err := keys.WriteCreds(p.credsFile(), creds); err != nil {
		return nil, err
	}
	p.Log.Info("enrolled", "id", p.ID, "credentials", p.credsFile())
	return keys.OpenCreds(p.credsFile())
}

func (p *peel) connect(ctx context.Context, file *keys.CredsFile) error {
	creds := file.Creds()
	var err error
	if p.identity, err = keys.LoadIdentity(creds.Seed); err != nil {
		return fmt.Errorf("%s: %w", p.credsFile(), err)
	}
	p.account = creds.Account()
	o := bus.Options{URL: p.NATSURL, CA: keys.NATSCA(p.NATSCA, p.AuthDir), Name: "zester-peel " + p.ID, Side: bus.Peels, Wait: true, Log: p.Log}
	file.Fill(&o)
	p.conn, err = bus.Connect(ctx, o)
	return err
}

// furnish makes the parts that work together. own is what the configuration shares.
func (p *peel) furnish(own []basket.Function) error {
	p.registry = modules.NewRegistry()
	p.facts = &facts.Publisher{
		Conn: p.conn, ID: p.ID, Interval: p.FactsInterval, Log: p.Log,
		Collect: func(ctx context.Context) (map[string]any, []error) {
			return facts.Collect(ctx, facts.Options{ID: p.ID, Dir: p.FactsDir, Version: p.Version})
		},
	}
	var err error
	if p.tree, err = files.NewTree(p.conn, "states", filepath.Join(p.StateDir, "trees"), p.account, p.Log); err != nil {
		return err
	}
	p.engine = render.New(render.Options{Loader: p.tree})
	p.reader = &basket.Reader{Conn: p.conn, Resolver: basket.Asking{Conn: p.conn, Subject: bus.Ask(p.ID, basket.Resolve)}}
	p.basket = &basket.Publisher{
		Conn: p.conn, ID: p.ID, Log: p.Log,
		Call: func(ctx context.Context, name string, args []any, kwargs map[string]any) (any, error) {
			return p.registry.Call(ctx, p.env(), name, args, kwargs)
		},
		Has:  func(name string) bool { _, err := p.registry.Lookup(name); return err == nil },
		Fact: func(path string) (any, bool) { return facts.Get(p.facts.Facts(), path) },
	}
	p.furnishSettings(own)
	return nil
}

// work runs all parts until the context ends.
func (p *peel) work(ctx context.Context) error {
	if err := p.facts.Refresh(ctx); err != nil && ctx.Err() == nil {
		p.Log.Warn("facts not published", "error", err)
	}
	p.reportInterrupted()
	runner := jobs.Runner{
		Conn: p.conn, ID: p.ID, AccountPublic: p.account, StateDir: p.StateDir, Executor: executor{p}, Log: p.Log, Metrics: p.metrics,
	}
	if p.keeper != nil {
		runner.Ready = p.keeper.Sweep
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts.Go(func() { p.facts.Run(ctx) })
	parts.Go(func() {
		if err := p.settings.Follow(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("settings are not followed", "error", err)
		}
	})
	parts.Go(func() { p.basket.Run(ctx) })
	p.Log.Info("peel ready", "id", p.ID, "version", p.Version, "connected", p.conn.Connected())
	return runner.Run(ctx)
}

// reportInterrupted tells of state runs that the last process of this peel did not finish.
func (p *peel) reportInterrupted() {
	runs, err := modules.Interrupted(p.StateDir)
	if err != nil {
		p.Log.Warn("state runs that were interrupted cannot be looked up", "error", err)
	}
	for _, run := range runs {
		p.Log.Warn("a state run was interrupted when this peel stopped", "run", run.String(), "job", run.Job, "started", run.Started)
	}
}

func (p *peel) checks(web *observe.Server) {
	p.conn.Meter(p.metrics)
	web.Check("nats", func(context.Context) error {
		if !p.conn.Connected() {
			return errors.New("not connected")
		}
		return nil
	})
	web.Check("settings", func(ctx context.Context) error { return p.settings.Wait(ctx) })
	web.Check("tree", func(ctx context.Context) error { _, err := p.tree.Snapshot(ctx); return err })
}
