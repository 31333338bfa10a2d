package basket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/target"
)

// question asks a master which peels a target means.
type question struct {
	Target string `msgpack:"target"`
	Live   bool   `msgpack:"live"`
}

// Asking is a Resolver that asks whichever master answers first.
type Asking struct {
	Conn    *bus.Conn
	Subject string // bus.Ask(peel, Resolve) or bus.Order(operator, Resolve)
}

// Resolve names the question in an Ask or Order subject.
const Resolve = "resolve"

// answerTimeout bounds the wait for a master: answering takes milliseconds.
const answerTimeout = 5 * time.Second

// Resolve implements Resolver.
func (a Asking) Resolve(ctx context.Context, text string, live bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	ids, err := bus.Call[[]string](ctx, a.Conn, a.Subject, question{text, live})
	if errors.Is(err, bus.ErrNoResponders) {
		return nil, fmt.Errorf("target %q needs facts or presence, which a master knows, and none answers: start one, or target by id: %w", text, err)
	}
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", text, err)
	}
	return ids, nil
}

var errSettings = errors.New("a peel may not target by settings (I@), which could tell it another peel's secrets: target by facts or ids")

// Answer serves Resolve questions of peels and operators on a master until stop is called.
// Peels may not ask by settings.
func Answer(conn *bus.Conn, r Resolver) (stop func(), err error) {
	peels, err := bus.Serve(conn, bus.Ask("*", Resolve), masters, func(ctx context.Context, _ string, q question) ([]string, error) {
		if t, err := target.Parse(q.Target); err != nil || t.UsesSettings() {
			return nil, cmp.Or(err, errSettings)
		}
		return r.Resolve(ctx, q.Target, q.Live)
	})
	if err != nil {
		return nil, err
	}
	operators, err := bus.Serve(conn, bus.Order("*", Resolve), masters, func(ctx context.Context, _ string, q question) ([]string, error) {
		return r.Resolve(ctx, q.Target, q.Live)
	})
	if err != nil {
		peels.Stop()
		return nil, err
	}
	return func() { peels.Stop(); operators.Stop() }, nil
}

// masters is the queue group in which one master answers.
const masters = "masters"
