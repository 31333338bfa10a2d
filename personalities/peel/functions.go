package peel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/target"
)

// executor runs the functions that commands name.
type executor struct{ *peel }

// Mutates implements jobs.Executor.
func (e executor) Mutates(cmd keys.Command) bool {
	return e.registry.Mutating(cmd.Function, cmd.Args, cmd.Kwargs)
}

// Execute implements jobs.Executor. A state run sees the tree at one
// revision throughout.
func (e executor) Execute(ctx context.Context, cmd keys.Command) (any, int, error) {
	ctx = modules.WithJob(ctx, cmd.JID)
	env := e.env()
	env.Output = jobs.OutputOf(ctx)
	if e.keeper != nil {
		env.Leaves = e.keeper.Leaves
	}
	if module, _, _ := strings.Cut(cmd.Function, "."); e.keeper != nil && (module == "cmd" || module == "service") {
		env.Keep = e.keeper.For(cmd.JID, cmd.Function, cmd.Operator, cmd.Stream)
	}
	if strings.HasPrefix(cmd.Function, "state.") {
		if pinned, err := e.tree.Pin(ctx); err == nil { // without a tree, the run itself says so
			ctx = pinned
		}
	}
	return result(e.registry.Call(ctx, env, cmd.Function, cmd.Args, cmd.Kwargs))
}

// result is what a call came to, in the words of jobs.
func result(value any, err error) (any, int, error) {
	var failure *modules.Failure
	switch {
	case errors.As(err, &failure):
		return failure.Value, failure.Code, errors.New(failure.Msg)
	case errors.Is(err, modules.ErrLeft):
		return nil, 0, jobs.ErrLeft
	case errors.Is(err, modules.ErrLost):
		return value, 0, fmt.Errorf("%w: %w", jobs.ErrInterrupted, err)
	}
	return value, 0, err
}

// Resume implements jobs.Resumer.
func (e executor) Resume(jid string) (jobs.Left, bool) {
	if e.keeper == nil {
		return jobs.Left{}, false
	}
	kept, ok := e.keeper.Resume(jid)
	if !ok {
		return jobs.Left{}, false
	}
	left := jobs.Left{
		Operator: kept.Operator, Stream: kept.Shown, Deadline: kept.Deadline,
		Wait: func(ctx context.Context) (any, int, error) { return result(kept.Wait(ctx, jobs.OutputOf(ctx))) },
	}
	if kept.Ended { // in time or not, nothing is to be ended any more
		left.Deadline = time.Time{}
	}
	return left, true
}

// Settled implements jobs.Resumer.
func (e executor) Settled(jid string) {
	if e.keeper != nil {
		e.keeper.Settled(jid)
	}
}

// keep opens the keeper of commands that outlive the peel. A confined peel has none: nothing of it is to stay.
func (p *peel) keep() error {
	if p.Confine != "" {
		return nil
	}
	dir, err := filepath.Abs(filepath.Join(p.StateDir, "commands"))
	if err != nil {
		return config.Invalid("state_dir", "%w", err)
	}
	p.keeper = &modules.Keeper{
		Dir: dir, Log: p.Log,
		// The file may have been replaced since; the process has what it was.
		Supervisor: []string{fmt.Sprintf("/proc/%d/exe", os.Getpid()), Supervise},
		Leaves:     func(cause error) bool { return errors.Is(cause, jobs.ErrStopping) },
	}
	return p.keeper.Open()
}

// env is what functions may use.
func (p *peel) env() *modules.Env {
	return &modules.Env{
		PeelID:          p.ID,
		Facts:           p.facts.Facts,
		Grains:          func() map[string]any { return facts.Grains(p.facts.Facts()) },
		RefreshFacts:    p.refreshFacts,
		Settings:        p.settings.Get,
		RefreshSettings: p.settings.Refresh,
		Basket:          p.query,
		Match:           p.match,
		Tree:            p.tree,
		Open:            files.Opener(p.tree),
		Engine:          p.engine,
		Saltenv:         p.Saltenv,
		StateDir:        p.StateDir,
		Confine:         p.Confine,
		Version:         p.Version,
		Log:             p.Log,
	}
}

func (p *peel) refreshFacts(ctx context.Context) error {
	err := p.facts.Refresh(ctx)
	p.basket.Refresh()
	return err
}

// query reads the basket within the peel's scope, if its settings name one.
func (p *peel) query(ctx context.Context, target, function string, live bool) ([]map[string]any, error) {
	scope, _ := p.settings.Plain()["basket_scope"].(string)
	entries, err := p.reader.Get(ctx, basket.Query{Target: target, Function: function, Scope: scope, Live: live})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	list := make([]map[string]any, len(entries))
	for i, e := range entries {
		list[i] = e.Plain(now)
	}
	return list, nil
}

// match decides whether a target of the top file means this peel.
func (p *peel) match(text string) (bool, error) {
	t, err := target.Parse(text)
	if err == nil {
		t, err = t.In(p.settings.Groups())
	}
	if err != nil {
		return false, err
	}
	return t.Match(target.Peel{ID: p.ID, Facts: p.facts.Facts(), Settings: p.settings.Plain()}), nil
}
