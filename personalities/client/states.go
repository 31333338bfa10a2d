package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/states"
)

type statesCommands struct {
	Lint  statesLint  `cmd:"" help:"Compile a whole tree and list every mistake in it."`
	Graph statesGraph `cmd:"" help:"Print which states look at which others."`
}

// compileEnv is for compiling the tree for a host that need not be this one; nothing is run, and nobody shares anything: there are
// states in trees that are made of what others share.
func (h *host) compileEnv(s *session, factsFile string) (*modules.Env, error) {
	dir, _, err := trees(h.Tree)
	if err != nil {
		return nil, fmt.Errorf("--tree %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory with a states tree", dir)
	}
	var given map[string]any
	if factsFile != "" {
		if given, err = readMap(factsFile); err != nil {
			return nil, err
		}
	}
	env, err := h.env(s, given)
	if err != nil {
		return nil, err
	}
	env.Basket = func(context.Context, string, string, bool) ([]map[string]any, error) { return nil, nil }
	return env, nil
}

type statesLint struct {
	Dir   string `arg:"" optional:"" help:"Directory of the tree; default --tree."`
	Facts string `placeholder:"FILE" help:"Facts to compile for: YAML or JSON; default this host's."`
	host
}

// Help is printed by --help.
func (*statesLint) Help() string {
	return `Examples:

	zester states lint states
	zester states lint --tree states --tree dev=states-dev --settings-tree settings --facts web.yaml

Templates are rendered for one host: this one, or the one whose facts are given. Its basket is empty. The exit code is 1
if there are mistakes.`
}

func (c *statesLint) Run(s *session) error {
	if c.Dir != "" {
		c.Tree = []string{c.Dir}
	}
	env, err := c.compileEnv(s, c.Facts)
	if err != nil {
		return err
	}
	mistakes, err := modules.NewRunner(env, modules.RunOptions{Test: true}).Lint(s.ctx, modules.LintCheck(env))
	if err != nil {
		return err
	}
	data := make([]any, len(mistakes))
	for i, m := range mistakes {
		data[i] = map[string]any{"file": m.File, "line": m.Line, "message": m.Msg}
	}
	err = s.print.answer(data, func() {
		for _, m := range mistakes {
			fmt.Fprintln(s.stdio.Out, m)
		}
	})
	if err == nil && len(mistakes) > 0 {
		err = config.Exit(1)
	}
	return err
}

type statesGraph struct {
	SLS   string `arg:"" name:"sls" help:"SLS files, with commas between them."`
	Facts string `placeholder:"FILE" help:"Facts to compile for: YAML or JSON; default this host's."`
	Dot   bool   `help:"Print a Graphviz graph."`
	host
}

func (c *statesGraph) Run(s *session) error {
	env, err := c.compileEnv(s, c.Facts)
	if err != nil {
		return err
	}
	plan, err := modules.NewRunner(env, modules.RunOptions{Test: true}).Compile(s.ctx, strings.Split(c.SLS, ","))
	var compile *states.CompileError
	if errors.As(err, &compile) {
		for _, m := range compile.Errors {
			fmt.Fprintln(s.stdio.Err, m)
		}
		return config.Exit(1)
	}
	if err != nil {
		return err
	}
	if c.Dot {
		return plan.WriteDot(s.stdio.Out)
	}
	return plan.WriteText(s.stdio.Out)
}
