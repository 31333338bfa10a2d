package basket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Publisher keeps a peel's entries current.
type Publisher struct {
	Conn *bus.Conn
	ID   string
	// Call runs an execution function; Has says whether there is one of that name.
	Call func(ctx context.Context, name string, args []any, kwargs map[string]any) (any, error)
	Has  func(name string) bool
	// Fact looks up one of the peel's facts by its path.
	Fact func(path string) (any, bool)
	Log  *slog.Logger

	mu      sync.Mutex
	running map[string]*task
	changed chan struct{} // Configure was called
	wanted  []Function
}

// task is one function at work.
type task struct {
	function Function
	kick     chan struct{}
	stop     context.CancelFunc
}

// callTimeout bounds one run of a basket function.
const callTimeout = time.Minute

// Configure sets what is published from now on. Entries of other functions are removed. It may
// be called before Run and at any time after.
func (p *Publisher) Configure(functions []Function) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = functions
	if p.changed == nil {
		p.changed = make(chan struct{}, 1)
	}
	signal(p.changed)
}

// Refresh runs all functions now, because facts may have changed.
func (p *Publisher) Refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.running {
		signal(t.kick)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run publishes until the context ends. Entries stay when it returns.
func (p *Publisher) Run(ctx context.Context) {
	p.Configure(p.wantedNow())
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for {
		select {
		case <-p.changed:
			p.restart(ctx, &tasks)
		case <-ctx.Done():
			return
		}
	}
}

func (p *Publisher) wantedNow() []Function {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

// restart brings the running tasks in line with what is wanted; unchanged ones go on.
func (p *Publisher) restart(ctx context.Context, tasks *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.running
	p.running = map[string]*task{}
	names := make([]string, 0, len(p.wanted))
	for _, f := range p.wanted {
		names = append(names, f.Name)
		if t := old[f.Name]; t != nil && reflect.DeepEqual(t.function, f) {
			p.running[f.Name] = t
			delete(old, f.Name)
			continue
		}
		run, stop := context.WithCancel(ctx)
		t := &task{function: f, kick: make(chan struct{}, 1), stop: stop}
		p.running[f.Name] = t
		tasks.Go(func() { p.run(run, t) })
	}
	for _, t := range old {
		t.stop()
	}
	tasks.Go(func() { p.removeOthers(ctx, names) })
}

// removeOthers deletes entries left over from an earlier configuration.
func (p *Publisher) removeOthers(ctx context.Context, names []string) {
	if p.Conn.WaitConnected(ctx) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	entries, err := p.Conn.GetMany(ctx, bus.BucketBasket, bus.Token(p.ID)+".>")
	if err != nil {
		p.Log.Warn("old basket entries cannot be looked up", "error", err)
		return
	}
	keep := map[string]bool{}
	for _, name := range names {
		keep[key(p.ID, name)] = true
	}
	for _, e := range entries {
		if keep[e.Key] {
			continue
		}
		if err := p.Conn.Delete(ctx, bus.BucketBasket, e.Key); err != nil {
			p.Log.Warn("an old basket entry stays", "key", e.Key, "error", err)
		}
	}
}

func key(peel, function string) string { return bus.Token(peel) + "." + function }

// run evaluates one function at start, at its interval, when kicked and after a reconnect, when
// the bus may have lost the value.
func (p *Publisher) run(ctx context.Context, t *task) {
	again := make(chan struct{}, 1)
	stop := p.Conn.OnConnect(func() { signal(again) })
	defer stop()
	interval := t.function.Interval
	if ttl := t.function.TTL; ttl > 0 {
		interval = min(interval, ttl/2)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	s := p.look(ctx, t.function)
	for delay := firstRetry; ctx.Err() == nil; {
		if p.publish(ctx, t.function, &s) {
			delay = firstRetry
		} else {
			retry.Reset(delay + rand.N(delay/2))
			delay = min(2*delay, interval)
		}
		select {
		case <-ticker.C:
		case <-retry.C:
		case <-t.kick:
		case <-again:
			s = p.look(ctx, t.function)
		case <-ctx.Done():
		}
	}
}

// firstRetry is the pause after a value could not be stored; it doubles up to the interval.
const firstRetry = time.Second

// look reads what the bucket holds.
func (p *Publisher) look(ctx context.Context, f Function) (s stored) {
	if !p.Conn.Connected() {
		return stored{} // the connect looks
	}
	if e, err := p.Conn.Get(ctx, bus.BucketBasket, key(p.ID, f.Name)); err == nil {
		s.known = bus.Unmarshal(e.Value, &s.value) == nil
	}
	return s
}

// stored is the value the bucket is known to hold.
type stored struct {
	value any
	known bool
}

// publish evaluates a function and stores its value. ok is false if it was not stored and should have been.
func (p *Publisher) publish(ctx context.Context, f Function, s *stored) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	value, err := p.evaluate(ctx, f)
	if err != nil {
		p.Log.Warn("a basket function fails; its last value stays", "function", f.Name, "error", err)
		return true
	}
	data, err := bus.Marshal(value)
	if err == nil { // compare what readers will see
		err = bus.Unmarshal(data, &value)
	}
	if err != nil {
		p.Log.Warn("a basket value cannot be encoded", "function", f.Name, "error", err)
		return true
	}
	if f.TTL == 0 && s.known && reflect.DeepEqual(value, s.value) || !p.Conn.Connected() {
		return true // when disconnected, the reconnect runs it again
	}
	if f.TTL > 0 {
		_, err = p.Conn.PutTTL(ctx, bus.BucketBasket, key(p.ID, f.Name), data, f.TTL)
	} else {
		_, err = p.Conn.Put(ctx, bus.BucketBasket, key(p.ID, f.Name), data)
	}
	if err != nil {
		s.known = false
		p.Log.Warn("a basket value cannot be published", "function", f.Name, "error", err)
		return errors.Is(err, bus.ErrTooLarge) || errors.Is(err, bus.ErrPermission)
	}
	s.value, s.known = value, true
	return true
}

var errNothing = errors.New("no execution function and no fact has this name: name a function, fact or value")

func (p *Publisher) evaluate(ctx context.Context, f Function) (any, error) {
	switch {
	case f.Call != "":
		return p.Call(ctx, f.Call, f.Args, f.Kwargs)
	case f.Fact != "":
		return p.fact(f.Fact)
	case f.Value != nil:
		return f.Value, nil
	case p.Has(f.Name):
		return p.Call(ctx, f.Name, nil, nil)
	}
	if v, ok := p.Fact(f.Name); ok {
		return v, nil
	}
	return nil, errNothing
}

func (p *Publisher) fact(path string) (any, error) {
	if v, ok := p.Fact(path); ok {
		return v, nil
	}
	return nil, fmt.Errorf("there is no fact %q", path)
}
