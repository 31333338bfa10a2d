package master

import (
	"context"
	"slices"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/target"
)

// followFacts keeps the index of all peels' facts, and waits until it has those there are.
func (m *master) followFacts(ctx context.Context, duty func(string, func(context.Context) error)) error {
	duty("facts", func(ctx context.Context) error { return m.index.Follow(ctx, m.conn) })
	select {
	case <-m.index.Ready():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resolver says whom a job's target means: of the peels that are members of the fleet and
// have told their facts, or are named or matched by id alone.
type resolver struct{ *master }

var _ jobs.Resolver = resolver{}

// Resolve implements jobs.Resolver.
func (r resolver) Resolve(_ context.Context, text string) (ids, missing []string, err error) {
	t, err := r.parse(text)
	if err != nil {
		return nil, nil, err
	}
	if ids, err = r.match(t); err != nil {
		return nil, nil, err
	}
	for _, id := range t.Literals() {
		if !r.directory.Member(id) {
			missing = append(missing, id)
		}
	}
	return ids, missing, nil
}

// Nearest gives the known peel that a mistyped id may mean.
func (r resolver) Nearest(id string) string { return config.Nearest(id, r.directory.Members()) }

func (m *master) parse(text string) (*target.Target, error) {
	t, err := target.Parse(text)
	if err != nil {
		return nil, err
	}
	return t.Expand(m.Groups)
}

// match gives the members of the fleet that a target names. Only members count: facts of a
// peel that was removed may still be there.
func (m *master) match(t *target.Target) ([]string, error) {
	if t.IDOnly() {
		return t.ResolveIDs(m.directory.Members()), nil
	}
	ids, err := t.Resolve(m.index)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id string) bool { return !m.directory.Member(id) }), nil
}

// fleetIndex answers basket queries: whom a target means, and who is connected.
type fleetIndex struct{ *master }

// Resolve implements basket.Resolver.
func (f fleetIndex) Resolve(_ context.Context, text string, live bool) ([]string, error) {
	t, err := f.parse(text)
	if err != nil {
		return nil, err
	}
	ids, err := f.match(t)
	if err != nil || !live {
		return ids, err
	}
	return slices.DeleteFunc(ids, func(id string) bool { return !f.presence.Connected(id) }), nil
}
