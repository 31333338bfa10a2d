package states

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
)

// Lint compiles the whole tree for this host's facts without running anything and returns every mistake: of the
// highstate as one, so that ids and requisites are checked over all its files, and of each SLS that is not part of it.
// The tree must be a Lister. The error is that of reading the tree.
func (r *Runner) Lint(ctx context.Context) ([]*Error, error) {
	names, err := r.slsNames(ctx)
	if err != nil {
		return nil, err
	}
	if names == nil {
		if _, ok := r.opts.Tree.(Lister); !ok {
			return nil, errors.New("this tree cannot be listed")
		}
	}
	l := &linter{Runner: r, seen: map[string]bool{}, known: names}
	checked, err := l.top(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == "top" || checked[name] {
			continue
		}
		c := r.compiler(ctx)
		c.include(include{sls: name})
		if err := l.finish(c); err != nil {
			return nil, err
		}
	}
	return l.errors, nil
}

type linter struct {
	*Runner
	known  []string
	seen   map[string]bool // errors, as text
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

// top checks the top file, every SLS that it names for whatever host, and the highstate of this one. It returns the
// SLS files that this has compiled.
func (l *linter) top(ctx context.Context) (map[string]bool, error) {
	if !slices.Contains(l.known, "top") {
		return nil, nil
	}
	file, problem := l.readTop(ctx)
	if problem != nil {
		l.add(problem)
		return nil, nil
	}
	t := &topReader{parser: parser{file: file}, Runner: l.Runner}
	if file.root != nil {
		t.environments(file.root)
	}
	l.add(t.errors...)
	for _, named := range t.named {
		sls := strings.ReplaceAll(named.sls, "/", ".")
		if !isGlob(sls) && !slices.Contains(l.known, sls) {
			l.add(named.pos.errorf("there is no SLS %q%s", sls, config.DidYouMean(sls, l.known)))
		}
	}
	c := l.compiler(ctx)
	for _, name := range t.names {
		if slices.Contains(l.known, strings.ReplaceAll(name, "/", ".")) || isGlob(name) {
			c.include(include{sls: name})
		}
	}
	return c.loaded, l.finish(c)
}
