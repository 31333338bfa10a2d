package client

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/target"
)

type localCommand struct {
	Function string   `arg:"" help:"What to run, e.g. state.apply."`
	Args     []string `arg:"" optional:"" help:"Arguments, by position or KEY=VALUE."`
	Tree     string   `default:"/srv/zester/states" help:"States tree."`
	Settings string   `placeholder:"FILE" help:"Settings: YAML or JSON."`
	FactsDir string   `default:"/etc/zester/facts" help:"Custom facts."`
	ID       string   `name:"id" help:"Peel id; default the host's name."`
	StateDir string   `help:"Where backups and the marks of running state runs go; default nowhere."`
}

// Run runs a function on this host as its peel would, and prints the return as a job's.
func (c *localCommand) Run(s *session) error {
	if c.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		c.ID = host
	}
	pillar, err := readSettings(c.Settings)
	if err != nil {
		return err
	}
	env := c.env(s, pillar)
	args, kwargs := parseArgs(c.Args)
	began := time.Now()
	value, err := modules.Builtin().Call(s.ctx, env, c.Function, args, kwargs)
	r := jobs.Return{Peel: c.ID, Function: c.Function, Value: value, Success: err == nil, Started: began, Duration: time.Since(began)}
	var failure *modules.Failure
	switch {
	case errors.As(err, &failure):
		r.Value, r.Retcode, r.Error = failure.Value, failure.Code, failure.Msg
	case err != nil:
		r.Retcode, r.Error = 1, err.Error()
	}
	s.print.result(r)
	if err != nil {
		return config.Exit(jobs.ExitFailed)
	}
	return nil
}

func (c *localCommand) env(s *session, pillar *settings.Map) *modules.Env {
	collect := func() map[string]any {
		found, _ := facts.Collect(s.ctx, facts.Options{ID: c.ID, Dir: c.FactsDir, Version: s.version})
		return found
	}
	own := collect()
	tree := files.Dir(c.Tree)
	return &modules.Env{
		PeelID:       c.ID,
		Facts:        func() map[string]any { return own },
		Grains:       func() map[string]any { return facts.Grains(own) },
		RefreshFacts: func(context.Context) error { own = collect(); return nil },
		Settings:     func() *settings.Map { return pillar },
		Match: func(text string) (bool, error) {
			t, err := target.Parse(text)
			return err == nil && t.Match(target.Peel{ID: c.ID, Facts: own, Settings: pillar.Plain()}), err
		},
		Tree: tree, Open: files.Opener(tree), Engine: render.New(render.Options{Loader: tree}),
		StateDir: c.StateDir, Version: s.version, Local: true,
	}
}
