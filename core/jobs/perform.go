package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// maxReturn bounds an encoded return, below the stream's message size and the usual max_payload of 1 MiB.
const maxReturn = 1<<20 - 16<<10

// outcome is how a job ended.
type outcome struct {
	value   any
	retcode int
	err     error
	reason  Reason
}

// perform runs a job to its return.
func (r *running) perform(t *task) {
	if !t.claim() {
		return
	}
	defer r.done(t)
	if t.resumed == nil {
		if t.ctx.Err() != nil {
			r.settle(t, r.neverStarted(t))
			return
		}
		t.started = time.Now()
	}
	r.meters.running.Add(1)
	o := r.execute(t)
	r.meters.running.Add(-1)
	if errors.Is(o.err, ErrLeft) { // the journal says that it has begun: the next Runner returns it
		r.Log.Info("a job goes on while the peel is away", "job", t.cmd.JID, "function", t.cmd.Function)
		return
	}
	r.settle(t, o)
}

func (r *running) neverStarted(t *task) outcome {
	var by *cancelled
	switch cause := context.Cause(t.ctx); {
	case errors.As(cause, &by):
		return outcome{reason: ReasonCancelled, retcode: 1, err: fmt.Errorf("not started: %w", by)}
	case errors.Is(cause, ErrStopping):
		return outcome{reason: ReasonInterrupted, retcode: 1, err: errors.New("not started: the peel stopped while the job was waiting for its turn")}
	}
	return outcome{reason: ReasonTimeout, retcode: 1, err: errors.New("not started: the job's time was up before its turn came")}
}

// execute calls the function. A panic in it is the function's failure, not the peel's.
func (r *running) execute(t *task) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("a function panicked", "job", t.cmd.JID, "function", t.cmd.Function, "panic", p, "stack", string(debug.Stack()))
			o = outcome{reason: ReasonPanic, retcode: 1, err: fmt.Errorf("%s: fault in the function: %v", t.cmd.Function, p)}
		}
	}()
	ctx, shown := r.showing(t)
	defer shown() // before the return is sent
	if t.resumed != nil {
		o.value, o.retcode, o.err = t.resumed(ctx)
	} else {
		o.value, o.retcode, o.err = r.Executor.Execute(ctx, t.cmd)
	}
	if errors.Is(o.err, ErrInterrupted) {
		o.reason = ReasonInterrupted
		return o
	}
	if o.err == nil || errors.Is(o.err, ErrLeft) || t.ctx.Err() == nil {
		return o
	}
	cause := context.Cause(t.ctx)
	told := errors.Is(o.err, cause) // many functions say themselves why they ended
	why := cause.Error()
	var by *cancelled
	switch {
	case errors.As(cause, &by):
		o.reason = ReasonCancelled
	case errors.Is(cause, errTimeUp):
		o.reason, why = ReasonTimeout, "stopped when the job's time was up"
	case errors.Is(cause, ErrStopping):
		o.reason, why = ReasonInterrupted, "interrupted: the peel stopped"
	}
	if !told {
		o.err = fmt.Errorf("%s: %w", why, o.err)
	}
	return o
}

// mutates asks the executor; what it cannot say counts as mutating.
func (r *running) mutates(cmd keys.Command) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("a function panicked", "job", cmd.JID, "function", cmd.Function, "panic", p, "stack", string(debug.Stack()))
			yes = true
		}
	}()
	return r.Executor.Mutates(cmd)
}

// settle records a job's return and sends it on its way.
func (r *running) settle(t *task, o outcome) {
	ret := r.returnOf(t, o)
	r.meters.returned(ret.Success)
	if r.Log.Enabled(context.Background(), slog.LevelInfo) {
		r.Log.Info("job", "job", ret.JID, "function", ret.Function, "operator", t.cmd.Operator, "success", ret.Success, "reason", string(ret.Reason), "duration", ret.Duration)
	}
	data := r.encode(ret)
	quick := t.late != nil && t.late.Stop() && len(data) <= maxQuick
	switch connected := r.Conn.Connected(); {
	case t.mutates || len(data) > maxQuick || !connected:
		r.journal.end(ret.JID, data, written)
		r.settled(t)
		r.outbox.send(ret.JID, data)
	case quick && r.Confirm > 0:
		r.journal.endUnasked(ret.JID, data)
		r.outbox.publish(ret.JID, data)
	default:
		r.journal.end(ret.JID, data, unwritten)
		r.outbox.send(ret.JID, data)
	}
}

// maxQuick is how large a return may be that is kept in memory and sent without a question.
const maxQuick = 16 << 10

func (r *running) returnOf(t *task, o outcome) Return {
	ret := Return{JID: t.cmd.JID, Peel: r.ID, Function: t.cmd.Function, Success: o.err == nil && o.retcode == 0,
		Retcode: o.retcode, Value: o.value, Reason: o.reason, Started: t.started}
	if !t.started.IsZero() {
		ret.Duration = time.Since(t.started)
	}
	if o.err != nil {
		ret.Error = strings.ToValidUTF8(clip(o.err.Error(), 64<<10), "�")
		if ret.Retcode == 0 {
			ret.Retcode = 1
		}
	}
	return ret
}

// encode makes a return's bytes, whatever its value is: one that cannot be encoded, is too large
// or finds no room in the outbox is left out, and the return says so.
func (r *running) encode(ret Return) []byte {
	data, err := marshal(ret)
	full := r.journal.room(min(len(data), maxReturn))
	switch {
	case err != nil:
		ret.cut(fmt.Sprintf("the value cannot be returned: %v", err))
	case len(data) > maxReturn:
		if err := r.outbox.large.put(&ret); err != nil {
			ret.cut(fmt.Sprintf("the value is left out: %v", err))
		}
	case full != nil:
		ret.cut(fmt.Sprintf("the value is left out: %v", full))
		r.Log.Error("a return's value is dropped: too much waits to be sent", "job", ret.JID, "function", ret.Function, "bytes", len(data))
	default:
		return data
	}
	data, err = marshal(ret)
	if err != nil { // plain strings and numbers are left
		r.Log.Error("a return cannot be encoded", "job", ret.JID, "error", err)
	}
	return data
}

// withoutValue is an encoded return without its value, and with the reason for that.
func withoutValue(data []byte, why error) []byte {
	var ret Return
	if bus.Unmarshal(data, &ret) != nil || ret.Cut {
		return nil
	}
	ret.cut(fmt.Sprintf("the value is left out: %v", why))
	data, err := marshal(ret)
	if err != nil {
		return nil
	}
	return data
}

func (ret *Return) cut(why string) {
	ret.Value, ret.Cut, ret.Parts = nil, true, 0
	if ret.Error != "" {
		why = ret.Error + "; " + why
	}
	ret.Error = why
}

// marshal guards against what a function may put into its value.
func marshal(ret Return) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return appendReturn(nil, &ret)
}

// clip keeps the beginning of a long text.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
