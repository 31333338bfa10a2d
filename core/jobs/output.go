package jobs

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ptorbus/zester/core/bus"
)

// What commands print can be followed while they run (Request.Stream). It is shown, not kept: a piece that is lost on
// the way is lost, the return has it all. A piece is a line, or as many as come within outputPause, and at most
// maxPiece bytes; a peel sends no more than outputRate, and a follower takes no more of each than followRate.
const (
	maxPiece    = 4 << 10
	outputPause = 100 * time.Millisecond
	outputRate  = 256 << 10 // bytes a second
	outputBurst = 512 << 10
	followRate  = 1 << 20
	followBurst = 2 << 20
	// leastPiece is what a piece counts at least, so that small ones are not free.
	leastPiece = 256
)

// Output is a piece of what a job's commands print on a peel while they run.
type Output struct {
	Peel   string
	Stderr bool
	Text   string // whatever bytes the command has printed
	// Missing says that something before it is lost.
	Missing bool
}

func (Output) event() {}

// piece is an Output on its way.
type piece struct {
	Life   int64  `msgpack:"l"` // of the peel's process: a later one begins to count anew
	Number uint64 `msgpack:"n"` // from 1
	Stderr bool   `msgpack:"e"`
	Text   []byte `msgpack:"t"`
}

type outputKey struct{}

// OutputOf is where a function shows what its commands print; nil if nobody wants to see it. It does not wait, may be
// called concurrently, and does not keep the text.
func OutputOf(ctx context.Context) func(stderr bool, text []byte) {
	show, _ := ctx.Value(outputKey{}).(func(bool, []byte))
	return show
}

// shower collects what the commands of one job print, and sends it in pieces.
type shower struct {
	send  func(piece) // must not wait
	life  int64
	limit *rate.Limiter

	mu     sync.Mutex
	held   [2][]byte // what is not sent yet, of each stream
	number uint64
	last   time.Time // when something was sent
	gap    bool      // and nothing since the last that was dropped
	timer  *time.Timer
	closed bool
}

func newShower(send func(piece)) *shower {
	return &shower{send: send, life: time.Now().UnixNano(), limit: rate.NewLimiter(outputRate, outputBurst)}
}

// write takes what a command has printed.
func (s *shower) write(stderr bool, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	held := &s.held[index(stderr)]
	for len(text) > 0 {
		n := min(len(text), maxPiece-len(*held))
		*held = append(*held, text[:n]...)
		if text = text[n:]; len(*held) == maxPiece {
			s.flush(stderr, maxPiece)
		}
	}
	now := time.Now()
	if due := s.last.Add(outputPause); now.Before(due) {
		s.later(due.Sub(now))
	} else if end := bytes.LastIndexByte(*held, '\n') + 1; end > 0 {
		s.flush(stderr, end)
	}
	if len(s.held[0])+len(s.held[1]) > 0 {
		s.later(outputPause)
	}
}

func index(stderr bool) int {
	if stderr {
		return 1
	}
	return 0
}

// later sends what is held after a while, if that is not arranged yet.
func (s *shower) later(pause time.Duration) {
	if s.timer == nil {
		s.timer = time.AfterFunc(pause, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.timer = nil
			s.flushAll()
		})
	}
}

func (s *shower) flushAll() {
	for _, stderr := range []bool{false, true} {
		s.flush(stderr, len(s.held[index(stderr)]))
	}
}

// flush sends the first n bytes that are held of a stream, or drops them where there is too much.
func (s *shower) flush(stderr bool, n int) {
	if n == 0 {
		return
	}
	held := &s.held[index(stderr)]
	s.number++
	s.last = time.Now()
	if s.limit.AllowN(s.last, max(n, leastPiece)) {
		s.send(piece{s.life, s.number, stderr, bytes.Clone((*held)[:n])})
		s.gap = false
	} else {
		s.gap = true
	}
	*held = append((*held)[:0], (*held)[n:]...)
}

// close sends the rest.
func (s *shower) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushAll()
	if s.gap { // nothing, by which to see that something is missing
		s.number++
		s.send(piece{Life: s.life, Number: s.number})
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// showing gives a job's function somewhere to show what its commands print, if that was asked for.
func (r *running) showing(t *task) (ctx context.Context, done func()) {
	if !t.cmd.Stream {
		return t.ctx, func() {}
	}
	subject := bus.Output(t.cmd.JID, r.ID)
	s := newShower(func(p piece) {
		data, err := bus.Marshal(p)
		if err == nil && r.Conn.Connected() {
			err = r.Conn.Publish(subject, data)
		}
		if err != nil {
			r.Log.Debug("a piece of output is lost", "job", t.cmd.JID, "error", err)
		}
	})
	return context.WithValue(t.ctx, outputKey{}, s.write), s.close
}

// isOutput says whether a message on a job's subjects is a piece of output, without looking closer.
func isOutput(subject string) bool { return strings.Contains(subject, ".out.") }

// following is what a follower remembers of a peel's output.
type following struct {
	life   int64
	number uint64
	limit  *rate.Limiter
}

// output takes a piece of a peel's output, if it has not sent too much.
func (j *Job) output(peel string, data []byte) {
	f := j.outputs[peel]
	if f == nil {
		f = &following{limit: rate.NewLimiter(followRate, followBurst)}
		j.outputs[peel] = f
	}
	if !f.limit.AllowN(time.Now(), max(len(data), leastPiece)) {
		return
	}
	var p piece
	if len(data) > 2*maxPiece || bus.Unmarshal(data, &p) != nil || p.Life < f.life || p.Life == f.life && p.Number <= f.number {
		return
	}
	missing := p.Life == f.life && p.Number != f.number+1
	f.life, f.number = p.Life, p.Number
	if missing || len(p.Text) > 0 {
		j.emit(Output{peel, p.Stderr, string(p.Text), missing})
	}
}
