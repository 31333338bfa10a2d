package peel

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
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
	if strings.HasPrefix(cmd.Function, "state.") {
		if pinned, err := e.tree.Pin(ctx); err == nil { // without a tree, the run itself says so
			ctx = pinned
		}
	}
	value, err := e.registry.Call(ctx, e.env(), cmd.Function, cmd.Args, cmd.Kwargs)
	var failure *modules.Failure
	if errors.As(err, &failure) {
		return failure.Value, failure.Code, errors.New(failure.Msg)
	}
	return value, 0, err
}

// env is what functions may use.
func (p *peel) env() *modules.Env {
	return &modules.Env{
		PeelID:       p.ID,
		Facts:        p.facts.Facts,
		Grains:       func() map[string]any { return facts.Grains(p.facts.Facts()) },
		RefreshFacts: p.refreshFacts,
		Settings:     p.settings.Get,
		Basket:       p.query,
		Match:        p.match,
		Tree:         p.tree,
		Open:         files.Opener(p.tree),
		Engine:       p.engine,
		Saltenv:      p.Saltenv,
		StateDir:     p.StateDir,
		Confine:      p.Confine,
		Version:      p.Version,
		Log:          p.Log,
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
	if err != nil {
		return false, err
	}
	return t.Match(target.Peel{ID: p.ID, Facts: p.facts.Facts(), Settings: p.settings.Plain()}), nil
}
