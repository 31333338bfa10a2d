package states

import "context"

// Plan is a compiled run.
type Plan struct {
	opts   *Options
	chunks []*chunk // in definition order
	order  []*chunk // in order of execution
}

type chunk struct{}

// Compile reads the SLS files and returns what to run, or a *CompileError.
func (r *Runner) Compile(ctx context.Context, sls []string) (*Plan, error) { return &Plan{opts: &r.opts}, nil }

// Highstate compiles the SLS files that the top file assigns to this host.
func (r *Runner) Highstate(ctx context.Context) (*Plan, error) { return &Plan{opts: &r.opts}, nil }

// Run runs the plan.
func (p *Plan) Run(ctx context.Context) Report { return Report{} }
