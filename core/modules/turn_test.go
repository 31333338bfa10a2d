package modules_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

const slowTree = `hold:
  cmd.run:
    - name: touch {{ facts.root }}/holding; while test -e {{ facts.root }}/holding && ! test -e {{ facts.root }}/release; do sleep 0.01; done
`

// TestOneRunAtATime: runs that change the host queue in the order of arrival, or are refused; those that read do not wait.
func TestOneRunAtATime(t *testing.T) {
	tree := map[string]string{"slow.zy": slowTree}
	for _, name := range []string{"a", "b", "c"} {
		tree[name+".zy"] = "x:\n  cmd.run:\n    - name: echo " + name + " >> {{ facts.root }}/log\n"
	}
	env, root := newEnv(t, tree)
	var running sync.WaitGroup
	start := func(sls string) {
		running.Go(func() {
			if _, err := modules.Builtin().Call(t.Context(), env, "state.apply", []any{sls}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	runs := filepath.Join(env.StateDir, "runs")
	queued := func(n int) func() bool {
		return func() bool {
			found, err := filepath.Glob(filepath.Join(runs, "[0-9]*"))
			return err == nil && len(found) == n
		}
	}
	start("slow")
	until(t, "the slow run", func() bool { return exists(filepath.Join(root, "holding")) })
	for i, name := range []string{"a", "b", "c"} {
		start(name)
		until(t, name, queued(i+2))
	}
	_, err := call(t, env, "state.apply", []any{"a"}, map[string]any{"queue": false})
	if want := regexp.MustCompile(`^another state run is going on: state.apply slow \(process \d+, since .*\): wait for it, or leave out queue=False$`); err == nil || !want.MatchString(err.Error()) {
		t.Errorf("refused with %v", err)
	}
	for _, name := range []string{"state.show_sls", "state.test"} {
		if _, err := call(t, env, name, []any{"a"}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := modules.Builtin().Call(ctx, env, "state.apply", []any{"a"}, nil); err == nil || err.Error() != "enough" {
		t.Errorf("cancelled with %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	if log, err := os.ReadFile(filepath.Join(root, "log")); err != nil || string(log) != "a\nb\nc\n" {
		t.Errorf("ran %q (%v)", log, err)
	}
	if !queued(0)() {
		t.Error("marks are left behind")
	}
	if runs, err := modules.Interrupted(env.StateDir); err != nil || len(runs) > 0 {
		t.Errorf("interrupted: %v (%v)", runs, err)
	}
}

// TestInterrupted kills a process in the middle of a state run; the next start learns of it, and the next run runs.
func TestInterrupted(t *testing.T) {
	if dir := os.Getenv("ZESTER_TEST_STATE_DIR"); dir != "" {
		env, root := newEnv(t, map[string]string{"slow.zy": slowTree})
		env.StateDir = dir
		if err := os.Symlink(root, filepath.Join(dir, "root")); err != nil {
			t.Fatal(err)
		}
		_, _ = modules.Builtin().Call(modules.WithJob(t.Context(), "job-7"), env, "state.apply", []any{"slow"}, nil)
		return
	}
	env, _ := newEnv(t, map[string]string{"quick.zy": "x: test.nop\n"})
	child := exec.Command(os.Args[0], "-test.run=^TestInterrupted$")
	child.Env = append(os.Environ(), "ZESTER_TEST_STATE_DIR="+env.StateDir, "TMPDIR="+t.TempDir())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the run", func() bool { return exists(filepath.Join(env.StateDir, "root", "holding")) })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if err := os.WriteFile(filepath.Join(env.StateDir, "root", "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runs, err := modules.Interrupted(env.StateDir)
	if err != nil || len(runs) != 1 || !strings.HasPrefix(runs[0].String(), "state.apply slow of job job-7 (process ") {
		t.Errorf("interrupted: %v (%v)", runs, err)
	}
	if _, err := call(t, env, "state.apply", []any{"quick"}, nil); err != nil {
		t.Error(err)
	}
	if runs, err := modules.Interrupted(env.StateDir); err != nil || len(runs) > 0 {
		t.Errorf("still interrupted: %v (%v)", runs, err)
	}
}

// TestStateDirOfOthers: a user without rights to the state directory can run states all the same.
func TestStateDirOfOthers(t *testing.T) {
	env, _ := newEnv(t, map[string]string{"quick.zy": "x: test.nop\n"})
	env.StateDir = "/sys/zester-test" // nobody, root included, can make directories there
	if _, err := call(t, env, "state.apply", []any{"quick"}, nil); err != nil {
		t.Error(err)
	}
}

// leaving is a context that ends as that of a peel that stops, once a file is there.
func leaving(t *testing.T, env *modules.Env, begun string) context.Context {
	env.Leaves = func(cause error) bool { return errors.Is(cause, errPeelStops) }
	ctx, stop := context.WithCancelCause(t.Context())
	t.Cleanup(func() { stop(nil) })
	go func() {
		for ctx.Err() == nil && !exists(begun) {
			time.Sleep(time.Millisecond)
		}
		stop(errPeelStops)
	}()
	return ctx
}

// TestStateLeft: a command of a state goes on when the peel stops, whatever it prints, and the next run waits for it.
func TestStateLeft(t *testing.T) {
	t.Parallel()
	env, root := newEnv(t, map[string]string{
		"main.zy": "a:\n  cmd.run:\n    - name: >-\n        cd {{ facts.root }}; echo out; touch begun; while test -e begun && ! test -e go; do sleep 0.02; done;\n" +
			"        for i in 1 2 3; do echo more || exit; echo more >&2 || exit; done; touch done; while test -e begun && ! test -e end; do sleep 0.02; done\n" +
			"b:\n  test.nop:\n    - require: [{cmd: a}]\n",
		"next.zy": "c: test.nop\n",
	})
	ctx := leaving(t, env, root+"/begun")
	_, err := modules.Builtin().Call(ctx, env, "state.apply", []any{"main"}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	states := failure.Value.(map[string]any)["states"].([]any)
	a, b := states[0].(map[string]any), states[1].(map[string]any)
	if comment := a["comment"].(string); a["result"] != false || !strings.HasSuffix(comment, ": it goes on without the peel, which stops: nobody is left to see how it ends") {
		t.Errorf("%v", a)
	}
	if out := a["changes"].(map[string]any)["stdout"]; out != "out" || b["blocked"] != true {
		t.Errorf("printed %v; %v", out, b)
	}
	next := func() error {
		_, err := call(t, env, "state.apply", []any{"next"}, map[string]any{"queue": false})
		return err
	}
	for _, mark := range []string{"go", "end"} {
		if err := next(); err == nil || !strings.HasPrefix(err.Error(), "another state run is going on: state.apply main (process ") {
			t.Errorf("before %s: %v", mark, err)
		}
		if err := os.WriteFile(filepath.Join(root, mark), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if mark == "go" {
			until(t, "it to write to nobody", func() bool { return exists(root + "/done") })
		}
	}
	until(t, "its turn to be over", func() bool { return next() == nil })
}
