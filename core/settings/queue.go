package settings

import (
	"context"
	"sync"
)

// queue holds peels to be compiled, each at most once, and hands none to two takers at a time.
type queue struct {
	mu      sync.Mutex
	order   []string
	waiting map[string]bool
	working map[string]bool // true: came again meanwhile
	wake    chan struct{}
}

func newQueue() *queue {
	return &queue{waiting: map[string]bool{}, working: map[string]bool{}, wake: make(chan struct{}, 1)}
}

func (q *queue) add(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, busy := q.working[id]; busy {
		q.working[id] = true
		return
	}
	if q.waiting[id] {
		return
	}
	q.waiting[id] = true
	q.order = append(q.order, id)
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for a peel; ok is false when the context has ended.
func (q *queue) take(ctx context.Context) (id string, ok bool) {
	for ctx.Err() == nil {
		if id, ok := q.next(); ok {
			return id, true
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
	}
	return "", false
}

func (q *queue) next() (string, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return "", false
	}
	id := q.order[0]
	q.order = q.order[1:]
	delete(q.waiting, id)
	q.working[id] = false
	if len(q.order) > 0 {
		q.signal()
	}
	return id, true
}

// done says that a taken peel is finished.
func (q *queue) done(id string) {
	q.mu.Lock()
	again := q.working[id]
	delete(q.working, id)
	q.mu.Unlock()
	if again {
		q.add(id)
	}
}
