package states

import (
	"container/heap"
	"context"
	"sync"
)

// sideways bounds how many states with parallel: true run beside the main line.
const sideways = 16

// inOrder runs one state after the other. A state with parallel: true runs beside those that follow it; a state waits
// for what it needs.
func (r *run) inOrder(ctx context.Context) {
	var finished map[*chunk]chan struct{}
	var running sync.WaitGroup
	slots := make(chan struct{}, sideways)
	for i, c := range r.order {
		if finished != nil {
			c.needs(func(other *chunk) bool {
				if end := finished[other]; end != nil {
					<-end
				}
				return true
			})
		}
		if c.control == nil || !c.control.parallel {
			r.step(ctx, c, i+1)
			continue
		}
		if finished == nil {
			finished = map[*chunk]chan struct{}{}
		}
		end := make(chan struct{})
		finished[c] = end
		slots <- struct{}{}
		running.Go(func() {
			r.step(ctx, c, i+1)
			close(end)
			<-slots
		})
	}
	running.Wait()
}

// sideBySide runs up to opts.Parallel states at once, each as soon as what it needs is done, the first in order
// first. Workers take from one queue; no goroutine waits for a single state.
func (r *run) sideBySide(ctx context.Context) {
	s := &scheduler{run: r, waiting: make(map[*chunk]int, len(r.order)), users: map[*chunk][]*chunk{}, left: len(r.order)}
	s.wake.L = &s.mu
	s.place = make(map[*chunk]int, len(r.order))
	for i, c := range r.order {
		s.place[c] = i
		c.needs(func(other *chunk) bool {
			s.waiting[c]++
			s.users[other] = append(s.users[other], c)
			return true
		})
		if s.waiting[c] == 0 {
			s.ready.items = append(s.ready.items, c)
		}
	}
	s.ready.place = s.place
	heap.Init(&s.ready)
	var workers sync.WaitGroup
	for range min(r.opts.Parallel, len(r.order)) {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
}

type scheduler struct {
	*run
	mu      sync.Mutex
	wake    sync.Cond
	ready   readyQueue
	waiting map[*chunk]int // needs that are not done
	users   map[*chunk][]*chunk
	place   map[*chunk]int
	busy    map[string]bool // mutex families in use
	left    int
	taken   int
}

func (s *scheduler) work(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left > 0 {
		c := s.take()
		if c == nil {
			s.wake.Wait()
			continue
		}
		s.taken++
		nth := s.taken
		s.mu.Unlock()
		s.step(ctx, c, nth)
		s.mu.Lock()
		s.left--
		delete(s.busy, c.fn.Mutex)
		for _, user := range s.users[c] {
			if s.waiting[user]--; s.waiting[user] == 0 {
				heap.Push(&s.ready, user)
			}
		}
		s.wake.Broadcast()
	}
}

// take removes the first ready chunk whose mutex family is free.
func (s *scheduler) take() *chunk {
	var held []*chunk
	defer func() {
		for _, c := range held {
			heap.Push(&s.ready, c)
		}
	}()
	for s.ready.Len() > 0 {
		c := heap.Pop(&s.ready).(*chunk)
		family := c.fn.Mutex
		if family == "" {
			return c
		}
		if !s.busy[family] {
			if s.busy == nil {
				s.busy = map[string]bool{}
			}
			s.busy[family] = true
			return c
		}
		held = append(held, c)
	}
	return nil
}

// readyQueue is a heap by place in the order of execution.
type readyQueue struct {
	items []*chunk
	place map[*chunk]int
}

func (q *readyQueue) Len() int           { return len(q.items) }
func (q *readyQueue) Less(i, j int) bool { return q.place[q.items[i]] < q.place[q.items[j]] }
func (q *readyQueue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *readyQueue) Push(c any)         { q.items = append(q.items, c.(*chunk)) }
func (q *readyQueue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
