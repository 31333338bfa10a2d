package modules

import (
	"context"
	"io"
	"log/slog"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
)

// Env is what functions may use of the peel that runs them. Fields that are nil or empty take away what needs them,
// with an error that says so. An Env is not changed once it is in use.
type Env struct {
	PeelID string
	// Facts returns the current facts; the map is read only.
	Facts func() map[string]any
	// Grains returns the facts as Salt spells them; nil derives them from Facts.
	Grains       func() map[string]any
	RefreshFacts func(ctx context.Context) error
	// Settings returns the peel's settings.
	Settings func() *settings.Map
	// RefreshSettings reads the settings anew, which comes by itself soon after they change.
	RefreshSettings func(ctx context.Context) error
	// Config returns the peel's configuration for config.get; may be nil.
	Config func() map[string]any
	// Basket returns entries with peel_id, value, updated (RFC 3339) and age (seconds, float), in peel order.
	Basket func(ctx context.Context, target, function string, live bool) ([]map[string]any, error)
	// Match decides whether a target means this peel, for the top file.
	Match func(target string) (bool, error)
	// Event sends an event; may be nil.
	Event func(tag string, data map[string]any)

	// Tree is the states tree. A *files.Tree is pinned for the length of a run, so that a run sees one revision.
	Tree render.Loader
	// Open streams a file of the tree that Tree finds too large to load; may be nil.
	Open func(ctx context.Context, path string) (io.ReadCloser, error)
	// Engine renders the SLS files and file templates of Tree. It takes off the last newline of a template, which is
	// render's default; file templates get theirs back, as in Salt.
	Engine *render.Engine

	// Saltenv is the environment of state runs that do not name one. Empty is base, and for the highstate all.
	Saltenv string

	// StateDir is the peel's state directory; backups and the marks of running state runs are kept there. Empty keeps none.
	StateDir string
	// Confine, when set, is the only directory below which file states may write.
	Confine string
	// Environ is the environment of commands; nil is that of the process.
	Environ []string
	// Keep, if set, runs what functions of cmd are called for so that it outlives the peel. It is for one call.
	Keep *Keeping
	// Leaves, if set, says of the cause of a context that ended whether commands of states that are half done go on: the peel
	// stops. Those of functions that Keep runs outlive it in any case.
	Leaves func(cause error) bool
	// Output, if set, is shown what commands print as it comes. It is called concurrently, and must not keep the text.
	Output func(stderr bool, text []byte)
	// Version is what test.version answers.
	Version string
	// Local is true without a bus, under zester local.
	Local bool
	Log   *slog.Logger

	functions *Registry
	// unsynced and variables are of the call that is going on.
	unsynced  *unsynced
	variables *variables
}
