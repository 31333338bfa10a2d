package states

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
)

// compiler turns SLS files into chunks, collecting every mistake it meets.
type compiler struct {
	*Runner
	ctx    context.Context
	loaded map[string]bool
	docs   []*content     // included before including
	files  map[string]int // in the order in which they were read
	// included are the SLS files that each SLS file includes.
	included map[string][]string
	blocks   []*block // in definition order
	byID     map[string]*block
	decls    int // how many were numbered
	chunks   []*chunk
	params   map[*Function]map[string]*Param
	errors   []*Error
	// broken ids and names have mistakes of their own, and gaps are what could not be read: that a requisite does not find
	// one of these is not another mistake.
	broken map[string]bool
	gaps   []gap
	lint   *linting // nil but for Lint
}

// Compile reads the SLS files and everything they include and returns what to run, in definition order: an included
// file comes before the file that includes it. The error is a *CompileError with every mistake found, or the
// context's.
func (r *Runner) Compile(ctx context.Context, sls []string) (*Plan, error) {
	c := r.compiler(ctx)
	if err := c.environment(r.env()); err != nil {
		return nil, err
	}
	for _, name := range sls {
		c.include(include{env: r.env(), sls: name})
	}
	return c.finish()
}

// environment makes sure that an environment is there, if the tree can tell.
func (c *compiler) environment(name string) error {
	known, err := c.environments(c.ctx)
	if err != nil {
		return err
	}
	if known != nil && !slices.Contains(known, name) {
		return &CompileError{Errors: []*Error{{Msg: noEnvironment(name, known), err: fs.ErrNotExist}}}
	}
	return nil
}

func noEnvironment(name string, known []string) string {
	if hint := config.DidYouMean(name, known); hint != "" {
		return fmt.Sprintf("there is no environment %q%s in the states tree", name, hint)
	}
	return fmt.Sprintf("there is no environment %q in the states tree: there are %s", name, strings.Join(known, ", "))
}

func (r *Runner) compiler(ctx context.Context) *compiler {
	return &compiler{
		Runner: r, ctx: ctx, loaded: map[string]bool{}, files: map[string]int{}, byID: map[string]*block{}, included: map[string][]string{},
		params: map[*Function]map[string]*Param{}, broken: map[string]bool{},
	}
}

func (c *compiler) finish() (*Plan, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	c.collect()
	c.extend()
	c.exclude()
	c.expand()
	c.inherit()
	c.bind()
	if c.lint != nil && c.lint.check != nil {
		c.check()
	}
	c.setOrders()
	c.link()
	order := c.sort()
	if len(c.errors) > 0 {
		return nil, c.problems()
	}
	return &Plan{opts: &c.opts, chunks: c.chunks, order: order, blocks: c.blocks}, nil
}

// problems is every mistake found, file by file.
func (c *compiler) problems() *CompileError {
	slices.SortStableFunc(c.errors, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(c.files[a.File], c.files[b.File]), cmp.Compare(a.Line, b.Line))
	})
	// Several names of one declaration have the same mistakes.
	c.errors = slices.CompactFunc(c.errors, func(a, b *Error) bool { return a.Line > 0 && a.File == b.File && a.Line == b.Line && a.Msg == b.Msg })
	return &CompileError{Errors: c.errors}
}

func (c *compiler) fail(err *Error) { c.errors = append(c.errors, err) }

func (c *compiler) failAt(at pos, format string, args ...any) { c.fail(at.errorf(format, args...)) }

// include loads what an include names: one SLS, or every SLS that its glob matches.
func (c *compiler) include(in include) {
	if !isGlob(in.sls) {
		c.load(in.env, in.sls, in.pos)
		return
	}
	names, err := c.slsNames(files.InEnvironment(c.ctx, in.env))
	if err != nil {
		c.failAt(in.pos, "list the tree: %v", err)
		return
	}
	found := false
	for _, name := range names {
		if matchGlob(in.sls, name) {
			found = true
			c.load(in.env, name, in.pos)
		}
	}
	if !found {
		c.lose(in.sls, nil)
		c.failAt(in.pos, "no SLS matches %q", in.sls)
	}
}

func (c *compiler) load(env, sls string, from pos) {
	sls = strings.ReplaceAll(sls, "/", ".")
	if from.file != nil {
		c.included[from.file.sls] = append(c.included[from.file.sls], sls)
	}
	key := files.InTree(env, sls)
	if c.loaded[key] || c.ctx.Err() != nil {
		return
	}
	c.loaded[key] = true
	file, problem := c.read(c.ctx, env, sls, from)
	if problem != nil {
		if _, known := c.files[problem.File]; !known {
			c.files[problem.File] = len(c.files)
		}
		c.lose(sls, file)
		c.fail(problem)
		return
	}
	c.files[file.place()] = len(c.files)
	doc, problems := file.content()
	file.root = nil
	c.errors = append(c.errors, problems...)
	if len(problems) > 0 {
		c.gaps = append(c.gaps, gap{sls: sls, file: file, parts: doc.lost})
	}
	for _, in := range doc.includes {
		name, ok := absolute(in.sls, file)
		if !ok {
			c.lose(in.sls, nil)
			c.failAt(in.pos, "include %q leads out of the tree", in.sls)
			continue
		}
		in.sls = name
		if in.env == "" {
			in.env = file.env
		} else if err := c.environment(in.env); err != nil {
			c.lose(in.sls, nil)
			c.failAt(in.pos, "include %q: %v", in.sls, err)
			continue
		}
		c.include(in)
	}
	c.docs = append(c.docs, doc)
}

// absolute resolves the leading dots of an include: one is the package of the including file, each more one level up.
func absolute(name string, file *slsFile) (string, bool) {
	rest := strings.TrimLeft(name, ".")
	dots := len(name) - len(rest)
	if dots == 0 {
		return name, true
	}
	parts := strings.Split(file.sls, ".")
	if base := path.Base(file.path); base != "init.zy" && base != "init.sls" {
		dots++
	}
	dots-- // the first dot is the package itself
	if dots > len(parts) {
		return "", false
	}
	return strings.Join(append(slices.Clone(parts[:len(parts)-dots]), rest), "."), true
}

// collect numbers the declarations and finds ids that are there twice.
func (c *compiler) collect() {
	for _, doc := range c.docs {
		for _, b := range doc.blocks {
			if other := c.byID[b.id]; other != nil {
				c.failAt(b.pos, "the id %q is there already, at %s: ids are unique over all files", b.id, other.pos)
				continue
			}
			c.byID[b.id] = b
			c.blocks = append(c.blocks, b)
			for _, d := range b.decls {
				if d.order = c.decls; d.arg("order") == nil {
					c.decls++
				}
			}
		}
	}
}

// extend applies every extend: to the ids it names.
func (c *compiler) extend() {
	for _, doc := range c.docs {
		for _, ext := range doc.extends {
			b := c.byID[ext.id]
			if b == nil {
				b = c.byName(ext)
			}
			if b == nil {
				c.missing(target{name: ext.id}, ext.pos, "extend: there is no id %q%s: include the file that declares it", ext.id, config.DidYouMean(ext.id, c.ids()))
				continue
			}
			for _, d := range ext.decls {
				b.extend(d, c.decls)
			}
		}
	}
}

// byName finds the block whose state of the same module has the extended id as its name.
func (c *compiler) byName(ext *block) *block {
	for _, b := range c.blocks {
		for _, d := range b.decls {
			if name := d.arg("name"); name != nil && name.value == ext.id && ext.decl(d.module) != nil {
				return b
			}
		}
	}
	return nil
}

// extend adds d to the block. A module that the block did not have runs last.
func (b *block) extend(d *decl, last int) {
	into := b.decl(d.module)
	if into == nil {
		d.order = last
		b.decls = append(b.decls, d)
		return
	}
	if d.function != "" {
		into.function = d.function
	}
	for _, arg := range d.args {
		old := into.arg(arg.key)
		if old == nil {
			into.args = append(into.args, arg)
			continue
		}
		if _, ok := requisiteKey(arg.key); ok {
			before, wasList := old.value.([]any)
			more, isList := arg.value.([]any)
			if wasList && isList {
				old.value, old.lines = slices.Concat(before, more), nil
				continue
			}
		}
		*old = arg
	}
}

func (c *compiler) ids() []string {
	ids := make([]string, len(c.blocks))
	for i, b := range c.blocks {
		ids[i] = b.id
	}
	return ids
}

// exclude drops the blocks that exclude: or the caller leaves out.
func (c *compiler) exclude() {
	var all []exclusion
	for _, doc := range c.docs {
		all = append(all, doc.excludes...)
	}
	for _, name := range c.opts.Exclude {
		all = append(all, exclusion{sls: name})
	}
	for _, id := range c.opts.ExcludeIDs {
		all = append(all, exclusion{id: id})
	}
	if len(all) == 0 {
		return
	}
	c.blocks = slices.DeleteFunc(c.blocks, func(b *block) bool {
		return slices.ContainsFunc(all, func(e exclusion) bool {
			return e.id != "" && e.id == b.id || e.sls != "" && matchGlob(e.sls, b.pos.file.sls)
		})
	})
}
