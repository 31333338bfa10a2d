package states

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/files"
)

// call runs a chunk's function under its run control.
func (r *run) call(ctx context.Context, c *chunk, watched map[string]any, test bool) result {
	return r.controlled(ctx, c, test, func(ctx context.Context) result { return r.once(ctx, c, watched, test) })
}

// controlled does what a chunk does under its run control.
func (r *run) controlled(ctx context.Context, c *chunk, test bool, do func(context.Context) result) result {
	ctx = files.InEnvironment(ctx, c.environment())
	if c.control == nil {
		return do(ctx)
	}
	if c.control.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.control.timeout, fmt.Errorf("timed out after %s", c.control.timeout))
		defer cancel()
	}
	if res, skip := r.conditions(ctx, c); skip {
		return res
	}
	retry := c.control.retry
	if retry == nil || test {
		return r.checked(ctx, c, test, do)
	}
	var history []string
	for attempt := 1; ; attempt++ {
		res := r.checked(ctx, c, test, do)
		if res.Outcome == retry.until || attempt >= retry.attempts || ctx.Err() != nil {
			if len(history) > 0 {
				res.Comment = strings.Join(append(history, res.Comment), "\n")
			}
			return res
		}
		history = append(history, fmt.Sprintf("attempt %d: result %v: %s", attempt, res.Outcome.Data(), res.Comment))
		pause := retry.interval
		if retry.splay > 0 {
			pause += rand.N(retry.splay)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// checked does it and then runs the check_cmd, which alone decide on the result.
func (r *run) checked(ctx context.Context, c *chunk, test bool, do func(context.Context) result) result {
	res := do(ctx)
	if len(c.control.checkCmd) == 0 || test || ctx.Err() != nil {
		return res
	}
	for _, line := range c.control.checkCmd {
		code, err := r.command(ctx, c, line)
		if err != nil || code != 0 {
			res.Outcome = Failed
			res.Comment = joinComments(res.Comment, fmt.Sprintf("check_cmd %q failed: %s", line, exitText(code, err)))
			return res
		}
	}
	if res.Outcome == Failed {
		res.Outcome, res.Comment = Succeeded, joinComments(res.Comment, "check_cmd found that it succeeded")
	}
	return res
}

func exitText(code int, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("exit code %d", code)
}

// once applies the function, and its Watch if that changed nothing while a watched state had changed: also where it
// failed, for what failed with the old configuration may do with the new one.
func (r *run) once(ctx context.Context, c *chunk, watched map[string]any, test bool) result {
	if lock := r.locks[c.fn.Mutex]; lock != nil {
		select {
		case lock <- struct{}{}:
			defer func() { <-lock }()
		case <-ctx.Done():
			why := fmt.Sprintf("not started, another state has %s: %v", c.fn.Mutex, context.Cause(ctx))
			return result{StateResult: StateResult{Ran: true, Outcome: Failed, Changes: map[string]any{}, Comment: why}}
		}
	}
	res := r.apply(ctx, c, c.fn.Apply, nil, test)
	if len(watched) == 0 || c.fn.Watch == nil || res.changed() || res.skipWatch || ctx.Err() != nil {
		return res
	}
	return r.apply(ctx, c, c.fn.Watch, watched, test)
}

type applyFunc = func(context.Context, *Call) (Result, error)

func (r *run) apply(ctx context.Context, c *chunk, fn applyFunc, watched map[string]any, test bool) (out result) {
	out = result{StateResult: StateResult{Ran: true, Changes: map[string]any{}}}
	defer func() {
		// One state must not take the others with it; what it left undone shows in its comment.
		if p := recover(); p != nil {
			out.Outcome, out.Comment = Failed, fmt.Sprintf("%s stopped with an internal error: %v", c.fn.Name, p)
			if r.opts.Log != nil {
				r.opts.Log.Error("a state function panicked", "function", c.fn.Name, "id", c.id, "panic", p, "stack", string(debug.Stack()))
			}
		}
	}()
	file := c.pos.file
	call := &Call{
		ID: c.id, SLS: file.sls, Name: c.name, Function: c.fn.Name, Test: test, Args: c.args, Watched: watched,
		Vars: func() map[string]any { return maps.Clone(file.vars) }, Required: c.required,
	}
	res, err := fn(ctx, call)
	if res.Changes != nil {
		out.Changes = res.Changes
	}
	out.Outcome, out.Comment, out.Warnings, out.skipWatch = res.Outcome, res.Comment, res.Warnings, res.SkipWatch
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) && !errors.Is(cause, ctx.Err()) {
			err = cause
		}
		out.Outcome, out.Comment = Failed, joinComments(res.Comment, err.Error())
	}
	return out
}

// environment is where the state's sources are.
func (c *chunk) environment() string { return cmp.Or(c.saltenv, c.pos.file.env, files.Base) }

func (c *chunk) required() (out []Reference) {
	if r := c.requisite(require); r != nil {
		r.each(func(target *chunk) bool {
			out = append(out, Reference{target.fn.Name, target.name})
			return true
		})
	}
	return out
}

func joinComments(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "\n" + second
}

// conditions looks at creates, onlyif and unless.
func (r *run) conditions(ctx context.Context, c *chunk) (res result, skip bool) {
	ctl := c.control
	unmet := func(comment string) (result, bool) { return skipped(comment), true }
	broken := func(err error) (result, bool) {
		return result{StateResult: StateResult{Outcome: Failed, Ran: false, Comment: err.Error()}}, true
	}
	if len(ctl.creates) > 0 {
		all, err := exist(ctl.creates)
		if err != nil {
			return broken(err)
		}
		if all {
			return unmet("creates: " + strings.Join(ctl.creates, ", ") + " exists")
		}
	}
	for _, cond := range ctl.onlyif {
		met, err := r.condition(ctx, c, cond)
		if err != nil {
			return broken(fmt.Errorf("onlyif: %w", err))
		}
		if !met {
			return unmet("onlyif condition is false")
		}
	}
	for _, cond := range ctl.unless {
		met, err := r.condition(ctx, c, cond)
		if err != nil {
			return broken(fmt.Errorf("unless: %w", err))
		}
		if !met {
			return result{}, false
		}
	}
	if len(ctl.unless) > 0 {
		return unmet("unless condition is true")
	}
	return result{}, false
}

func exist(paths []string) (bool, error) {
	for _, path := range paths {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("creates: %w", err)
		}
	}
	return true, nil
}

func (r *run) condition(ctx context.Context, c *chunk, cond condition) (bool, error) {
	switch {
	case cond.literal != nil:
		return *cond.literal, nil
	case cond.function == "":
		code, err := r.command(ctx, c, cond.command)
		return code == 0, err
	}
	if r.opts.Call == nil {
		return false, fmt.Errorf("%s cannot be called here", cond.function)
	}
	value, err := r.opts.Call(ctx, cond.function, cond.args, maps.Clone(cond.kwargs))
	if err != nil {
		return false, err
	}
	if cond.getReturn != "" {
		value = traverse(value, cond.getReturn)
	}
	return truthy(value), nil
}

func (r *run) command(ctx context.Context, c *chunk, line string) (int, error) {
	if r.opts.Command == nil {
		return 0, errors.New("commands cannot be run here")
	}
	ctl := c.control
	return r.opts.Command(ctx, Command{
		Line: line, Cwd: ctl.cwd, Runas: ctl.runas, Shell: ctl.shell, Umask: ctl.umask, Env: ctl.env, Timeout: ctl.timeout,
	})
}

// truthy is Python's bool; what is no data counts as true.
func truthy(v any) bool {
	truth, known := document.Truth(v)
	return truth || !known
}
