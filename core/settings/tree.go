package settings

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/render"
)

// tree is the settings directory as it is read once: a file is loaded when it is first asked for and stays as it was.
type tree struct {
	dir     files.Directory
	engine  *render.Engine
	lenient *render.Engine // for files without facts

	mu     sync.Mutex
	loaded map[string]loaded
	known  []string            // environments; nil until asked for
	names  map[string][]string // of all settings files of an environment, dotted
	files  map[parseKey]*settingsFile
	tops   map[parseKey]*top
}

type loaded struct {
	data []byte
	err  error
}

// maxParsed bounds how many distinct texts are remembered as YAML.
const maxParsed = 10_000

type parseKey struct{ path, text string }

func newTree(dir string, environments map[string]string) *tree {
	t := &tree{dir: files.Dirs(dir, environments), loaded: map[string]loaded{}, names: map[string][]string{}, files: map[parseKey]*settingsFile{}, tops: map[parseKey]*top{}}
	t.engine = render.New(render.Options{Loader: t})
	t.lenient = render.New(render.Options{Loader: t, Undefined: render.Lenient})
	return t
}

// Load implements render.Loader: templates may import and include files of the tree, of the context's environment.
func (t *tree) Load(ctx context.Context, name string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := inTree(ctx, name)
	l, ok := t.loaded[key]
	if !ok {
		l.data, l.err = t.dir.Load(ctx, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t.loaded[key] = l
	}
	return l.data, l.err
}

// find returns the path and content of the first of the candidates that exists.
func (t *tree) find(ctx context.Context, candidates ...string) (string, []byte, error) {
	for _, c := range candidates {
		data, err := t.Load(ctx, c)
		if !errors.Is(err, fs.ErrNotExist) {
			return c, data, err
		}
	}
	return "", nil, fs.ErrNotExist
}

// environments lists what there is, base first.
func (t *tree) environments(ctx context.Context) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		var err error
		if t.known, err = t.dir.Environments(ctx); err != nil {
			return nil, err
		}
	}
	return t.known, nil
}

// inTree is the path in the whole tree of one in the context's environment.
func inTree(ctx context.Context, path string) string {
	return files.InTree(files.EnvironmentOf(ctx), path)
}

// candidates are the files that a name such as "common.base" can mean.
func candidates(name string) []string {
	p := strings.ReplaceAll(name, ".", "/")
	return []string{p + ".zy", p + "/init.zy", p + ".sls", p + "/init.sls"}
}

// list gives the names of all settings files of the context's environment, sorted.
func (t *tree) list(ctx context.Context) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	env := files.EnvironmentOf(ctx)
	if names := t.names[env]; names != nil {
		return names
	}
	paths, err := t.dir.Names(ctx)
	if err != nil {
		return nil
	}
	names := []string{}
	for _, p := range paths {
		stem, isFile := strings.CutSuffix(p, ".zy")
		if !isFile {
			stem, isFile = strings.CutSuffix(p, ".sls")
		}
		if dir, base := path.Split(stem); base == "init" && dir != "" {
			stem = strings.TrimSuffix(dir, "/")
		}
		if isFile && stem != "top" && !strings.Contains(stem, ".") {
			names = append(names, strings.ReplaceAll(stem, "/", "."))
		}
	}
	slices.Sort(names)
	t.names[env] = slices.Compact(names)
	return t.names[env]
}

// expand gives the names that a pattern with * ? or [] means; any other name means itself.
func (t *tree) expand(ctx context.Context, name string) []string {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}
	}
	// A dot is no border to a pattern, as in Salt.
	pattern := strings.ReplaceAll(name, ".", "/")
	var out []string
	for _, n := range t.list(ctx) {
		if globMatch(pattern, strings.ReplaceAll(n, ".", "/")) {
			out = append(out, n)
		}
	}
	return out
}

// globMatch is path.Match with a slash as any other character.
func globMatch(pattern, name string) bool {
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x01") }
	ok, err := path.Match(flat(pattern), flat(name))
	return ok && err == nil
}
