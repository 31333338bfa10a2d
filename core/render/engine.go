package render

import (
	"container/list"
	"context"
	"io/fs"
	"sync"
)

// Func is a callable a caller puts into the variables of a template. Arguments
// arrive as plain Go data (nil, bool, int64, float64, string, []byte, []any,
// map[string]any); the result is plain data too, or a *Dict, *List or *Tuple.
// An error it returns ends the rendering and is found by errors.Is and As.
type Func func(ctx context.Context, args []any, kwargs map[string]any) (any, error)

// ValueFunc is a Func that sees the template's own values: mappings keep the
// order of their keys, and what it writes into a *Dict or *List the template sees.
type ValueFunc func(ctx context.Context, args []any, kwargs *Dict) (any, error)

// Lookup is a dynamic mapping in the variables: x.name and x['name'] ask it.
// A name it does not know is undefined; x.a.b falls back to the name "a.b", so
// that one table of functions answers salt['mod.fun'] and salt.mod.fun alike.
type Lookup interface {
	Lookup(name string) (any, bool)
}

// Keyed is a Lookup that can also be listed: iterated, measured and printed.
type Keyed interface {
	Lookup
	Keys() []string
}

// Loader finds the files that templates import, include and extend. The path is
// relative to the root of the tree, slash-separated and clean; a file that does
// not exist is an error matching fs.ErrNotExist.
type Loader interface {
	Load(ctx context.Context, path string) ([]byte, error)
}

// FromFS is the Loader of a file system, such as os.DirFS of a directory.
func FromFS(tree fs.FS) Loader { return fsLoader{tree} }

type fsLoader struct{ tree fs.FS }

func (l fsLoader) Load(_ context.Context, path string) ([]byte, error) {
	return fs.ReadFile(l.tree, path)
}

// Undefined says what a template may do with a name that is not defined.
type Undefined int

const (
	// Strict refuses every use but "is defined" and the default filter, as Salt does.
	Strict Undefined = iota
	// Lenient prints nothing and iterates nothing, as Jinja2 does by default.
	Lenient
)

// Options configure an Engine. The zero value is strict, loads nothing and has
// generous limits.
type Options struct {
	Loader              Loader
	Undefined           Undefined
	KeepTrailingNewline bool // keep the last newline of every template
	MaxOutput           int  // bytes of output; 0 means 64 MiB
	MaxIterations       int  // loop steps of one rendering; 0 means 10 million
	MaxDepth            int  // nested macro calls, includes and imports; 0 means 300
	CacheBytes          int  // source bytes kept compiled; 0 means 32 MiB
}

// Engine renders templates. It is safe for concurrent use, keeps compiled
// templates by their content and holds nothing else between renderings.
type Engine struct {
	opts  Options
	mu    sync.Mutex
	cache map[cacheKey]*list.Element // elements hold *template
	order *list.List                 // most recently used first
	bytes int
}

// New returns an Engine; zero limits take their defaults.
func New(opts Options) *Engine {
	orDefault := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orDefault(&opts.MaxOutput, 64<<20)
	orDefault(&opts.MaxIterations, 10_000_000)
	orDefault(&opts.MaxDepth, 300)
	orDefault(&opts.CacheBytes, 32<<20)
	return &Engine{opts: opts, cache: map[cacheKey]*list.Element{}, order: list.New()}
}

// Render renders source with vars and returns the text. The name is the file's
// path in the tree: it heads error messages and anchors relative imports. vars is
// read, never written. The error is an *Error, or the context's.
func (e *Engine) Render(ctx context.Context, name string, source []byte, vars map[string]any) (string, error) {
	return e.render(ctx, name, source, vars)
}

// cacheKey is what a compiled template is found by.
type cacheKey struct {
	source string
	style  style
}

// compiled returns the template for source, compiling it at most once while it
// stays in the cache.
func (e *Engine) compiled(source []byte, s style) (*template, error) {
	e.mu.Lock()
	if el, ok := e.cache[cacheKey{string(source), s}]; ok {
		e.order.MoveToFront(el)
		e.mu.Unlock()
		return el.Value.(*template), nil
	}
	e.mu.Unlock()
	t, err := compile(cacheKey{string(source), s}, e.opts.KeepTrailingNewline)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if el, ok := e.cache[t.key]; ok {
		return el.Value.(*template), nil
	}
	e.cache[t.key] = e.order.PushFront(t)
	e.bytes += len(t.key.source)
	for e.bytes > e.opts.CacheBytes && e.order.Len() > 1 {
		old := e.order.Remove(e.order.Back()).(*template)
		delete(e.cache, old.key)
		e.bytes -= len(old.key.source)
	}
	return t, nil
}
