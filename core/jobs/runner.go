package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/time/rate"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// Executor is what a Runner runs. Its methods are called concurrently.
type Executor interface {
	// Mutates says whether this call can change the host. Such calls run one at a time.
	Mutates(cmd keys.Command) bool
	// Execute runs the function until the context ends. An error makes the return a failed one;
	// a value given with it is returned all the same, and so is the retcode, where 0 becomes 1.
	Execute(ctx context.Context, cmd keys.Command) (value any, retcode int, err error)
}

// Runner is a peel's half of jobs: it takes commands, runs them and returns. Set the fields,
// then call Run once.
type Runner struct {
	Conn          *bus.Conn
	ID            string
	AccountPublic string         // of the account that signs commands: the issuer of the peel's JWT
	Verifier      *keys.Verifier // nil makes one of AccountPublic; peels of one process may share one
	StateDir      string         // the journal is kept in jobs/ below it
	Executor      Executor
	Log           *slog.Logger
	Metrics       *metrics.Set

	// Concurrent is how many reading functions run at once, Queue how many jobs may wait, of
	// each kind. 0 means 16 and 64.
	Concurrent, Queue int
	// Confirm is how long after the return of a function that only reads, and quickly, the peel
	// asks the stream whether it has it. Until then the masters do, by looking who has returned,
	// and what they miss they ask the peel for; so does a connection that is made anew. 0 means
	// 5 min; less than 0 that every return is acknowledged at once, as the other functions' are.
	Confirm time.Duration
	// Ready, if set, is called once commands are taken.
	Ready func()
	// StopWait is how long Run waits for functions whose context has ended. 0 means 5 s.
	StopWait time.Duration

	localClock func() time.Time // of a test; nil is this host's
	ackAfter   time.Duration    // of a test; 0 is ackAfter
}

var errTimeUp = errors.New("the job's time is up")

// running is a Runner at work.
type running struct {
	Runner
	journal  *journal
	outbox   *outbox
	meters   runnerMeters
	refusal  quietLog
	clock    *peelClock
	declines *rate.Limiter
	base     context.Context // of all functions
	tasks    sync.WaitGroup
	mutate   chan *task
	changing atomic.Int32 // mutating jobs that run or wait
	reading  reading

	mu     sync.Mutex
	active map[string]*task // that have not come to their returns

	gate   sync.RWMutex // held for reading while a command is taken
	closed bool
}

// Run takes commands until the context ends; then it ends what runs, whose returns say so, and
// comes back. It works without a connection too: returns wait on disk for it. Errors are of
// the state directory and the account's key, before anything has started.
func (r Runner) Run(ctx context.Context) error {
	run := &running{Runner: r}
	if err := run.prepare(); err != nil {
		return err
	}
	j, interrupted, err := openJournal(filepath.Join(r.StateDir, "jobs"), run.Log)
	if err != nil {
		return err
	}
	defer j.close()
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	run.journal, run.base = j, base
	run.meters = newRunnerMeters(run.Metrics, j)
	values, err := openLarge(filepath.Join(r.StateDir, "jobs", "large"), run.Log, j.unsentReturn)
	if err != nil {
		return err
	}
	run.outbox = newOutbox(run.Conn, run.ID, j, values, run.Log, run.meters)
	run.outbox.confirm = run.Confirm
	resumed := run.resume(interrupted)

	var loops sync.WaitGroup
	defer loops.Wait()
	sending, stopSending := context.WithCancel(base)
	defer stopSending()
	loops.Go(func() { run.outbox.run(sending) })
	loops.Go(func() { run.tidying(sending) })
	go run.mutating(base, resumed) // not waited for: it may be in a function that does not stop
	sub, err := run.Conn.Subscribe(bus.Command(run.ID), run.take)
	if err != nil {
		stop(err)
		return err
	}
	if run.Ready != nil {
		run.Ready()
	}
	<-ctx.Done()
	sub.Stop()
	run.gate.Lock()
	run.closed = true
	run.gate.Unlock()
	stop(ErrStopping)
	run.finish()
	return nil
}

func (r *running) prepare() error {
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	if r.Concurrent <= 0 {
		r.Concurrent = 16
	}
	if r.Queue <= 0 {
		r.Queue = 64
	}
	if r.StopWait <= 0 {
		r.StopWait = 5 * time.Second
	}
	if r.Confirm == 0 {
		r.Confirm = 5 * time.Minute
	}
	if r.ackAfter == 0 {
		r.ackAfter = ackAfter
	}
	r.reading.tasks = make(chan *task, r.Concurrent+r.Queue)
	r.mutate = make(chan *task, r.Queue)
	r.active = map[string]*task{}
	r.refusal = quietLog{every: 10 * time.Second}
	if r.Verifier == nil {
		v, err := keys.NewVerifier(r.AccountPublic)
		if err != nil {
			return fmt.Errorf("commands cannot be verified: %w", err)
		}
		r.Verifier = v
	}
	r.clock = newPeelClock(r.Conn, r.ID, r.Verifier, r.localClock)
	r.declines = rate.NewLimiter(declineRate, declineRate)
	return bus.CheckPeelID(r.ID)
}

func (r *running) tidying(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			r.journal.tidy(now)
			r.outbox.large.tidy(func(jid string) bool {
				return r.journal.state(jid) != stateSent && r.journal.state(jid) != stateUnknown
			})
		case <-ctx.Done():
			return
		}
	}
}

// finish waits for the functions and gives their returns a moment to leave; what does not is
// on disk.
func (r *running) finish() {
	ended := make(chan struct{})
	go func() {
		r.tasks.Wait()
		close(ended)
	}()
	wait := time.NewTimer(r.StopWait)
	defer wait.Stop()
	select {
	case <-ended:
	case <-wait.C:
		r.Log.Warn("functions do not stop: their jobs will be returned as interrupted")
	}
	r.outbox.flush(time.Second)
}
