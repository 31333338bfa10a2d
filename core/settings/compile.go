package settings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/target"
)

// ErrNoTop: the settings tree has no top.zy, or does not exist.
var ErrNoTop = errors.New("no top.zy")

// Peel is whom to compile for. Facts are what the peel says of itself.
type Peel struct {
	ID    string
	Facts map[string]any
}

// CompilerOptions configure a Compiler.
type CompilerOptions struct {
	Dir string // the settings tree: /srv/zester/settings
	// Environments are the directories of environments that do not stand in Dir as @NAME.
	Environments map[string]string
	Account      Account           // for !encrypted values
	Groups       map[string]string // what N@ terms mean
	// Vars, if not nil, gives more variables for a peel's templates. It must derive nothing from facts but p.Facts.
	Vars func(p Peel) map[string]any
}

// Compiler makes peels' settings of a settings tree. It reads each file once until Reload.
type Compiler struct {
	o      CompilerOptions
	groups groups
	tree   atomic.Pointer[tree]
}

// NewCompiler makes a Compiler. The directory need not exist yet.
func NewCompiler(o CompilerOptions) *Compiler {
	c := &Compiler{o: o, groups: readGroups(o.Groups)}
	c.Reload()
	return c
}

// Reload makes the Compiler read the files anew.
func (c *Compiler) Reload() { c.tree.Store(newTree(c.o.Dir, c.o.Environments)) }

// dirs are the directories that are read.
func (c *Compiler) dirs() []string {
	return append(slices.Collect(maps.Values(c.o.Environments)), c.o.Dir)
}

// Compile makes the settings of one peel. The error names the file at fault; it is ErrNoTop if there is nothing to compile.
func (c *Compiler) Compile(ctx context.Context, p Peel) (*Map, error) {
	r := c.newRun(p)
	data, err := r.top(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.checkSecrets(ctx); err != nil {
		return nil, err
	}
	if data == nil {
		data = NewMap(0)
	}
	return data, nil
}

// run is one compilation.
type run struct {
	c       *Compiler
	tree    *tree
	peel    Peel
	vars    map[string]any
	free    bool                  // no facts: what is reached is reached whatever a peel says
	reached map[string]*reachedBy // by path
}

// reachedBy is how a file came to take part.
type reachedBy struct {
	file    *settingsFile
	err     error         // why there is no file, in a run without facts
	tops    []*assignment // that assign it
	parents []string      // files that include it
}

func (c *Compiler) newRun(p Peel) *run {
	r := &run{c: c, tree: c.tree.Load(), peel: p, reached: map[string]*reachedBy{}}
	// The id is what the peel is approved as, not what its facts say.
	known := map[string]any{}
	maps.Copy(known, p.Facts)
	known["id"] = p.ID
	r.peel.Facts = known
	grains := facts.Grains(known)
	r.vars = map[string]any{"id": p.ID, "peel_id": p.ID, "facts": known, "grains": grains}
	if c.o.Vars != nil {
		maps.Copy(r.vars, c.o.Vars(r.peel))
	}
	return r
}

// assigned is an assignment with the top file that it stands in.
type assigned struct {
	*assignment
	sheet *sheet
}

// top renders the top file of each environment and merges what they assign: environment by environment, in order.
func (r *run) top(ctx context.Context) (*Map, error) {
	known, err := r.tree.environments(ctx)
	if err != nil {
		return nil, err
	}
	byEnv := map[string][]assigned{}
	found := false
	for _, env := range known {
		ctx := files.InEnvironment(ctx, env)
		path, source, err := r.tree.find(ctx, "top.zy", "top.sls")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		d, err := r.tree.render(ctx, r.tree.engine, path, source, r.vars)
		if err != nil {
			return nil, err
		}
		t, err := r.tree.parsedTop(d, env, known, r.c.o.Groups)
		if err != nil {
			return nil, err
		}
		for _, a := range t.entries {
			byEnv[a.env] = append(byEnv[a.env], assigned{a, d})
		}
	}
	if !found {
		return nil, fmt.Errorf("settings directory %s: %w: it says which peels get which files, e.g. \"base: {'*': [common]}\"", r.c.o.Dir, ErrNoTop)
	}
	var all merging
	for _, env := range known {
		for _, a := range byEnv[env] {
			if err := r.assigned(files.InEnvironment(ctx, env), a, &all); err != nil {
				return nil, err
			}
		}
	}
	return all.data, nil
}

// assigned merges the files of one assignment, if it is for the peel.
func (r *run) assigned(ctx context.Context, a assigned, all *merging) error {
	if !a.target.Match(target.Peel{ID: r.peel.ID, Facts: r.peel.Facts}) || r.free && !a.target.IDOnly() {
		return nil
	}
	for _, n := range a.files {
		over, err := r.named(ctx, a.sheet, n, func(by *reachedBy) { by.tops = append(by.tops, a.assignment) }, nil)
		if err != nil {
			return err
		}
		all.add(over)
	}
	return nil
}

// parsedTop reads a top file; equal texts are read once.
func (t *tree) parsedTop(d *sheet, own string, known []string, groups map[string]string) (*top, error) {
	key := parseKey{own, d.text}
	t.mu.Lock()
	parsed := t.tops[key]
	t.mu.Unlock()
	if parsed != nil {
		return parsed, nil
	}
	parsed, err := parseTop(d, own, known, groups)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.tops) >= maxParsed {
		clear(t.tops)
	}
	t.tops[key] = parsed
	return parsed, nil
}

// named merges the files that a name in document d means. origin records how they were reached.
func (r *run) named(ctx context.Context, d *sheet, n name, origin func(*reachedBy), defaults map[string]any) (*Map, error) {
	if err := checkName(n.text); err != nil {
		return nil, d.at(n.line, "%w", err)
	}
	names := r.tree.expand(ctx, n.text)
	if len(names) == 0 && !n.missing {
		return nil, d.at(n.line, "no settings file matches %q", n.text)
	}
	var all merging
	for _, file := range names {
		path, source, err := r.tree.find(ctx, candidates(file)...)
		if errors.Is(err, fs.ErrNotExist) {
			if n.missing {
				continue
			}
			return nil, d.at(n.line, "%w", r.noFile(ctx, file))
		}
		if err != nil {
			return nil, d.at(n.line, "%w", err)
		}
		over, err := r.file(ctx, path, source, origin, defaults)
		if err != nil {
			return nil, err
		}
		all.add(over)
	}
	return all.data, nil
}

func (r *run) noFile(ctx context.Context, file string) error {
	p := strings.ReplaceAll(file, ".", "/")
	err := fmt.Errorf("there is no settings file %q: neither %s.zy nor %s/init.zy", file, p, p)
	if near := config.Nearest(file, r.tree.list(ctx)); near != "" {
		return fmt.Errorf("%w (did you mean %q?)", err, near)
	}
	return err
}

// file merges one file over what it includes. The first time counts; when it is reached again it adds nothing, as in Salt.
func (r *run) file(ctx context.Context, p string, source []byte, origin func(*reachedBy), defaults map[string]any) (*Map, error) {
	place := inTree(ctx, p)
	if by := r.reached[place]; by != nil {
		origin(by)
		return nil, nil
	}
	by := &reachedBy{}
	r.reached[place] = by
	origin(by)
	engine := r.tree.engine
	if r.free { // a fact that is missing is no reason not to see what else is there
		engine = r.tree.lenient
	}
	f, err := r.tree.file(ctx, engine, p, source, r.varsFor(ctx, p, defaults), r.c.o.Account)
	if err != nil {
		if r.free && ctx.Err() == nil {
			by.err = err
			return nil, nil // it needs facts: what it includes is not reached without
		}
		return nil, err
	}
	by.file = f
	d := &sheet{name: place, rendered: f.rendered}
	var all merging
	for _, in := range f.includes {
		in.text = absolute(p, in.text)
		over, err := r.named(ctx, d, in.name, func(by *reachedBy) { by.parents = append(by.parents, place) }, in.defaults)
		if err != nil {
			return nil, err
		}
		if over.Len() > 0 {
			over = nest(in.key, over)
		}
		all.add(over)
	}
	all.add(f.data)
	return all.data, nil
}

// varsFor are the variables of one file's template.
func (r *run) varsFor(ctx context.Context, p string, defaults map[string]any) map[string]any {
	vars := make(map[string]any, len(r.vars)+len(defaults)+4)
	maps.Copy(vars, r.vars)
	dir := path.Dir(p)
	stem := strings.TrimSuffix(p, path.Ext(p))
	vars["tplfile"], vars["tpldir"] = p, dir
	vars["sls"] = strings.ReplaceAll(strings.TrimSuffix(stem, "/init"), "/", ".")
	vars["slspath"] = dir
	vars["saltenv"], vars["pillarenv"] = files.EnvironmentOf(ctx), files.EnvironmentOf(ctx)
	maps.Copy(vars, defaults)
	return vars
}

// absolute resolves a name that begins with dots: one for the including file's directory, each more for one above.
func absolute(from, name string) string {
	rest := strings.TrimLeft(name, ".")
	up := len(name) - len(rest)
	if up == 0 {
		return name
	}
	dir := strings.Split(path.Dir(from), "/")
	if dir[0] == "." {
		dir = nil
	}
	if up-1 > len(dir) {
		return name // is refused as a name
	}
	return strings.Join(append(slices.Clip(dir[:len(dir)-(up-1)]), rest), ".")
}
