package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// ErrNotReady is what a Resolver returns while it cannot tell yet; the job is tried again soon.
// Any other error of Resolve refuses the job with its text.
var ErrNotReady = errors.New("not ready")

// Resolver says whom a target means. It is called concurrently. A Resolver with a method
// Nearest(id string) string lets the error for an unknown peel suggest a known one.
type Resolver interface {
	// Resolve returns the ids of the peels that the target names, without duplicates, and of
	// the ids it names in full those that are unknown.
	Resolve(ctx context.Context, target string) (ids, missing []string, err error)
}

type nearest interface{ Nearest(id string) string }

// Connections says which peels are connected. *Presence does. While one with a method
// Ready() <-chan struct{} is not ready, everybody counts as connected.
type Connections interface{ Connected(id string) bool }

// absences say for how long a peel that is not connected has been gone.
type absences interface{ Absent(id string) time.Duration }

type readying interface{ Ready() <-chan struct{} }

// Dispatcher is a master's half of jobs. Any number of masters share the work. Set the fields,
// then call Run once.
type Dispatcher struct {
	Conn     *bus.Conn
	Account  *keys.Account
	Resolver Resolver
	Presence Connections         // nil: everybody counts as connected
	Defaults map[string]Defaults // by operator
	Log      *slog.Logger
	Metrics  *metrics.Set

	// AckWait is how long a master that dies holds up the jobs it had in hand, Workers how many
	// jobs are in hand at once. 0 means 5 s and 32.
	AckWait time.Duration
	Workers int

	guardLimits guardLimits
	localClock  func() time.Time // of a test; nil is this host's
	goneAfter   time.Duration    // of a test; 0 is goneAfter
}

// workQueue is the consumer that all masters share.
const workQueue = "masters"

const presenceWait = 5 * time.Second

// dispatching is a Dispatcher at work. What it keeps of live jobs only saves it from asking
// again: the record, and who has acked.
type dispatching struct {
	Dispatcher
	meters dispatcherMeters
	deferred
	holders
	ready <-chan struct{} // of Presence; nil if it always is

	mu       sync.Mutex
	live     map[string]*liveJob
	changes  map[string]time.Time // when records of jobs were changed, for a while; "" stands for all
	attended map[string]bool      // by attend; true: look once more

	clock *fleetClock
}

// Run takes jobs until the context ends.
func (d Dispatcher) Run(ctx context.Context) error {
	run := &dispatching{Dispatcher: d, live: map[string]*liveJob{}, changes: map[string]time.Time{}, attended: map[string]bool{}, deferred: newDeferred(), holders: newHolders(rand.Text())}
	if run.Log == nil {
		run.Log = slog.New(slog.DiscardHandler)
	}
	if run.AckWait <= 0 {
		run.AckWait = 5 * time.Second
	}
	if run.Workers <= 0 {
		run.Workers = 32
	}
	if run.goneAfter <= 0 {
		run.goneAfter = goneAfter
	}
	run.meters = newDispatcherMeters(run.Metrics, run.open)
	run.clock = newFleetClock(run.Conn, run.localClock, run.Log)
	defer run.Conn.OnConnect(run.clock.doubt)()
	run.awaitPresence(ctx)
	sub, err := run.Conn.Subscribe(bus.AllAcks, run.ack)
	if err != nil {
		return err
	}
	defer sub.Stop()
	stopOrders, err := run.serveOrders()
	if err != nil {
		return err
	}
	defer stopOrders()
	run.callRoll(ctx) // whoever was here before may have had something in hand
	stopHolders, err := run.watchHolders(ctx)
	if err != nil {
		return err
	}
	defer stopHolders()
	asks, err := run.serveTime()
	if err != nil {
		return err
	}
	defer asks.Stop()
	go run.forgetting(ctx)
	var duties sync.WaitGroup
	defer duties.Wait()
	duties.Go(func() { run.guard(ctx) })
	defer run.awaitArrivals(ctx)()
	for {
		err := run.Conn.Work(ctx, run.queue(), run.handle)
		if ctx.Err() != nil {
			return nil
		}
		run.Log.Warn("the queue of job requests cannot be opened: trying again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *dispatching) queue() bus.Queue {
	return bus.Queue{Stream: bus.StreamSubmissions, Durable: workQueue, AckWait: d.AckWait, Workers: d.Workers}
}

// awaitPresence waits a moment for the list of who is connected, so that the first jobs need
// not wait for peels that are not.
func (d *dispatching) awaitPresence(ctx context.Context) {
	p, ok := d.Presence.(readying)
	if !ok {
		return
	}
	d.ready = p.Ready()
	t := time.NewTimer(presenceWait)
	defer t.Stop()
	select {
	case <-d.ready:
	case <-t.C:
		d.Log.Warn("it is not known yet who is connected: jobs wait for all their targets until it is")
	case <-ctx.Done():
	}
}

func (d *dispatching) connected(id string) bool {
	if d.Presence == nil {
		return true
	}
	if d.ready != nil {
		select {
		case <-d.ready:
		default:
			return true
		}
	}
	return d.Presence.Connected(id)
}

// absent is how long a peel has not been connected.
func (d *dispatching) absent(id string) time.Duration {
	if d.connected(id) {
		return 0
	}
	if p, ok := d.Presence.(absences); ok {
		return p.Absent(id)
	}
	return math.MaxInt64
}

// handle takes a job one step on: from the queue to its targets, or to another look at who has
// returned. Then the queue has it again, until it is closed.
func (d *dispatching) handle(ctx context.Context, w bus.Work) {
	done := false
	over := d.hold(w)
	defer func() { over(done) }()
	next, err := d.safely(ctx, w)
	switch {
	case ctx.Err() != nil:
		err = w.Later(0) // stopping: another master goes on at once
	case conflicting(err): // another master is faster
		err = w.Later(batchLook)
	case err != nil:
		d.Log.Warn("a job has to wait: trying again", "operator", bus.Submitter(w.Subject), "attempt", w.Attempt, "error", err)
		err = w.Later(min(time.Duration(w.Attempt)*200*time.Millisecond, 5*time.Second))
	case next > 0:
		err = w.Later(next)
	default:
		err = w.Done()
		done = true
	}
	if err != nil { // the queue delivers it again after AckWait
		d.Log.Debug("a job could not be given back", "error", err)
	}
}

// safely keeps a job that brings its master down from doing so on one after another.
func (d *dispatching) safely(ctx context.Context, w bus.Work) (next time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.Error("fault in the dispatcher", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("fault in the dispatcher: %v", p)
		}
	}()
	return d.step(ctx, w)
}

// step does what the job needs now and says when to look again, 0 for never.
func (d *dispatching) step(ctx context.Context, w bus.Work) (next time.Duration, err error) {
	operator := bus.Submitter(w.Subject)
	req, err := decodeRequest(w.Data)
	if err == nil {
		err = CheckID(req.JID)
	}
	if err != nil { // without an id there is nowhere to say so
		d.meters.requests("unreadable").Inc()
		d.Log.Warn("a job request is dropped", "operator", operator, "error", err)
		return 0, nil
	}
	if err := d.clock.compare(ctx); err != nil {
		return 0, err
	}
	if job := d.get(req.JID); job != nil && job.record.Operator == operator {
		if !job.inHand.TryLock() { // a step that takes longer than AckWait, while a cluster elects a leader say
			return firstLook, nil
		}
		defer job.inHand.Unlock()
		return d.look(ctx, w, job)
	}
	job, err := d.openJob(ctx, w, req, operator)
	if err != nil || job == nil {
		return 0, err
	}
	job.inHand.Lock()
	defer job.inHand.Unlock()
	return d.dispatch(ctx, w, job)
}
