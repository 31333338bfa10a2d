package states

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// run is one walk over a plan.
type run struct {
	*Plan
	mu       sync.Mutex               // guards what is below while states run side by side
	results  []result                 // by chunk.seq
	pretests map[*chunk]result        // what the prereq of another state found of a chunk, where it failed
	stopped  *chunk                   // the state whose failhard stopped the run
	locks    map[string]chan struct{} // of Mutex; full while a state has it
}

// result of a chunk as requisites see it.
type result struct {
	StateResult
	// idle states were left out because of onchanges, onfail or prereq: they satisfy no _any requisite, as in Salt.
	idle bool
	// skipWatch is Result.SkipWatch.
	skipWatch bool
}

// Run runs the plan. It always returns a report of every state; a cancelled context blocks those not yet reached.
func (p *Plan) Run(ctx context.Context) Report {
	started := time.Now()
	r := &run{Plan: p, results: make([]result, len(p.chunks)), locks: map[string]chan struct{}{}}
	for _, c := range p.chunks {
		if c.fn.Mutex != "" && r.locks[c.fn.Mutex] == nil {
			r.locks[c.fn.Mutex] = make(chan struct{}, 1)
		}
	}
	if p.opts.Parallel > 1 {
		r.sideBySide(ctx)
	} else {
		r.inOrder(ctx)
	}
	r.handled()
	report := Report{Test: p.opts.Test, Started: started, States: make([]StateResult, 0, len(p.chunks))}
	listened := r.listeners(ctx)
	for i := range r.results {
		report.States = append(report.States, r.results[i].StateResult)
	}
	report.States = append(report.States, listened...)
	report.Duration = time.Since(started)
	return report
}

// step runs one chunk whose needs are done, as the nth of the run, and keeps its result.
func (r *run) step(ctx context.Context, c *chunk, nth int) {
	started := time.Now()
	res := r.evaluate(ctx, c)
	res.Run = nth
	res.Started, res.Duration = started, time.Since(started)
	r.finish(c, res)
}

func (r *run) finish(c *chunk, res result) {
	res.ID, res.SLS, res.Function, res.Name = c.id, c.pos.file.sls, c.fn.Name, c.name
	if res.Changes == nil {
		res.Changes = map[string]any{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[c.seq] = res
	if res.Outcome == Failed && !res.Blocked && r.stopped == nil && !r.opts.Test && c.failhard(r.opts) {
		r.stopped = c
	}
	if c.control != nil && (c.control.event != "" || c.control.eventDefault) && r.opts.Event != nil {
		tag := c.control.event
		if tag == "" {
			tag = c.name
		}
		r.opts.Event("state_result/"+tag, map[string]any{"ret": res.saltData()})
	}
	if r.opts.Progress != nil {
		r.opts.Progress(res.StateResult)
	}
}

func (c *chunk) failhard(opts *Options) bool {
	if c.control != nil && c.control.failhard != nil {
		return *c.control.failhard
	}
	return opts.Failhard
}

// result returns what is known of a chunk: of one that is not in the plan, that it changed nothing.
func (r *run) result(c *chunk) *result {
	if c.seq == absent {
		return &result{}
	}
	return &r.results[c.seq]
}

// evaluate decides by the requisites whether the function runs, and runs it.
func (r *run) evaluate(ctx context.Context, c *chunk) result {
	if err := ctx.Err(); err != nil {
		return blocked("not run: the run was cancelled")
	}
	v := r.requisites(c)
	if v.status == proceed || v.status == changed {
		if stopped := r.stopper(); stopped != nil && !(c.control != nil && c.control.handles && c.hasOnfail()) {
			return blocked(fmt.Sprintf("not run: %s failed and failhard stops the run", stopped.label()))
		}
	}
	switch v.status {
	case fails:
		if res, ok := r.pretested(c); ok {
			return res
		}
		return blocked("one or more requisites failed: " + strings.Join(v.failed, ", "))
	case noOnchanges:
		return idle("not run: none of the onchanges states changed")
	case noOnfail:
		return idle("not run: the onfail states did not fail")
	}
	if pre := c.requisite(prereq); pre != nil {
		if res, stop := r.pretest(ctx, c, pre); stop {
			return res
		}
	}
	return r.call(ctx, c, v.watched, r.opts.Test)
}

// handled marks the failures that onfail states with onfail_stop: false have dealt with: all of them succeeded.
func (r *run) handled() {
	failed := map[*chunk]bool{} // whether a handler of theirs failed as well
	for _, c := range r.chunks {
		if c.control == nil || !c.control.handles {
			continue
		}
		for _, k := range [...]kind{onfail, onfailAny, onfailAll} {
			req := c.requisite(k)
			if req == nil {
				continue
			}
			req.each(func(t *chunk) bool {
				if r.result(t).Outcome == Failed && t.seq != absent {
					res := r.result(c)
					failed[t] = failed[t] || res.Outcome == Failed || !res.Ran
				}
				return true
			})
		}
	}
	for c, again := range failed {
		r.results[c.seq].Handled = !again
	}
}

func (r *run) stopper() *chunk {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

func (c *chunk) hasOnfail() bool {
	return c.requisite(onfail) != nil || c.requisite(onfailAny) != nil || c.requisite(onfailAll) != nil
}

func blocked(comment string) result {
	return result{StateResult: StateResult{Outcome: Failed, Blocked: true, Comment: comment}}
}

func skipped(comment string) result {
	return result{StateResult: StateResult{Outcome: Succeeded, Comment: comment}}
}

func idle(comment string) result {
	res := skipped(comment)
	res.idle = true
	return res
}

// pretest asks the states of a prereq what they would change. Only if one would does the state itself run.
func (r *run) pretest(ctx context.Context, c *chunk, pre *requisite) (res result, stop bool) {
	wanted := false
	var failed []string
	pre.each(func(t *chunk) bool {
		found := r.foresee(ctx, t)
		switch {
		case found.Outcome == Failed:
			r.mu.Lock()
			if r.pretests == nil {
				r.pretests = map[*chunk]result{}
			}
			r.pretests[t] = found
			r.mu.Unlock()
			failed = append(failed, t.pos.file.sls+"."+t.id+" ("+found.Comment+")")
		case found.Outcome == WouldChange || len(found.Changes) > 0:
			wanted = true
		}
		return true
	})
	switch {
	case len(failed) > 0:
		return blocked("one or more requisites failed: " + strings.Join(failed, ", ")), true
	case !wanted:
		return idle("not run: the prereq states would change nothing"), true
	}
	return result{}, false
}

// foresee returns what t would do once its turn comes: nothing, if its requisites keep it from running, or if it is itself
// to run only before a state that would change nothing.
func (r *run) foresee(ctx context.Context, t *chunk) result {
	switch v := r.verdict(t); v.status {
	case fails:
		return blocked("one or more requisites failed: " + strings.Join(v.failed, ", "))
	case noOnchanges, noOnfail:
		return idle("")
	}
	if pre := t.requisite(prereq); pre != nil {
		wanted := false
		pre.each(func(next *chunk) bool {
			found := r.foresee(ctx, next)
			wanted = found.Outcome == Failed || found.changed()
			return !wanted
		})
		if !wanted {
			return skipped("")
		}
	}
	return r.call(ctx, t, nil, true)
}

// pretested returns the failure that the prereq of another state has met in c: that is why c does not run, not the
// other state.
func (r *run) pretested(c *chunk) (result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res, ok := r.pretests[c]
	res.Ran, res.Changes = false, nil // it was only asked
	return res, ok
}

// listeners reacts, after everything else, for the states that listen to one that changed: once each.
func (r *run) listeners(ctx context.Context) []StateResult {
	var out []StateResult
	for _, c := range r.chunks {
		req := c.requisite(listen)
		if req == nil || c.fn.Watch == nil {
			continue
		}
		watched := map[string]any{}
		req.each(func(t *chunk) bool {
			if res := r.result(t); res.changed() {
				watched[t.label()] = res.Changes
			}
			return true
		})
		if len(watched) == 0 {
			continue
		}
		started := time.Now()
		res := r.listener(ctx, c, watched)
		res.Started, res.Duration = started, time.Since(started)
		res.ID, res.SLS, res.Function, res.Name = "listener_"+c.id, c.pos.file.sls, c.fn.Name, c.name
		res.Run = len(r.chunks) + len(out) + 1
		if r.opts.Progress != nil {
			r.opts.Progress(res.StateResult)
		}
		out = append(out, res.StateResult)
	}
	return out
}

// listener reacts for one state, under its run control. Its conditions are looked at anew: much has changed since.
func (r *run) listener(ctx context.Context, c *chunk, watched map[string]any) result {
	if ctx.Err() != nil {
		return blocked("not run: the run was cancelled")
	}
	return r.controlled(ctx, c, r.opts.Test, func(ctx context.Context) result {
		return r.apply(ctx, c, c.fn.Watch, watched, r.opts.Test)
	})
}

func (res *result) changed() bool { return len(res.Changes) > 0 || res.Outcome == WouldChange }
