package basket

import (
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
	data, err := bus.Marshal(question{text, live})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	reply, err := a.Conn.Request(ctx, a.Subject, data)
	switch {
	case errors.Is(err, bus.ErrNoResponders):
		return nil, fmt.Errorf("target %q needs facts or presence, which a master knows, and none answers: start one, or target by id: %w", text, err)
	case err != nil:
		return nil, fmt.Errorf("target %q: %w", text, err)
	}
	var ids []string
	if err := bus.Unmarshal(reply, &ids); err != nil {
		return nil, fmt.Errorf("target %q: a master's answer: %w", text, err)
	}
	return ids, nil
}

var errSettings = errors.New("a peel may not target by settings (I@), which could tell it another peel's secrets: target by facts or ids")

// Answer serves Resolve questions of peels and operators on a master until stop is called.
// Peels may not ask by settings.
func Answer(conn *bus.Conn, r Resolver) (stop func(), err error) {
	handle := func(peel bool) func(bus.Msg) {
		return func(m bus.Msg) {
			ids, err := answer(r, m.Data, peel)
			if err == nil {
				var data []byte
				if data, err = bus.Marshal(ids); err == nil {
					m.Respond(data) // an asker that is gone needs no answer
					return
				}
			}
			m.Fail(err)
		}
	}
	peels, err := conn.QueueSubscribe(bus.Ask("*", Resolve), "masters", handle(true))
	if err != nil {
		return nil, err
	}
	operators, err := conn.QueueSubscribe(bus.Order("*", Resolve), "masters", handle(false))
	if err != nil {
		peels.Stop()
		return nil, err
	}
	return func() { peels.Stop(); operators.Stop() }, nil
}

func answer(r Resolver, data []byte, peel bool) ([]string, error) {
	var q question
	if err := bus.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	t, err := target.Parse(q.Target)
	if err != nil {
		return nil, err
	}
	if peel && t.UsesSettings() {
		return nil, errSettings
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	return r.Resolve(ctx, q.Target, q.Live)
}
