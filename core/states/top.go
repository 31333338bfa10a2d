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
)

// topFiles are the names of the top file, the first that exists is used.
var topFiles = []string{"top.zy", "top.sls"}

// matchers translates the match: of a Salt top file into the target grammar.
var matchers = map[string]string{
	"glob": "", "compound": "", "pcre": "E@", "grain": "G@", "grain_pcre": "P@", "list": "L@", "pillar": "I@",
	"nodegroup": "N@", "ipcidr": "S@",
}

// Highstate compiles the SLS files that the top file assigns to this host, in the order of the file.
func (r *Runner) Highstate(ctx context.Context) (*Plan, error) {
	names, err := r.Top(ctx)
	if err != nil {
		return nil, err
	}
	return r.Compile(ctx, names)
}

// Top returns the SLS names that the top file assigns to this host. That none does is an error.
func (r *Runner) Top(ctx context.Context) ([]string, error) {
	file, problem := r.readTop(ctx)
	if problem != nil {
		return nil, &CompileError{Errors: []*Error{problem}}
	}
	t := &topReader{parser: parser{file: file}, Runner: r}
	if file.root != nil {
		t.environments(file.root)
	}
	if len(t.errors) > 0 {
		return nil, &CompileError{Errors: t.errors}
	}
	if len(t.names) == 0 {
		return nil, &CompileError{Errors: []*Error{pos{file: file}.errorf("no target matches this host: nothing to do")}}
	}
	return t.names, nil
}

func (r *Runner) readTop(ctx context.Context) (*slsFile, *Error) {
	for _, path := range topFiles {
		source, err := r.opts.Tree.Load(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f := &slsFile{sls: "top", path: path, source: string(source)}
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
	return nil, &Error{Msg: "there is no top file in the states tree: write " + strings.Join(topFiles, " or ") + ", or name the SLS to apply", err: fs.ErrNotExist}
}

type topReader struct {
	parser
	*Runner
	names []string
	named []include // for whatever host
}

// environments reads `base: {target: [sls]}`, and targets without an environment above them.
func (t *topReader) environments(root *yaml.Node) {
	err := t.Pairs(root, func(key string, _, value *yaml.Node) error {
		if value = document.Resolve(value); value.Kind != yaml.MappingNode {
			t.target(key, value)
			return nil
		}
		if key != t.opts.Env {
			return nil
		}
		return t.Pairs(value, func(key string, _, value *yaml.Node) error {
			t.target(key, document.Resolve(value))
			return nil
		})
	})
	if err != nil {
		t.report(err)
	}
}

// target reads the list under a target and keeps its SLS names if the target matches.
func (t *topReader) target(target string, node *yaml.Node) {
	if node.Kind != yaml.SequenceNode {
		t.fail(node.Line, "target %q takes a list of SLS names, not %s", target, document.Describe(node))
		return
	}
	var names []string
	expression := target
	for _, item := range node.Content {
		item = document.Resolve(item)
		if item.Kind == yaml.ScalarNode && item.Value != "" {
			names = append(names, item.Value)
			t.named = append(t.named, include{item.Value, pos{t.file, item.Line}})
			continue
		}
		m, err := t.Plain(item)
		options, ok := m.(map[string]any)
		if err != nil || !ok {
			t.fail(item.Line, "target %q takes a list of SLS names, not %s", target, document.Describe(item))
			continue
		}
		for _, key := range sortedKeys(options) {
			kind, _ := options[key].(string)
			prefix, known := matchers[kind]
			if key != "match" || !known {
				t.fail(item.Line, "target %q: unknown option %q: %s%s", target, key, describe(options[key]), config.DidYouMean(kind, sortedKeys(matchers)))
				continue
			}
			expression = prefix + target
		}
	}
	matched, err := t.match(expression)
	if err != nil {
		t.fail(node.Line, "target %q: %v", target, err)
		return
	}
	for _, name := range names {
		if matched && !slices.Contains(t.names, name) {
			t.names = append(t.names, name)
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
	file := &slsFile{path: "state.single"}
	file.vars = r.fileVars(&slsFile{path: "."})
	at := pos{file: file}
	d := &decl{module: module, function: fun, pos: at}
	for _, key := range sortedKeys(args) {
		d.args = append(d.args, argument{key: key, value: args[key], pos: at})
	}
	c := r.compiler(ctx)
	c.docs = []*content{{file: file, blocks: []*block{{id: name, pos: at, decls: []*decl{d}}}}}
	return c.finish()
}
