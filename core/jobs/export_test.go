package jobs

import (
	"context"

	"github.com/ptorbus/zester/core/bus"
)

// ListBack is List with a window of its own.
func ListBack(ctx context.Context, c *bus.Conn, f Filter, window uint64) ([]*Record, error) {
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	last, err := c.LastRevision(ctx, bus.BucketJobs)
	if err != nil {
		return nil, err
	}
	return listBack(ctx, c, f, last, window)
}

// SetPage makes the lists that p asks for come in pages of n.
func SetPage(p *Presence, n int) { p.page = n }
