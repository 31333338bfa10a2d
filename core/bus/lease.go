package bus

import (
	"context"
	"errors"
	"time"
)

// Lease runs f while this process, named holder, has the lease; others stand by. When it is
// lost (the bus was out of reach for longer than ttl) f's context ends and the campaign starts
// anew. ttl is in whole seconds; a dead holder is replaced after it. Lease returns when ctx
// ends, having let go of the lease. CORE only.
func (c *Conn) Lease(ctx context.Context, name, holder string, ttl time.Duration, f func(context.Context)) {
	for ctx.Err() == nil {
		if rev, err := c.create(ctx, BucketLeases, name, []byte(holder), ttl); err == nil {
			c.hold(ctx, name, holder, ttl, rev, f)
		} else if !errors.Is(err, ErrExists) {
			c.log.Debug("a lease is out of reach", "lease", name, "error", err)
		}
		sleep(ctx, ttl/3)
	}
}

func (c *Conn) hold(ctx context.Context, name, holder string, ttl time.Duration, rev uint64, f func(context.Context)) {
	work, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		f(work)
	}()
	renewed := time.Now()
	for done := false; !done; {
		select {
		case <-finished:
			done = true
		case <-time.After(ttl / 4):
			next, err := c.renew(work, name, holder, ttl, rev)
			switch {
			case err == nil:
				rev, renewed = next, time.Now()
			case errors.Is(err, ErrConflict) || time.Since(renewed) > ttl*3/4:
				c.log.Warn("lost a lease", "lease", name, "error", err)
				done = true
			}
		}
	}
	cancel()
	<-finished
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if e, err := c.last(release, BucketLeases, name); err == nil && e.Revision == rev {
		c.Delete(release, BucketLeases, name) // best effort: it expires by itself
	}
}

func (c *Conn) renew(ctx context.Context, name, holder string, ttl time.Duration, rev uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ttl/4)
	defer cancel()
	return c.update(ctx, BucketLeases, name, []byte(holder), rev, ttl)
}
