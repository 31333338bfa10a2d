package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ackAfter is how long a reading function may take before it is acked: most return sooner, and
// the return says all that an ack would.
const ackAfter = 50 * time.Millisecond

// reading runs functions that only read, some at once. Its goroutines are kept: a new one for
// each job would spend more on growing its stack than most of these functions take.
type reading struct {
	tasks   chan *task
	taken   atomic.Int32 // jobs that run or wait
	readers int          // goroutines; only take's goroutine starts them
}

// read hands a reading job on, or says why it cannot.
func (r *running) read(t *task) error {
	n := int(r.reading.taken.Add(1))
	switch {
	case t.cmd.NoQueue && n > r.Concurrent:
		r.reading.taken.Add(-1)
		if r.Concurrent == 1 {
			return errors.New("1 function runs, and this one is not to wait for it")
		}
		return fmt.Errorf("%d functions run, and this one is not to wait for them", r.Concurrent)
	case n > r.Concurrent+r.Queue:
		r.reading.taken.Add(-1)
		return r.full()
	}
	t.late = time.AfterFunc(r.ackAfter, func() { r.ack(t.cmd.JID) })
	switch {
	case n > r.Concurrent:
		context.AfterFunc(t.ctx, func() { r.perform(t) }) // it need not wait for its turn to say that it will have none
	case n > r.reading.readers:
		r.reading.readers++
		go r.reader()
	}
	r.reading.tasks <- t // has room for all that may be taken
	return nil
}

func (r *running) reader() {
	for {
		select {
		case t := <-r.reading.tasks:
			r.readOne(t)
		case <-r.base.Done():
			for { // what waits says that it will not start
				select {
				case t := <-r.reading.tasks:
					r.readOne(t)
				default:
					return
				}
			}
		}
	}
}

func (r *running) readOne(t *task) {
	defer r.reading.taken.Add(-1)
	r.perform(t)
}
