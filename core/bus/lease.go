package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// lease is one campaign for a lease. Its entry names the holder and the subject that the holder
// answers on. Holding it writes nothing: the holder looks whether the entry is still its own, and
// those who stand by ask whether anybody is there.
type lease struct {
	conn   *Conn
	name   string
	holder string
	token  string
	ttl    time.Duration

	silent uint64    // the revision whose holder does not answer
	since  time.Time // when that was found
}

// Lease runs f while this process, named holder, has the lease; others stand by. When it is
// lost (the bus was out of reach for longer than ttl) f's context ends and the campaign starts
// anew. A holder that does not answer for ttl is replaced. Lease returns when ctx ends, having
// let go of the lease. CORE only.
func (c *Conn) Lease(ctx context.Context, name, holder string, ttl time.Duration, f func(context.Context)) {
	l := &lease{conn: c, name: name, holder: holder, token: rand.Text(), ttl: ttl}
	for ctx.Err() == nil {
		rev, err := l.campaign(ctx)
		switch {
		case err == nil:
			l.hold(ctx, rev, f)
		case !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict):
			c.log.Debug("a lease is out of reach", "lease", name, "error", err)
		}
		sleep(ctx, ttl/3)
	}
}

// campaign takes the lease if it is free, or its holder is gone; ErrExists if not.
func (l *lease) campaign(ctx context.Context) (rev uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl)
	defer cancel()
	value := []byte(l.holder + " " + l.token)
	rev, err = l.conn.Create(ctx, BucketLeases, l.name, value)
	if !errors.Is(err, ErrExists) {
		return rev, err
	}
	e, err := l.conn.Get(ctx, BucketLeases, l.name)
	if err != nil {
		return 0, err
	}
	switch _, token, _ := strings.Cut(string(e.Value), " "); {
	case token != "" && l.answers(ctx, token):
		l.silent = 0
	case l.silent != e.Revision: // the first time, or somebody writes it
		l.silent, l.since = e.Revision, time.Now()
	case time.Since(l.since) >= l.ttl:
		return l.conn.Update(ctx, BucketLeases, l.name, value, e.Revision)
	}
	return 0, ErrExists
}

func (l *lease) answers(ctx context.Context, token string) bool {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	_, err := l.conn.Request(ctx, LeaseHeld(l.name, token), nil)
	return err == nil
}

func (l *lease) hold(ctx context.Context, rev uint64, f func(context.Context)) {
	held, err := l.conn.Subscribe(LeaseHeld(l.name, l.token), func(m Msg) { m.Respond(nil) })
	if err != nil {
		l.conn.log.Warn("a lease cannot be held", "lease", l.name, "error", err)
		return
	}
	defer held.Stop()
	work, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		f(work)
	}()
	found := time.Now()
	for done := false; !done; {
		select {
		case <-finished:
			done = true
		case <-time.After(l.ttl / 4):
			now, err := l.revision(work)
			switch {
			case err == nil && now == rev:
				found = time.Now()
			case err == nil || errors.Is(err, ErrNotFound) || time.Since(found) > l.ttl*3/4:
				l.conn.log.Warn("lost a lease", "lease", l.name, "error", err)
				done = true
			}
		}
	}
	cancel()
	<-finished
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if now, err := l.revision(release); err == nil && now == rev {
		l.conn.Delete(release, BucketLeases, l.name) // best effort: nobody answers for it any more
	}
}

// revision is that of the entry as it is now.
func (l *lease) revision(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	e, err := l.conn.Get(ctx, BucketLeases, l.name)
	return e.Revision, err
}
