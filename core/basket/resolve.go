package basket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

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

var (
	errSettings = errors.New("a peel may not target by settings (I@, J@), nor by a group that does, which could tell it another peel's secrets: target by facts or ids")
	errTooOften = fmt.Errorf("this peel asks more than %d questions per second: try again", questionsPerSecond)
)

// What one peel may ask of a master: far more than templates do, far less than would keep a
// master from answering the others.
const (
	questionsPerSecond = 100
	questionsAtOnce    = 1000
)

// Answer serves Resolve questions of peels and operators on a master until stop is called.
// Peels may not ask by settings; groups gives the meaning of N@.
func Answer(conn *bus.Conn, r Resolver, groups map[string]string) (stop func(), err error) {
	var askers limiter
	peels, err := bus.Serve(conn, bus.Ask("*", Resolve), masters, func(ctx context.Context, peel string, q question) ([]string, error) {
		if !askers.allow(peel) {
			return nil, errTooOften
		}
		t, err := target.Parse(q.Target)
		if err == nil {
			t, err = t.Expand(groups)
		}
		if err != nil || t.UsesSettings() {
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

// limiter counts the questions of each peel. Questions come one at a time.
type limiter struct{ asked map[string]*rate.Limiter }

// maxAskers bounds what is remembered; forgetting favours those who ask.
const maxAskers = 16_384

func (l *limiter) allow(peel string) bool {
	if l.asked[peel] == nil {
		if len(l.asked) >= maxAskers || l.asked == nil {
			l.asked = map[string]*rate.Limiter{}
		}
		l.asked[peel] = rate.NewLimiter(questionsPerSecond, questionsAtOnce)
	}
	return l.asked[peel].Allow()
}

// masters is the queue group in which one master answers.
const masters = "masters"
