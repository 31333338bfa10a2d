package jobs

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// SetGuard has the stream of returns looked at for every so many new messages.
func SetGuard(d *Dispatcher, every time.Duration, messages uint64) {
	d.guardLimits = guardLimits{every: every, messages: messages, bytes: 1 << 40}
}

// SetClock and SetPeelClock give a master or a peel a clock of its own.
func SetClock(d *Dispatcher, local func() time.Time) { d.localClock = local }

func SetPeelClock(r *Runner, local func() time.Time) { r.localClock = local }

// SetAckAfter has reading functions acked that take so long. Those that take less return without a question.
func SetAckAfter(r *Runner, after time.Duration) { r.ackAfter = after }

// SetGoneAfter has a peel's place in a batch taken when it has been away for so long.
func SetGoneAfter(d *Dispatcher, after time.Duration) { d.goneAfter = after }

// ListBack is List with a window of its own.
func ListBack(ctx context.Context, c *bus.Conn, f Filter, window uint64) ([]*Record, error) {
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	last, err := c.LastRevision(ctx, bus.BucketJobs)
	if err != nil {
		return nil, err
	}
	return listBack(ctx, c, f, last, window)
}

// SetPage makes the lists that p asks for come in pages of n.
func SetPage(p *Presence, n int) { p.page = n }

// ForgetLate makes a journal that was closed what a death of the process would have left of it: the jobs that only read
// have begun, and that is all.
func ForgetLate(dir string) error {
	path := filepath.Join(dir, "jobs", "journal")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var kept []byte
	scanFrames(data, func(r journalRecord, offset, size int) {
		if r.Kind == recordBegin {
			kept = append(kept, data[offset:offset+size]...)
		}
	})
	return os.WriteFile(path, kept, 0o600)
}

// NewShower collects what commands print and sends it in pieces.
func NewShower(send func(number uint64, stderr bool, text string)) (write func(stderr bool, text []byte), end func()) {
	s := newShower(func(p piece) { send(p.Number, p.Stderr, string(p.Text)) })
	return s.write, s.close
}

// ReadPiece gives the text that a follower shows of the first message of a peel's output.
func ReadPiece(data []byte) (text string, shown bool) {
	j := newJob(context.Background(), nil, Request{})
	j.output("web-01", data)
	select {
	case e := <-j.events:
		return e.(Output).Text, true
	default:
		return "", false
	}
}
