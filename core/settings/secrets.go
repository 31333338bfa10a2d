package settings

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// checkSecrets holds the rule that no peel can choose which secrets it is given: a file with an !encrypted value takes part
// only if nothing but peel ids has brought it in. Every target that leads to it must be of ids only, and it must be
// reached as well when everything is rendered as if the peel had reported no facts.
func (r *run) checkSecrets(ctx context.Context) error {
	var free *run
	for _, p := range slices.Sorted(maps.Keys(r.reached)) {
		f := r.reached[p].file
		if f == nil || f.secret == nil {
			continue
		}
		for _, a := range r.assignments(p, map[string]bool{}) {
			if !a.target.IDOnly() {
				return fmt.Errorf("%w: the file may be targeted by peel ids only, and target %q in the top file, line %d, leads to it by facts, which a peel reports itself",
					f.secret, a.text, a.line)
			}
		}
		if free == nil {
			free = r.c.newRun(Peel{ID: r.peel.ID})
			free.tree, free.free = r.tree, true
			if _, err := free.top(ctx); err != nil {
				return fmt.Errorf("%w: the file must be assigned without facts, which a peel reports itself, and without them the settings tree fails: %w", f.secret, err)
			}
		}
		if free.reached[p] == nil {
			return fmt.Errorf("%w: the file is assigned or included depending on facts, which a peel reports itself: assign it in the top file by peel ids, outside any condition on facts", f.secret)
		}
	}
	return nil
}

// assignments are the targets that lead to a file, by way of includes or not.
func (r *run) assignments(p string, seen map[string]bool) []*assignment {
	if seen[p] {
		return nil
	}
	seen[p] = true
	by := r.reached[p]
	out := slices.Clone(by.tops)
	for _, parent := range by.parents {
		out = append(out, r.assignments(parent, seen)...)
	}
	return out
}
