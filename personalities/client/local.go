package client

import (
	"errors"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/modules"
)

type localCommand struct {
	Function string   `arg:"" help:"What to run, e.g. state.apply."`
	Args     []string `arg:"" optional:"" help:"Arguments, by position or KEY=VALUE."`
	StateDir string   `placeholder:"DIR" help:"Where backups and the marks of running state runs go; default nowhere."`
	host
}

// Help is printed by --help.
func (*localCommand) Help() string {
	return `Examples:

	zester local facts.items
	zester local state.apply motd --tree states --settings settings.yaml test=True`
}

// Run runs a function on this host as its peel would, and prints the return as a job's.
func (c *localCommand) Run(s *session) error {
	env, err := c.env(s, nil)
	if err != nil {
		return err
	}
	env.StateDir = c.StateDir
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
