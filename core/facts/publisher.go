package facts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// DefaultInterval is how often a Publisher looks for changed facts.
const DefaultInterval = 5 * time.Minute

// Publisher keeps the bus at the facts of this host. It writes only what has changed, so at rest it sends nothing.
// Set the fields, then call Run; the methods are safe for concurrent use.
type Publisher struct {
	Conn     *bus.Conn // nil to collect only
	ID       string
	Collect  func(context.Context) (map[string]any, []error) // usually Collect with its options
	Interval time.Duration                                   // 0 for DefaultInterval
	Log      *slog.Logger                                    // nil for none

	mu    sync.Mutex // of facts
	facts map[string]any

	refresh   sync.Mutex // one refresh at a time; of what follows
	published string     // the hash of what the bus has; "" if that is not known
	verified  bool       // since the connection was made
	warned    string
}

// Run publishes now, at each interval and after each reconnect, until the context ends. After a failure it tries again, soon at
// first. The interval is for changes on the host that nobody announces by Refresh.
func (p *Publisher) Run(ctx context.Context) {
	again := make(chan struct{}, 1)
	defer p.Conn.OnConnect(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})()
	interval := p.Interval
	if interval <= 0 {
		interval = DefaultInterval
	}
	act, pause := p.Refresh, firstRetry
	for {
		wait := interval
		if err := act(ctx); err != nil && ctx.Err() == nil {
			wait = min(pause, interval)
			pause = 2 * wait
			p.log().Warn("facts not published", "error", err, "retry", wait)
			act = p.republish
		} else {
			act, pause = p.Refresh, firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-again:
			timer.Stop()
			act = p.republish
		}
	}
}

// firstRetry is the pause after the first failure; it doubles up to the interval.
const firstRetry = time.Second

// Refresh collects the facts and publishes them if they have changed. Without a connection it only collects; Run publishes
// when there is one. The new facts count even when it returns an error.
func (p *Publisher) Refresh(ctx context.Context) error {
	p.refresh.Lock()
	defer p.refresh.Unlock()
	facts, warnings := p.Collect(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // cut short, custom facts may be missing
	}
	p.mu.Lock()
	p.facts = facts
	p.mu.Unlock()
	p.warn(errors.Join(warnings...))
	return p.publish(ctx, facts)
}

// republish makes sure that the bus has the facts, which it may have lost together with the connection.
func (p *Publisher) republish(ctx context.Context) error {
	facts := p.Facts()
	if facts == nil {
		return p.Refresh(ctx)
	}
	p.refresh.Lock()
	defer p.refresh.Unlock()
	p.verified = false
	return p.publish(ctx, facts)
}

// Facts returns the facts as last collected, nil before the first time. They are shared: do not change them.
func (p *Publisher) Facts() map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.facts
}

func (p *Publisher) publish(ctx context.Context, facts map[string]any) error {
	if p.Conn == nil || !p.Conn.Connected() {
		return nil
	}
	hash, key := Hash(facts), bus.Token(p.ID)
	if !p.verified {
		stored, err := p.stored(ctx, key)
		switch {
		case err == nil:
			p.published = stored
		case !errors.Is(err, bus.ErrPermission): // without the right to look, what it published itself must do
			return err
		}
		p.verified = true
	}
	if hash == p.published {
		return nil
	}
	data, err := bus.Marshal(facts)
	if err != nil {
		return fmt.Errorf("facts: %w", err)
	}
	if len(data) > MaxSize {
		return fmt.Errorf("facts: %d bytes, and masters take %d; make the custom facts smaller", len(data), MaxSize)
	}
	if _, err := p.Conn.Put(ctx, bus.BucketFacts, key, data); err != nil {
		p.published, p.verified = "", false // it may have arrived or not
		return err
	}
	p.published = hash
	return nil
}

// stored is the hash of what the bus has of an earlier run.
func (p *Publisher) stored(ctx context.Context, key string) (string, error) {
	e, err := p.Conn.Get(ctx, bus.BucketFacts, key)
	if errors.Is(err, bus.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	var facts map[string]any
	if err := bus.Unmarshal(e.Value, &facts); err != nil {
		return "", nil // not facts: replace it
	}
	return Hash(facts), nil
}

// warn says what is wrong with custom facts once, not at each refresh.
func (p *Publisher) warn(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != p.warned {
		p.log().Warn("custom facts", "error", text)
	}
	p.warned = text
}

func (p *Publisher) log() *slog.Logger {
	if p.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.Log
}
