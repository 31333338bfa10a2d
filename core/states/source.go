package states

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/render"
)

// slsFile is one SLS file as it was read.
type slsFile struct {
	env              string // the environment that it is of
	sls, path        string // path in the environment
	source, rendered string
	root             *yaml.Node // a mapping, or nil for an empty file
	vars             map[string]any

	aligned sync.Once
	lines   []int // source line of each rendered line, nil where they are the same
}

// pos is a place in a rendered file.
type pos struct {
	file *slsFile
	line int
}

func (p pos) errorf(format string, args ...any) *Error {
	err := &Error{Msg: fmt.Sprintf(format, args...)}
	if p.file != nil {
		err.File = p.file.place()
		err.Line = p.sourceLine()
	}
	return err
}

func (p pos) sourceLine() int {
	if p.line == 0 {
		return 0
	}
	return p.file.sourceLine(p.line)
}

func (p pos) String() string { return fmt.Sprintf("%s:%d", p.file.place(), p.sourceLine()) }

// place is the file's path in the whole tree.
func (f *slsFile) place() string { return files.InTree(cmp.Or(f.env, files.Base), f.path) }

// candidates are the paths that an SLS name can have, .zy before .sls.
func candidates(sls string) []string {
	base := strings.ReplaceAll(sls, ".", "/")
	return []string{base + ".zy", base + "/init.zy", base + ".sls", base + "/init.sls"}
}

// slsName is the name of the SLS file at a path of the tree, "" for other files.
func slsName(file string) string {
	base, ok := strings.CutSuffix(file, ".zy")
	if !ok {
		if base, ok = strings.CutSuffix(file, ".sls"); !ok {
			return ""
		}
	}
	base = strings.TrimSuffix(base, "/init")
	if strings.Contains(base, ".") {
		return ""
	}
	return strings.ReplaceAll(base, "/", ".")
}

// find reads the file of an SLS name, in the context's environment.
func (r *Runner) find(ctx context.Context, sls string) (string, []byte, error) {
	for _, file := range candidates(sls) {
		data, err := r.opts.Tree.Load(ctx, file)
		if err == nil {
			return file, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return "", nil, fs.ErrNotExist
}

// slsNames lists every SLS of the context's environment, or nothing if the tree cannot be listed.
func (r *Runner) slsNames(ctx context.Context) ([]string, error) {
	lister, ok := r.opts.Tree.(Lister)
	if !ok {
		return nil, nil
	}
	paths, err := lister.Names(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range paths {
		if name := slsName(file); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// read loads, renders and parses an SLS file of an environment. Beside an error stands what could be loaded, or nil.
func (r *Runner) read(ctx context.Context, env, sls string, from pos) (*slsFile, *Error) {
	ctx = files.InEnvironment(ctx, env)
	file, source, err := r.find(ctx, sls)
	if errors.Is(err, fs.ErrNotExist) {
		names, _ := r.slsNames(ctx)
		in := ""
		if env != files.Base {
			in = fmt.Sprintf(" in environment %q", env)
		}
		missing := from.errorf("there is no SLS %q%s%s: looked for %s", sls, in, config.DidYouMean(sls, withoutTop(names)), strings.Join(candidates(sls), ", "))
		missing.err = fs.ErrNotExist
		return nil, missing
	}
	if err != nil {
		wrapped := from.errorf("SLS %q: %v", sls, err)
		wrapped.err = err
		return nil, wrapped
	}
	f := &slsFile{env: env, sls: sls, path: file, source: string(source)}
	f.vars = r.fileVars(f)
	if problem := r.renderFile(ctx, f, source); problem != nil {
		return f, problem
	}
	return f, f.parse()
}

// withoutTop is the SLS names that can be meant where one is named: not the top file.
func withoutTop(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "top" })
}

// fileVars adds what Salt tells a file of itself.
func (r *Runner) fileVars(f *slsFile) map[string]any {
	vars := map[string]any{}
	if r.opts.Vars != nil {
		vars = maps.Clone(r.opts.Vars(f.sls))
	}
	if vars == nil {
		vars = map[string]any{}
	}
	dir := path.Dir(f.path)
	slspath := strings.ReplaceAll(f.sls, ".", "/")
	if base := path.Base(f.path); base != "init.zy" && base != "init.sls" {
		slspath = path.Dir(slspath)
	}
	if slspath == "." {
		slspath = ""
	}
	maps.Copy(vars, map[string]any{
		"sls": f.sls, "tplfile": f.path, "tplpath": f.path, "tpldir": dir, "tpldot": strings.ReplaceAll(dir, "/", "."),
		"slspath": slspath, "slsdotpath": strings.ReplaceAll(slspath, "/", "."),
		"slscolonpath": strings.ReplaceAll(slspath, "/", ":"), "sls_path": strings.ReplaceAll(slspath, "/", "_"),
		"env": f.env, "saltenv": f.env,
	})
	return vars
}

func (r *Runner) renderFile(ctx context.Context, f *slsFile, source []byte) *Error {
	template, problem := pipeline(f)
	if problem != nil {
		return problem
	}
	if !template {
		f.rendered = f.source
		return nil
	}
	rendered, err := r.opts.Render.Render(ctx, f.path, source, f.vars)
	if err != nil {
		problem := &Error{File: f.place(), Msg: err.Error(), err: err}
		var template *render.Error
		if errors.As(err, &template) {
			// It names file and line itself, of an imported file perhaps.
			problem.File, problem.Line = files.InTree(f.env, template.Name), template.Line
			problem.Msg = strings.TrimPrefix(problem.Msg, fmt.Sprintf("%s:%d: ", template.Name, template.Line))
		}
		return problem
	}
	f.rendered = rendered
	return nil
}

// pipeline reads the shebang of a file: whether it is a template.
func pipeline(f *slsFile) (template bool, problem *Error) {
	first, _, _ := strings.Cut(f.source, "\n")
	shebang, ok := strings.CutPrefix(strings.TrimSpace(first), "#!")
	if !ok {
		return true, nil
	}
	at := pos{file: f}
	for _, stage := range strings.Split(shebang, "|") {
		switch name, _, _ := strings.Cut(strings.TrimSpace(stage), " "); name {
		case "jinja":
			template = true
		case "yaml", "json":
		default:
			return false, at.errorf("the renderer %q of %q is not supported: use #!jinja|yaml or #!yaml", name, strings.TrimSpace(first))
		}
	}
	return template, nil
}

func (f *slsFile) parse() *Error {
	root, err := document.Parse(f.rendered)
	var problem *document.Error
	if errors.As(err, &problem) {
		return pos{f, problem.Line}.errorf("%v%s", problem.Err, f.context(problem.Line))
	}
	if root != nil && root.Kind != yaml.MappingNode {
		return pos{f, root.Line}.errorf("an SLS file is a mapping of ids to states, this is %s%s", document.Describe(root), f.context(root.Line))
	}
	f.root = root
	return nil
}

// context quotes a rendered line where it differs from what the source has there.
func (f *slsFile) context(line int) string {
	lines := strings.Split(f.rendered, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := strings.TrimSpace(lines[line-1])
	written := strings.Split(f.source, "\n")
	if at := f.sourceLine(line); at <= len(written) && strings.TrimSpace(written[at-1]) == text {
		return ""
	}
	if len(text) > 120 {
		text = text[:120] + "…"
	}
	return fmt.Sprintf(" (rendered line %d: %q)", line, text)
}
