package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

// lose takes a job's returns out of the stream, as a server does that dies before it has written them.
func (f *fleet) lose(t *testing.T, jid string) {
	t.Helper()
	until(t, func() bool {
		s, err := f.core.StreamState(t.Context(), bus.StreamReturns)
		if err == nil {
			err = f.core.StreamSequences(t.Context(), bus.StreamReturns, 1, s.Last, func(seq uint64, subject string) error {
				if !strings.HasPrefix(subject, bus.Return(jid, "")) {
					return nil
				}
				return f.core.Remove(t.Context(), bus.StreamReturns, seq)
			})
		}
		return err == nil && len(f.stored(t, jid)) == 0
	})
}

// unasked has a peel send all returns of functions that only read without a question, however slow it is, and ask for
// them later.
func unasked(confirm time.Duration) func(*jobs.Runner) {
	return func(r *jobs.Runner) {
		r.Confirm = confirm
		jobs.SetAckAfter(r, time.Hour)
	}
}

// A quick return is sent without a question. Whichever way it is lost, the stream has it in the end, and nothing runs twice.
func TestUnaskedReturnIsNotLost(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	never := unasked(time.Hour)
	for name, again := range map[string]func(t *testing.T, p *peel, command []byte){
		"the master asks":       func(t *testing.T, p *peel, command []byte) { f.send(t, p.id, command) },
		"the connection breaks": func(t *testing.T, p *peel, _ []byte) { p.conn.Reconnect() },
		"the peel restarts":     func(t *testing.T, p *peel, _ []byte) { p.stop(); p.start(t, f, never) },
		"the peel dies": func(t *testing.T, p *peel, _ []byte) {
			p.stop()
			if err := jobs.ForgetLate(p.dir); err != nil {
				t.Error(err)
			}
			p.start(t, f, never)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := f.peel(t, strings.ReplaceAll(name, " ", "-"), never)
			cmd := command("test.ping")
			data := sign(t, f.Account, cmd, p.id)
			f.send(t, p.id, data)
			f.await(t, cmd.JID)
			f.lose(t, cmd.JID)
			again(t, p, data)
			r := f.await(t, cmd.JID)
			if interrupted := r.Reason == jobs.ReasonInterrupted; interrupted != (name == "the peel dies") || !interrupted && r.Value != true {
				t.Errorf("%+v", r)
			}
			if n := p.exec.count(cmd.JID); n != 1 {
				t.Errorf("ran %d times", n)
			}
		})
	}
}

// After a while the peel asks on its own, once.
func TestUnaskedReturnIsAskedFor(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	set := metrics.NewSet()
	f.peel(t, "web-01", unasked(time.Millisecond), func(r *jobs.Runner) { r.Metrics = set })
	const n = 5
	for range n {
		cmd := command("test.ping")
		f.send(t, "web-01", sign(t, f.Account, cmd, "web-01"))
		f.await(t, cmd.JID)
	}
	want := fmt.Sprintf("zester_peel_returns_sent_total %d\n", n)
	until(t, func() bool { return strings.Contains(metricsOf(set), want) })
	if got := metricsOf(set); !strings.Contains(got, "zester_peel_outbox_returns 0\n") || !strings.Contains(got, "zester_peel_return_attempts_failed_total 0\n") {
		t.Errorf("got\n%s", got)
	}
}

// A peel that is stopped while it sends what has waited loses none of it.
func TestStoppedWhileSending(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.peel(t, "web-01", unasked(time.Hour))
	var jids []string
	for range 8 {
		cmd := command("test.ping")
		f.send(t, p.id, sign(t, f.Account, cmd, p.id))
		f.await(t, cmd.JID)
		jids = append(jids, cmd.JID)
	}
	p.stop()
	for _, jid := range jids {
		f.lose(t, jid)
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		r := jobs.Runner{Conn: p.conn, ID: p.id, AccountPublic: f.Account.Public(), StateDir: p.dir, Executor: p.exec, Ready: cancel}
		if err := r.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	p.start(t, f)
	for _, jid := range jids {
		if r := f.await(t, jid); r.Value != true || p.exec.count(jid) != 1 {
			t.Errorf("ran %d times: %+v", p.exec.count(jid), r)
		}
	}
}
