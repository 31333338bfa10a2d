package states

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
)

// Lint compiles the whole tree, all environments of it, for this host's facts without running anything and returns every
// mistake: of the highstate as one, so that ids and requisites are checked over all its files, and of each SLS that is not
// part of it. The tree must be a Lister. The error is that of reading the tree.
func (r *Runner) Lint(ctx context.Context) ([]*Error, error) {
	if _, ok := r.opts.Tree.(Lister); !ok {
		return nil, errors.New("this tree cannot be listed")
	}
	envs, err := r.environments(ctx)
	if err != nil {
		return nil, err
	}
	if envs == nil || r.opts.Env != "" {
		envs = []string{r.env()}
	}
	l := &linter{Runner: r, seen: map[string]bool{}, known: map[string][]string{}}
	for _, env := range envs {
		if l.known[env], err = r.slsNames(files.InEnvironment(ctx, env)); err != nil {
			return nil, err
		}
	}
	checked, err := l.top(ctx)
	if err != nil {
		return nil, err
	}
	for _, env := range envs {
		for _, name := range l.known[env] {
			if name == "top" || checked[files.InTree(env, name)] {
				continue
			}
			c := r.compiler(ctx)
			c.include(include{env: env, sls: name})
			if err := l.finish(c); err != nil {
				return nil, err
			}
		}
	}
	return l.errors, nil
}

type linter struct {
	*Runner
	known  map[string][]string // SLS names by environment
	seen   map[string]bool     // errors, as text
	errors []*Error
}

func (l *linter) add(problems ...*Error) {
	for _, problem := range problems {
		if text := problem.Error(); !l.seen[text] {
			l.seen[text] = true
			l.errors = append(l.errors, problem)
		}
	}
}

// finish ends a compile and keeps its mistakes; other errors are returned.
func (l *linter) finish(c *compiler) error {
	_, err := c.finish()
	var compile *CompileError
	if errors.As(err, &compile) {
		l.add(compile.Errors...)
		return nil
	}
	return err
}

// top checks the top files, every SLS that they name for whatever host, and the highstate of this one. It returns the SLS
// files that this has compiled, as paths in the tree.
func (l *linter) top(ctx context.Context) (map[string]bool, error) {
	some := false
	for _, names := range l.known {
		some = some || slices.Contains(names, "top")
	}
	if !some {
		return nil, nil
	}
	t, err := l.readTops(ctx)
	var compile *CompileError
	if errors.As(err, &compile) {
		l.add(compile.Errors...)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.add(t.errors...)
	there := func(env, sls string) bool {
		return isGlob(sls) || slices.Contains(l.known[env], strings.ReplaceAll(sls, "/", "."))
	}
	for _, named := range t.named {
		if _, ok := l.known[named.env]; !ok {
			l.add(named.pos.errorf("there is no environment %q%s in the states tree", named.env, config.DidYouMean(named.env, sortedKeys(l.known))))
		} else if !there(named.env, named.sls) {
			l.add(named.pos.errorf("there is no SLS %q%s", named.sls, config.DidYouMean(named.sls, l.known[named.env])))
		}
	}
	c := l.compiler(ctx)
	for _, a := range t.assigned {
		for _, name := range a.SLS {
			if there(a.Env, name) {
				c.include(include{env: a.Env, sls: name})
			}
		}
	}
	return c.loaded, l.finish(c)
}
