package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/files"
)

// Fleet knows the peels and their facts; *facts.Index is one.
type Fleet interface {
	Ready() <-chan struct{} // closed when it knows all there are
	IDs() []string
	Facts(id string) map[string]any // nil: unknown, or has not reported
}

// ServiceOptions configure a Service.
type ServiceOptions struct {
	Conn     *bus.Conn
	Account  Account
	Compiler *Compiler
	Fleet    Fleet
	Curve    func(id string) (curve string, member bool) // enrollment's word on who is a member, and with which key
	Compiled func(id string, data *Map)                  // nil, or told of every result: for targets on settings
	Log      *slog.Logger                                // nil: nobody
	Metrics  *metrics.Set                                // nil: none
}

// Service keeps the whole fleet's settings compiled and, while it leads, stored.
type Service struct {
	o         ServiceOptions
	key       []byte // for fingerprints
	queue     *queue
	lookEvery time.Duration

	mu       sync.Mutex
	leading  *leader // nil: another master stores
	problems map[string]error
	alike    map[string]int // peels by the text of their problem
}

// NewService makes a Service. It does nothing until Run.
func NewService(o ServiceOptions) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	key, err := fingerprintKey(o.Account)
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, key: key, queue: newQueue(), lookEvery: lookEvery, problems: map[string]error{}, alike: map[string]int{}}
	o.Metrics.GetOrCreateGauge("zester_settings_failing_peels", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.problems))
	})
	return s, nil
}

// Touch says that a peel's facts or its enrollment have changed. It does not block: made for facts.Index.Changed and
// enrollment.Directory.
func (s *Service) Touch(id string) { s.queue.add(id) }

// TouchAll compiles the whole fleet anew.
func (s *Service) TouchAll() {
	for _, id := range s.o.Fleet.IDs() {
		s.queue.add(id)
	}
}

// Run compiles for all peels, and again what Touch names and whatever a change in the directory may concern, until the
// context ends. Every master runs it, so that each knows all settings for targets and can take over storing at once.
func (s *Service) Run(ctx context.Context) {
	select {
	case <-s.o.Fleet.Ready():
	case <-ctx.Done():
		return
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() { s.work(ctx) })
	}
	for range files.ChangesIn(ctx, s.o.Compiler.dirs(), s.o.Log) {
		s.o.Compiler.Reload()
		s.TouchAll()
	}
}

// Publish stores what Run compiles until the context ends. One master at a time does: it is made for bus.Conn.Lease.
func (s *Service) Publish(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.lead(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("cannot read the stored settings yet", "error", err)
			sleep(ctx, time.Second)
		}
	}
}

// lookEvery is how often the leader looks whether the bucket is still the one it knows.
const lookEvery = time.Minute

// lead stores until the context ends, or until the bucket has gone back behind what was stored in it: it was lost, purged, or
// restored from a copy.
func (s *Service) lead(ctx context.Context) error {
	l := &leader{ctx: ctx, key: s.key, stored: map[string]stored{}}
	if err := l.load(ctx, s.o.Conn); err != nil {
		return err
	}
	s.setLeader(l)
	defer s.setLeader(nil)
	s.TouchAll()
	ticker := time.NewTicker(s.lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		entries, revision := l.known()
		usage, err := s.o.Conn.Usage(ctx, bus.BucketSettings)
		if err == nil && (usage.Revision < revision || usage.Entries < entries) {
			s.o.Log.Warn("stored settings have been lost and are stored anew", "entries", usage.Entries, "known_entries", entries)
			return nil
		}
	}
}

func (s *Service) setLeader(l *leader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = l
}

func (s *Service) work(ctx context.Context) {
	for {
		id, ok := s.queue.take(ctx)
		if !ok {
			return
		}
		err := s.one(ctx, id)
		if ctx.Err() == nil {
			s.note(id, err)
		}
		s.queue.done(id)
		if errors.Is(err, errStore) {
			time.AfterFunc(storeRetry, func() { s.queue.add(id) })
		}
	}
}

const (
	storeRetry   = 2 * time.Second
	storeTimeout = 10 * time.Second
)

// errStore: compiled and not stored, for a reason that may pass.
var errStore = errors.New("cannot store")

// one compiles and stores for one peel.
func (s *Service) one(ctx context.Context, id string) error {
	reported := s.o.Fleet.Facts(id)
	curve, member := s.o.Curve(id)
	if reported == nil || !member {
		return nil // touched again when that changes
	}
	s.mu.Lock()
	l := s.leading
	s.mu.Unlock()
	start := time.Now()
	data, err := s.o.Compiler.Compile(ctx, Peel{ID: id, Facts: reported})
	s.o.Metrics.GetOrCreateHistogram("zester_settings_compile_seconds").UpdateDuration(start)
	if errors.Is(err, ErrNoTop) {
		if l == nil || l.holds(id) {
			return err // a directory that is gone takes nothing from a peel that has something
		}
		data, err = NewMap(0), nil
	}
	if err != nil {
		return err
	}
	if s.o.Compiled != nil {
		s.o.Compiled(id, data)
	}
	if l == nil {
		return nil
	}
	return s.store(l, id, curve, parcel{data, s.o.Compiler.groups.of(Peel{ID: id, Facts: reported}, data)})
}

// note keeps the outcome and logs a problem once, however many peels have it.
func (s *Service) note(id string, err error) {
	s.mu.Lock()
	old := s.problems[id]
	if old != nil {
		if s.alike[old.Error()]--; s.alike[old.Error()] == 0 {
			delete(s.alike, old.Error())
		}
		delete(s.problems, id)
	}
	first := false
	if err != nil {
		s.problems[id] = err
		s.alike[err.Error()]++
		first = s.alike[err.Error()] == 1 && (old == nil || old.Error() != err.Error())
	}
	s.mu.Unlock()
	if err == nil {
		return
	}
	s.o.Metrics.GetOrCreateCounter("zester_settings_errors_total").Inc()
	if first {
		s.o.Log.Error("a peel keeps its old settings", "peel", id, "error", err)
	} else {
		s.o.Log.Debug("a peel keeps its old settings", "peel", id, "error", err)
	}
}

// Problems gives the error of each peel whose settings could not be compiled or stored last time.
func (s *Service) Problems() map[string]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.problems)
}

// Compile makes the settings of one known peel as they would be stored, for an operator to look at.
func (s *Service) Compile(ctx context.Context, id string) (*Map, error) {
	reported := s.o.Fleet.Facts(id)
	if reported == nil {
		return nil, fmt.Errorf("peel %q is not known, or has not reported its facts", id)
	}
	return s.o.Compiler.Compile(ctx, Peel{ID: id, Facts: reported})
}
