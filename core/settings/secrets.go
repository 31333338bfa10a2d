package settings

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// checkSecrets holds the rule that no peel can choose which secrets it is given: a file with an !encrypted value takes part
// only if nothing but peel ids has brought it in. Every target that leads to it must be of ids only, and when everything is
// rendered as if the peel had reported no facts, it must be reached as well and give the same secrets: none that a condition on
// a fact lets in, nor one that a fact has quoted from elsewhere in the file.
func (r *run) checkSecrets(ctx context.Context) error {
	var free *run
	for _, p := range slices.Sorted(maps.Keys(r.reached)) {
		f := r.reached[p].file
		if f == nil || len(f.secrets) == 0 {
			continue
		}
		where := f.secrets[0].where
		for _, a := range r.assignments(p, map[string]bool{}) {
			if !a.target.IDOnly() {
				return fmt.Errorf("%w: the file may be targeted by peel ids only, and target %q in the top file, line %d, leads to it by facts, which a peel reports itself",
					where, a.text, a.line)
			}
		}
		if free == nil {
			free = r.c.newRun(Peel{ID: r.peel.ID})
			free.tree, free.free = r.tree, true
			if _, err := free.top(ctx); err != nil {
				return fmt.Errorf("%w: the file must be assigned without facts, which a peel reports itself, and without them the settings tree fails: %w", where, err)
			}
		}
		without := free.reached[p]
		switch {
		case without == nil:
			return fmt.Errorf("%w: the file is assigned or included depending on facts, which a peel reports itself: assign it in the top file by peel ids, outside any condition on facts", where)
		case without.file == nil:
			return fmt.Errorf("%w: the file cannot be rendered without facts, which a peel reports itself, to see that they do not decide about it: move it to a file of its own, or give each fact there a default: %w", where, without.err)
		}
		for _, s := range f.secrets {
			if !without.file.has(s) {
				return fmt.Errorf("%w: whether the peel gets it depends on facts, which a peel reports itself: move it out of conditions on facts, to a file of its own that the top file assigns by peel ids", s.where)
			}
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
