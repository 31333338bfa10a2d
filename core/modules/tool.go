package modules

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// tool runs a program of the host, with no shell in between and in the C locale. A program that fails is an output with its
// code, one that cannot be started an error.
func (env *Env) tool(ctx context.Context, stdin string, words ...string) (output, error) {
	return env.exec(ctx, toolCommand(stdin, words...))
}

func toolCommand(stdin string, words ...string) command {
	return command{line: shellLine(words...), direct: true, stdin: stdin, env: map[string]any{
		"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "SYSTEMD_PAGER": "",
	}}
}

// must is tool for programs that have to succeed; it returns what they print.
func (env *Env) must(ctx context.Context, words ...string) (string, error) {
	return env.mustWith(ctx, "", words...)
}

func (env *Env) mustWith(ctx context.Context, stdin string, words ...string) (string, error) {
	out, err := env.tool(ctx, stdin, words...)
	if err == nil {
		err = toolError(words[0], out)
	}
	if err == nil {
		err = out.cut(words[0], out.dropped[0])
	}
	return out.stdout, err
}

// whole is must for what is not to be left half done: it goes on where the peel stops.
func (env *Env) whole(ctx context.Context, words ...string) (string, error) {
	c := toolCommand("", words...)
	c.leaves = true
	out, err := env.exec(ctx, c)
	if err == nil {
		err = toolError(words[0], out)
	}
	return out.stdout, err
}

// toolError is how a tool failed; nil if it did not.
func toolError(name string, out output) error {
	if out.code == 0 {
		return nil
	}
	return fmt.Errorf("%s failed with exit code %d: %s", name, out.code, lastLines(cmp.Or(out.stderr, out.stdout)))
}

// last is must for the last thing that a function does, which may restart the peel: it returns true, and outlives the peel
// where Env.Keep can do that.
func (env *Env) last(ctx context.Context, words ...string) (any, error) {
	c := toolCommand("", words...)
	c.kept = &verdict{Function: lastTool, Line: words[0]}
	return c.kept.judge(env.exec(ctx, c))
}

// lastLines is the end of what a program said, which is where it says what is wrong.
func lastLines(text string) string {
	list := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(list[max(0, len(list)-5):], "\n")
}

func hasTool(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// wholeHost refuses to change what a peel that is confined to a directory has no business with.
func (env *Env) wholeHost(call *states.Call) error {
	if env.Confine != "" {
		return fmt.Errorf("%s changes the whole host, and this peel is confined to %q", call.Function, env.Confine)
	}
	return nil
}

// hostState is a state function that changes the whole host: apply is only called where that is allowed.
func hostState(env *Env, f states.Function, apply func(ctx context.Context, call *states.Call) (states.Result, error)) *states.Function {
	f.Apply = func(ctx context.Context, call *states.Call) (states.Result, error) {
		if err := env.wholeHost(call); err != nil {
			return states.Result{}, err
		}
		return apply(ctx, call)
	}
	return &f
}

// settled is the result of a state that has nothing to change.
func settled(format string, args ...any) (states.Result, error) {
	return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf(format, args...)}, nil
}

// settle runs change unless this is a test run, or there are no changes, and tells which.
func settle(call *states.Call, changes map[string]any, what string, change func() error) (states.Result, error) {
	switch {
	case len(changes) == 0:
		return settled("%s is in the correct state", what)
	case call.Test:
		return call.Changed(changes, what+" is set to be changed"), nil
	}
	if err := change(); err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, what+" updated"), nil
}

// was is a change from one value to another.
func was(before, after any) map[string]any { return map[string]any{"old": before, "new": after} }

// first runs steps until one fails.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
