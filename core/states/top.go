package states

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/files"
	grammar "github.com/ptorbus/zester/core/target"
)

// topFiles are the names of the top file, the first that exists is used.
func (r *Runner) topFiles() []string {
	if r.opts.Top != "" {
		return []string{r.opts.Top}
	}
	return []string{"top.zy", "top.sls"}
}

// matchers translates the match: of a Salt top file into the target grammar.
var matchers = map[string]string{
	"glob": "", "compound": "", "pcre": "E@", "grain": "G@", "grain_pcre": "P@", "list": "L@", "pillar": "I@", "pillar_exact": "I@", "pillar_pcre": "J@",
	"ipcidr": "S@", "nodegroup": "N@",
}

// Assignment is the SLS files of one environment that a host gets.
type Assignment struct {
	Env string
	SLS []string
}

// Highstate compiles the SLS files that the top files assign to this host, in their order.
func (r *Runner) Highstate(ctx context.Context) (*Plan, error) {
	assigned, err := r.Top(ctx)
	if err != nil {
		return nil, err
	}
	c := r.compiler(ctx)
	for _, a := range assigned {
		for _, name := range a.SLS {
			c.include(include{env: a.Env, sls: name})
		}
	}
	return c.finish()
}

// Top returns the SLS files that the top files assign to this host. With Options.Env that is what the top file of this
// environment says of it. Without, the top file of base counts, and may speak of every environment; of one that it does
// not mention, the environment's own top file counts as far as it speaks of itself (Salt's top_file_merging_strategy:
// merge). That nothing is assigned is an error.
func (r *Runner) Top(ctx context.Context) ([]Assignment, error) {
	t, err := r.readTops(ctx)
	if err != nil {
		return nil, err
	}
	if len(t.errors) > 0 {
		return nil, &CompileError{Errors: t.errors}
	}
	var out []Assignment
	for _, a := range t.assigned {
		if len(a.SLS) > 0 {
			out = append(out, a.Assignment)
		}
	}
	if len(out) == 0 {
		return nil, &CompileError{Errors: []*Error{pos{file: t.file}.errorf("no target matches this host: nothing to do")}}
	}
	return out, nil
}

// readTops reads the top files that count.
func (r *Runner) readTops(ctx context.Context) (*topReader, error) {
	envs := []string{r.opts.Env}
	if r.opts.Env == "" {
		var err error
		if envs, err = r.environments(ctx); err != nil {
			return nil, err
		}
		if envs == nil {
			envs = []string{files.Base}
		}
	} else if err := r.compiler(ctx).environment(r.opts.Env); err != nil {
		return nil, err
	}
	t := &topReader{Runner: r}
	var err error
	if t.known, err = r.environments(ctx); err != nil {
		return nil, err
	}
	if t.known == nil {
		t.known = []string{files.Base}
	}
	for _, env := range envs {
		file, problem := r.readTop(ctx, env)
		if problem != nil {
			return nil, &CompileError{Errors: []*Error{problem}}
		}
		if file == nil {
			continue
		}
		t.file, t.env = file, env
		if file.root != nil {
			t.environments(file.root)
		}
	}
	if t.file == nil {
		return nil, &CompileError{Errors: []*Error{{
			Msg: "there is no top file in the states tree: write " + strings.Join(r.topFiles(), " or ") + ", or name the SLS to apply", err: fs.ErrNotExist,
		}}}
	}
	return t, nil
}

// readTop reads the top file of an environment, nil if it has none.
func (r *Runner) readTop(ctx context.Context, env string) (*slsFile, *Error) {
	ctx = files.InEnvironment(ctx, env)
	for _, path := range r.topFiles() {
		source, err := r.opts.Tree.Load(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f := &slsFile{env: env, sls: "top", path: path, source: string(source)}
		if err != nil {
			problem := pos{file: f}.errorf("%v", err)
			problem.err = err
			return nil, problem
		}
		f.vars = r.fileVars(f)
		if problem := r.renderFile(ctx, f, source); problem != nil {
			return nil, problem
		}
		return f, f.parse()
	}
	return nil, nil
}

// topReader reads one top file after the other.
type topReader struct {
	parser
	*Runner
	env      string   // of the file
	known    []string // environments
	assigned []*assigned
	named    [][]include // for whatever host, by target
}

// assigned is an Assignment; by is the environment of the top file whose part it is to say what is in it, empty as long as
// others only add to it with - environment: sls.
type assigned struct {
	Assignment
	by string
}

// open returns what is assigned of an environment, for the file that is read to add to it; nil if that is for another
// file to say.
func (t *topReader) open(env string) *assigned {
	if t.opts.Env != "" && env != t.opts.Env || t.env != files.Base && env != t.env {
		return nil
	}
	a := t.of(env)
	if a.by == "" {
		a.by = t.env
	}
	if a.by != t.env {
		return nil
	}
	return a
}

// of returns what is assigned of an environment.
func (t *topReader) of(env string) *assigned {
	for _, a := range t.assigned {
		if a.Env == env {
			return a
		}
	}
	a := &assigned{Assignment: Assignment{Env: env}}
	t.assigned = append(t.assigned, a)
	return a
}

// environments reads `base: {target: [sls]}`, and targets without an environment above them.
func (t *topReader) environments(root *yaml.Node) {
	err := t.pairs(root, func(key string, keyNode, value *yaml.Node) error {
		if value = document.Resolve(value); value.Kind != yaml.MappingNode {
			if into := t.open(t.env); into != nil {
				t.target(into, key, keyNode.Line, value)
			}
			return nil
		}
		into := t.open(key)
		if into == nil {
			return nil
		}
		return t.pairs(value, func(key string, keyNode, value *yaml.Node) error {
			t.target(into, key, keyNode.Line, document.Resolve(value))
			return nil
		})
	})
	if err != nil {
		t.report(err)
	}
}

// target reads the list under a target, whose own line is given, and keeps its SLS names if the target matches.
func (t *topReader) target(into *assigned, target string, line int, node *yaml.Node) {
	items := node.Content
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!str" && node.Value != "":
		items = []*yaml.Node{node}
	case node.Kind != yaml.SequenceNode:
		t.fail(node.Line, "target %q takes a list of SLS names, not %s", target, document.Describe(node))
		return
	}
	var named []include
	expression := target
	for _, item := range items {
		item = document.Resolve(item)
		if item.Kind == yaml.ScalarNode && item.Value != "" {
			named = append(named, include{into.Env, item.Value, pos{t.file, item.Line}})
			continue
		}
		m, err := t.Plain(item)
		options, ok := m.(map[string]any)
		if err != nil || !ok {
			t.fail(item.Line, "target %q takes a list of SLS names, not %s", target, document.Describe(item))
			continue
		}
		for _, key := range sortedKeys(options) {
			text, _ := options[key].(string)
			prefix, known := matchers[text]
			switch {
			case key == "match" && known:
				expression = prefix + target
			case len(options) == 1 && text != "" && slices.Contains(t.known, key): // - dev: name
				named = append(named, include{key, text, pos{t.file, item.Line}})
			case key == "match":
				t.fail(item.Line, "target %q: unknown option %q: %s%s", target, key, describe(options[key]), config.DidYouMean(text, sortedKeys(matchers)))
			case len(options) == 1 && text != "":
				t.fail(item.Line, "target %q: %s", target, noEnvironment(key, t.known))
			default:
				t.fail(item.Line, "target %q: unknown option %q: %s", target, key, describe(options[key]))
			}
		}
	}
	t.named = append(t.named, named)
	matched, err := t.match(expression)
	if _, quoted := errors.AsType[*grammar.Error](err); quoted {
		t.fail(line, "%v", err) // it names the target itself
	} else if err != nil {
		t.fail(line, "target %q: %v", target, err)
	}
	if !matched || err != nil {
		return
	}
	for _, in := range named {
		if a := t.of(in.env); !slices.Contains(a.SLS, in.sls) {
			a.SLS = append(a.SLS, in.sls)
		}
	}
}

func (t *topReader) match(expression string) (bool, error) {
	if expression == "*" {
		return true, nil
	}
	if t.opts.Match == nil {
		return false, errors.New("targets cannot be matched here")
	}
	return t.opts.Match(expression)
}

// Single compiles one state that is written in no file: the function, its name and its arguments.
func (r *Runner) Single(ctx context.Context, function, name string, args map[string]any) (*Plan, error) {
	module, fun, _ := strings.Cut(function, ".")
	file := &slsFile{env: r.env(), path: "state.single"}
	file.vars = r.fileVars(&slsFile{env: r.env(), path: "."})
	at := pos{file: file}
	d := &decl{module: module, function: fun, pos: at}
	for _, key := range sortedKeys(args) {
		d.args = append(d.args, argument{key: key, value: args[key], pos: at})
	}
	c := r.compiler(ctx)
	c.docs = []*content{{file: file, blocks: []*block{{id: name, pos: at, decls: []*decl{d}}}}}
	return c.finish()
}
