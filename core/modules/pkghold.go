package modules

import (
	"context"
	"fmt"
	"slices"

	"github.com/ptorbus/zester/core/states"
)

// holdChanges are the holds that hold asks for.
func (p *packages) holdChanges(ctx context.Context, call *states.Call, wanted []wish) (map[string]any, error) {
	if !call.Args.Has("hold") {
		return map[string]any{}, nil
	}
	return p.holds(ctx, wanted, call.Args.Bool("hold"))
}

func (p *packages) holds(ctx context.Context, wanted []wish, hold bool) (map[string]any, error) {
	known, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	word := map[bool]string{true: "hold", false: "install"}
	changes := map[string]any{}
	for _, w := range wanted {
		if known.held[known.plain(w.name)] != hold {
			changes[w.name] = was(word[!hold], word[hold])
		}
	}
	return changes, nil
}

func (p *packages) setHolds(ctx context.Context, changes map[string]any) error {
	for _, word := range []string{"hold", "install"} {
		var names []string
		for _, name := range sortedKeys(changes) {
			if changes[name].(map[string]any)["new"] == word {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			continue
		}
		verb := map[string]string{"hold": "hold", "install": "unhold"}[word]
		if _, err := p.env.must(ctx, append([]string{"apt-mark", verb, "--"}, names...)...); err != nil {
			return err
		}
	}
	p.forget()
	return nil
}

func (p *packages) heldState(ctx context.Context, call *states.Call) (states.Result, error) {
	wanted, err := wishes(call)
	if err != nil {
		return states.Result{}, err
	}
	known, err := p.list(ctx)
	if err != nil {
		return states.Result{}, err
	}
	for _, w := range wanted {
		if known.has(w.name) == "" && !call.Test {
			return states.Result{}, fmt.Errorf("package %q is not installed and cannot be held", w.name)
		}
	}
	changes, err := p.holds(ctx, wanted, true)
	if err != nil {
		return states.Result{}, err
	}
	if call.Args.Bool("replace") {
		for name, held := range known.held {
			if held && !slices.ContainsFunc(wanted, func(w wish) bool { return known.plain(w.name) == name }) {
				changes[name] = was("hold", "install")
			}
		}
	}
	return settle(call, changes, "What is held", func() error { return p.setHolds(ctx, changes) })
}

func (p *packages) unheldState(ctx context.Context, call *states.Call) (states.Result, error) {
	wanted, err := wishes(call)
	if err != nil {
		return states.Result{}, err
	}
	if call.Args.Bool("all") {
		known, err := p.list(ctx)
		if err != nil {
			return states.Result{}, err
		}
		wanted = nil
		for name, held := range known.held {
			if held {
				wanted = append(wanted, wish{name: name})
			}
		}
	}
	changes, err := p.holds(ctx, wanted, false)
	if err != nil {
		return states.Result{}, err
	}
	return settle(call, changes, "What is held", func() error { return p.setHolds(ctx, changes) })
}
