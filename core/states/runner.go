package states

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/ptorbus/zester/core/files"
)

// Loader reads a file of the tree by its slash-separated path. A file that is not there is fs.ErrNotExist.
type Loader interface {
	Load(ctx context.Context, path string) ([]byte, error)
}

// Lister is what a Loader may also be: with it includes and top files may use globs, and an unknown SLS is answered
// with the nearest name.
type Lister interface {
	Names(ctx context.Context) ([]string, error)
}

// Environmental is what a Loader may also be: it lists the environments, base first. The context that a Loader is called
// with says which one is meant (files.InEnvironment); any other Loader has base alone.
type Environmental interface {
	Environments(ctx context.Context) ([]string, error)
}

// Renderer renders a template; name is for its errors.
type Renderer interface {
	Render(ctx context.Context, name string, source []byte, vars map[string]any) (string, error)
}

// Command is a shell command of onlyif, unless or check_cmd.
type Command struct {
	Line, Cwd, Runas, Shell, Umask string

	Env map[string]any
	// Timeout is zero for none.
	Timeout time.Duration
}

// Options of a Runner.
type Options struct {
	Registry *Registry
	Tree     Loader
	Render   Renderer
	// Vars returns the variables of an SLS file; the names of the file itself (sls, tplfile, ...) are added to a copy.
	Vars func(sls string) map[string]any
	// Match decides whether a target of the top file means this host.
	Match func(target string) (bool, error)
	// Test asks what a run would change.
	Test bool
	// Env is the environment whose files are compiled, and the only one whose top file counts. Empty is base, and for the
	// highstate all.
	Env string
	// Top is the path of the top file; empty is top.zy or top.sls.
	Top string
	// Exclude leaves out SLS files, by name or glob, and ExcludeIDs ids, as exclude: in a file does.
	Exclude, ExcludeIDs []string
	// Parallel is how many independent states run side by side; 0 and 1 run one at a time, except states
	// that say parallel: true.
	Parallel int
	// Failhard stops the run at the first failed state.
	Failhard bool
	// Command runs the shell commands of onlyif, unless and check_cmd and returns their exit code.
	Command func(ctx context.Context, command Command) (int, error)
	// Call runs the execution function of an onlyif or unless with fun:.
	Call func(ctx context.Context, function string, args []any, kwargs map[string]any) (any, error)
	// Event sends the event of a state with fire_event: the tag is state_result/ and the state's name, or the text of
	// fire_event; the data has the result under ret, in Salt's form. Nil sends nothing.
	Event func(tag string, data map[string]any)
	// Log is told of faults in state functions; may be nil.
	Log *slog.Logger
	// Progress, if set, is told of each state as it ends. Calls do not overlap.
	Progress func(StateResult)
}

// Runner compiles and runs states on this host. It is safe for concurrent use; it does not keep two plans from running
// at the same time.
type Runner struct{ opts Options }

// New returns a Runner.
func New(opts Options) *Runner { return &Runner{opts: opts} }

func (r *Runner) env() string { return cmp.Or(r.opts.Env, files.Base) }

// environments lists what the tree has, or nothing if it cannot tell.
func (r *Runner) environments(ctx context.Context) ([]string, error) {
	if tree, ok := r.opts.Tree.(Environmental); ok {
		return tree.Environments(ctx)
	}
	return nil, nil
}
