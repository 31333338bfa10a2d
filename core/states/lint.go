package states

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
)

// Check says what is wrong with an argument of a state beyond its kind; nil is nothing. The context is of the state's
// environment.
type Check func(ctx context.Context, function *Function, param *Param, value any) error

// Lint compiles the whole tree, all environments of it, for this host's facts without running anything and returns every
// mistake: of the highstate as one, so that ids and requisites are checked over all its files, of what the top file gives
// to other hosts, and of each SLS that no other includes. What stands in a file that cannot be read is not known: a requisite
// that may mean it is no mistake. A check may be nil. The tree must be a Lister. The error is that of reading the tree, or
// that the Runner's environment is not in it.
func (r *Runner) Lint(ctx context.Context, check Check) ([]*Error, error) {
	if _, ok := r.opts.Tree.(Lister); !ok {
		return nil, errors.New("this tree cannot be listed")
	}
	all, err := r.environments(ctx)
	if err != nil {
		return nil, err
	}
	if r.opts.Env != "" {
		if err := r.compiler(ctx).environment(r.opts.Env); err != nil {
			return nil, err
		}
	}
	if all == nil {
		all = []string{r.env()}
	}
	l := &linter{Runner: r, check: check, seen: map[string]bool{}, files: map[string]int{}, known: map[string][]string{}, states: map[indexKey]bool{}, covered: map[string]bool{}}
	for _, env := range all {
		names, err := r.slsNames(files.InEnvironment(ctx, env))
		if err != nil {
			return nil, err
		}
		l.known[env] = withoutTop(names)
	}
	if r.opts.Env != "" {
		all = []string{r.opts.Env}
	}
	if err := l.top(ctx, all); err != nil {
		return nil, err
	}
	if err := l.rest(ctx, all); err != nil {
		return nil, err
	}
	return l.sorted(), nil
}

type linter struct {
	*Runner
	check   Check
	known   map[string][]string // SLS names by environment
	covered map[string]bool     // SLS files that were compiled with those that use them, as paths in the tree
	errors  []*Error
	seen    map[string]bool // errors, as text
	files   map[string]int  // in the order in which they were read
	doubts  []doubt
	// states are those of the whole tree, and gaps its files that have mistakes.
	states map[indexKey]bool
	gaps   []gap
}

// doubt is a mistake if the target is nowhere in the tree.
type doubt struct {
	target target
	err    *Error
	gaps   []gap // of the compile; nil where any file may have it
}

// linting is what a compile keeps for Lint.
type linting struct {
	check  Check
	own    bool // what this host gets
	loose  bool // these files are not all that a host gets
	doubts []doubt
}

func (l *linter) add(problems ...*Error) {
	for _, problem := range problems {
		if text := problem.Error(); !l.seen[text] {
			l.seen[text] = true
			l.errors = append(l.errors, problem)
			l.number(problem.File)
		}
	}
}

// number gives a file its place in the answer.
func (l *linter) number(file string) {
	if _, ok := l.files[file]; !ok {
		l.files[file] = len(l.files)
	}
}

// compiled is the mistakes of files that were compiled together.
type compiled struct {
	loaded map[string]bool
	errors []*Error
	doubts []doubt
}

// compile compiles SLS files together and keeps what there is in them.
func (l *linter) compile(ctx context.Context, sls []include, how linting) (*compiled, error) {
	c := l.compiler(ctx)
	c.lint = &how
	for _, in := range sls {
		c.include(in)
	}
	_, err := c.finish()
	for _, file := range slices.SortedFunc(maps.Keys(c.files), func(a, b string) int { return cmp.Compare(c.files[a], c.files[b]) }) {
		l.number(file)
	}
	out := &compiled{loaded: c.loaded}
	if problem, ok := errors.AsType[*CompileError](err); ok {
		out.errors = problem.Errors
	} else if err != nil {
		return nil, err
	}
	out.doubts = c.lint.doubts
	for i := range out.doubts {
		if !how.loose {
			out.doubts[i].gaps = c.gaps
		}
	}
	l.gaps = append(l.gaps, c.gaps...)
	for _, ch := range c.chunks {
		for _, name := range [...]string{ch.id, ch.name} {
			l.states[indexKey{ch.module, name}] = true
			l.states[indexKey{"", name}] = true
		}
	}
	for name := range c.broken {
		l.states[indexKey{"", name}] = true
	}
	return out, nil
}

func (l *linter) keep(c *compiled) {
	l.add(c.errors...)
	l.doubts = append(l.doubts, c.doubts...)
}

// top checks the top files, the highstate of this host, and what every other target gives.
func (l *linter) top(ctx context.Context, envs []string) error {
	some := false
	for _, env := range envs {
		file, problem := l.readTop(ctx, env)
		some = some || file != nil || problem != nil
	}
	if !some {
		return nil
	}
	t, err := l.readTops(ctx)
	if problem, ok := errors.AsType[*CompileError](err); ok {
		l.add(problem.Errors...)
		return nil
	}
	if err != nil {
		return err
	}
	l.add(t.errors...)
	groups := [][]include{nil}
	for _, a := range t.assigned {
		for _, name := range a.SLS {
			groups[0] = append(groups[0], include{env: a.Env, sls: name})
		}
	}
	for _, named := range t.named {
		for _, in := range named {
			l.checkNamed(in)
		}
		groups = append(groups, named)
	}
	for i, group := range groups {
		group = slices.DeleteFunc(slices.Clone(group), func(in include) bool {
			return !l.there(in) || i > 0 && !isGlob(in.sls) && l.covered[files.InTree(in.env, in.dotted())]
		})
		c, err := l.compile(ctx, group, linting{check: l.check, own: i == 0, loose: i > 0})
		if err != nil {
			return err
		}
		l.keep(c)
		maps.Copy(l.covered, c.loaded)
	}
	return nil
}

func (in include) dotted() string { return strings.ReplaceAll(in.sls, "/", ".") }

func (l *linter) there(in include) bool {
	return slices.Contains(l.known[in.env], in.dotted()) || isGlob(in.sls) && slices.ContainsFunc(l.known[in.env], func(name string) bool { return matchGlob(in.sls, name) })
}

// checkNamed checks what a top file names.
func (l *linter) checkNamed(in include) {
	known, ok := l.known[in.env]
	switch {
	case !ok:
		l.add(in.pos.errorf("%s", noEnvironment(in.env, sortedKeys(l.known))))
	case l.there(in):
	case isGlob(in.sls):
		l.add(in.pos.errorf("no SLS matches %q", in.sls))
	default:
		l.add(in.pos.errorf("there is no SLS %q%s", in.sls, config.DidYouMean(in.sls, known)))
	}
}

// rest checks the SLS files that no top file names, each with what it includes. One that another includes need not be whole
// without it.
func (l *linter) rest(ctx context.Context, envs []string) error {
	var order []string
	alone := map[string]*compiled{}
	for _, env := range envs {
		for _, name := range l.known[env] {
			key := files.InTree(env, name)
			if l.covered[key] {
				continue
			}
			c, err := l.compile(ctx, []include{{env: env, sls: name}}, linting{check: l.check})
			if err != nil {
				return err
			}
			for loaded := range c.loaded {
				delete(alone, loaded)
			}
			maps.Copy(l.covered, c.loaded)
			alone[key] = c
			order = append(order, key)
		}
	}
	for _, key := range order {
		if c := alone[key]; c != nil {
			l.keep(c)
		}
	}
	return nil
}

// reaches reports whether a gap is one that the doubt is about, or may be included by one.
func (d *doubt) reaches(g gap) bool {
	return d.gaps == nil || slices.ContainsFunc(d.gaps, func(own gap) bool {
		return own.sls == g.sls || own.mayInclude(g.sls)
	})
}

// sorted is every mistake, file by file in the order in which they were read, and in a file by line.
func (l *linter) sorted() []*Error {
	for _, d := range l.doubts {
		if !l.found(d) {
			l.add(d.err)
		}
	}
	slices.SortStableFunc(l.errors, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(l.files[a.File], l.files[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return l.errors
}

// found reports whether a target is anywhere in the tree, or may be.
func (l *linter) found(d doubt) bool {
	t := d.target
	if slices.ContainsFunc(l.gaps, func(g gap) bool { return d.reaches(g) && g.mayHave(t) }) {
		return true
	}
	if t.module == "sls" {
		for _, names := range l.known {
			if slices.ContainsFunc(names, func(name string) bool { return name == t.name || matchGlob(t.name, name) }) {
				return true
			}
		}
		return false
	}
	if !isGlob(t.name) {
		return l.states[indexKey{t.module, t.name}]
	}
	for key := range l.states {
		if key.module == t.module && matchGlob(t.name, key.name) {
			return true
		}
	}
	return false
}

// has reports whether texts stand in the file itself: those that a template makes are others on other hosts.
func (f *slsFile) has(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(f.source, v)
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !f.has(item) })
	}
	return true
}

// check looks at the arguments' values.
func (c *compiler) check() {
	for _, ch := range c.chunks {
		ctx := files.InEnvironment(c.ctx, ch.environment())
		params := c.paramsOf(ch.fn)
		for i := range ch.raw {
			param := params[ch.raw[i].key]
			if param == nil || ch.args[param.Name] == nil || !c.lint.own && !ch.pos.file.has(ch.raw[i].value) {
				continue
			}
			if err := c.lint.check(ctx, ch.fn, param, ch.args[param.Name]); err != nil {
				c.failAt(ch.raw[i].pos, "%s of %q: %v", ch.fn.Name, ch.id, err)
			}
		}
	}
}
