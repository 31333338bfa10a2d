package modules_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

// TestMain has this binary supervise commands, as the real one does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := modules.Supervise(ctx, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	syscall.Umask(0o022) // the modes that cases list come of it
	os.Exit(m.Run())
}

var errPeelStops = errors.New("the peel stops")

// newKeeper opens dir as a peel's process does.
func newKeeper(t testing.TB, dir string) *modules.Keeper {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	k := &modules.Keeper{
		Dir: dir, Supervisor: []string{program, "supervise"}, Log: slog.New(slog.DiscardHandler),
		Leaves: func(cause error) bool { return errors.Is(cause, errPeelStops) },
	}
	if err := k.Open(); err != nil {
		t.Fatal(err)
	}
	return k
}

const aJob = "20260102030405060708-00000001"

// kept is an Env whose commands are kept, with the job aJob.
func kept(t *testing.T) (*modules.Env, *modules.Keeper, string) {
	env, root := newEnv(t, nil)
	k := newKeeper(t, filepath.Join(env.StateDir, "commands"))
	env.Keep = k.For(aJob, "cmd.run", "alice", false)
	return env, k, root
}

func empty(t testing.TB, k *modules.Keeper) {
	t.Helper()
	if entries, err := os.ReadDir(k.Dir); err != nil || len(entries) > 0 {
		t.Errorf("left in %s: %v (%v)", k.Dir, entries, err)
	}
}

// TestKeptIsTheSame: what is returned of a command does not depend on who runs it.
func TestKeptIsTheSame(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		function string
		args     []any
		kwargs   map[string]any
	}{
		{"cmd.run", []any{"echo out; echo err >&2; echo more; exit 3"}, nil},
		{"cmd.run", []any{"printf 'a\\377\\n\\n'"}, nil},
		{"cmd.run", []any{"cat; echo $X; umask; pwd"}, map[string]any{"stdin": "in ", "umask": "027", "cwd": "/tmp", "env": map[string]any{"X": int64(1)}}},
		{"cmd.run", []any{"env"}, map[string]any{"clean_env": true, "python_shell": false}},
		{"cmd.run", []any{"no-such-program-at-all"}, map[string]any{"python_shell": false}},
		{"cmd.run", []any{"kill -9 $$"}, nil},
		{"cmd.run", []any{"exec sleep 60"}, map[string]any{"timeout": 0.3}},
		{"cmd.run", []any{"echo one > /dev/stderr; echo two > /dev/stdout; echo three > /dev/stderr"}, nil},
		{"cmd.run", []any{"head -c 66000000 /dev/zero | tr '\\0' x"}, nil},
		{"cmd.run_stdout", []any{"echo out; echo err >&2"}, map[string]any{"rstrip": false}},
		{"cmd.run_stderr", []any{"echo out; echo err >&2"}, nil},
		{"cmd.retcode", []any{"exit 3"}, nil},
		{"cmd.run_all", []any{"echo out; echo err >&2; exit 3"}, map[string]any{"success_retcodes": []any{int64(3)}}},
		{"cmd.exec_code", []any{"sh", "echo code $1 $2", nil, []any{"a b", "c"}}, nil},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			plain, _ := newEnv(t, nil)
			env, k, _ := kept(t)
			want, wantErr := call(t, plain, c.function, c.args, c.kwargs)
			got, err := call(t, env, c.function, c.args, c.kwargs)
			if short(without(got)) != short(without(want)) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("got %s (%v), want %s (%v)", short(got), err, short(want), wantErr)
			}
			if f, w := (&modules.Failure{}), (&modules.Failure{}); errors.As(err, &f) && errors.As(wantErr, &w) && !reflect.DeepEqual(without(f.Value), without(w.Value)) {
				t.Errorf("got the failure %v, want %v", f, w)
			}
			if entries, err := os.ReadDir(filepath.Join(k.Dir, aJob)); err != nil || len(entries) < 4 {
				t.Errorf("it was not kept: %v (%v)", entries, err)
			}
			k.Settled(aJob)
			empty(t, k)
		})
	}
}

func short(v any) string {
	text := fmt.Sprint(v)
	return fmt.Sprintf("%d bytes: %.200s", len(text), text)
}

// without takes the pid away.
func without(v any) any {
	if m, ok := v.(map[string]any); ok {
		delete(m, "pid")
	}
	return v
}

// leave starts a command, has the peel stop when the file begun is there, and gives the keeper of its next life.
func leave(t *testing.T, env *modules.Env, k *modules.Keeper, begun, line string, kwargs map[string]any) *modules.Keeper {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	go func() {
		for t.Context().Err() == nil && !exists(begun) {
			time.Sleep(time.Millisecond)
		}
		stop(errPeelStops)
	}()
	if value, err := modules.Builtin().Call(ctx, env, "cmd.run", []any{line}, kwargs); !errors.Is(err, modules.ErrLeft) || value != nil {
		t.Fatalf("the peel stops: %v, %v", value, err)
	}
	return newKeeper(t, k.Dir)
}

// leaveThenEnd is leave for a command that has nothing to wait for: it ends once the peel has stopped, not before.
func leaveThenEnd(t *testing.T, env *modules.Env, k *modules.Keeper, root, then string) *modules.Keeper {
	t.Helper()
	k = leave(t, env, k, root+"/begun", "touch begun; until test -e go; do sleep 0.02; done; "+then, map[string]any{"cwd": root})
	if err := os.WriteFile(root+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the command to end", func() bool { return resume(t, k).Ended })
	return k
}

func resume(t *testing.T, k *modules.Keeper) *modules.Kept {
	t.Helper()
	r, ok := k.Resume(aJob)
	if !ok {
		t.Fatal("the command is not found")
	}
	return r
}

func TestKeptOutlivesThePeel(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			env, k, root := kept(t)
			k = leave(t, env, k, root+"/begun", "echo one; touch begun; until test -e go; do sleep 0.02; done; echo two; echo run >> runs; exit 5", map[string]any{"cwd": root})
			var r *modules.Kept
			if when == "before" {
				r = resume(t, k)
			}
			if err := os.WriteFile(root+"/go", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if when == "after" {
				until(t, "the command to end", func() bool { return exists(filepath.Join(k.Dir, aJob, "status")) })
				until(t, "its supervisor to end", func() bool { r = resume(t, k); return r.Ended })
			}
			k.Sweep()
			if r.Function != "cmd.run" || r.Operator != "alice" || r.Ended != (when == "after") {
				t.Errorf("%+v", r)
			}
			_, err := r.Wait(t.Context(), nil)
			var failure *modules.Failure
			if !errors.As(err, &failure) || failure.Value != "one\ntwo" || failure.Code != 5 {
				t.Errorf("%+v (%v)", failure, err)
			}
			if runs, err := os.ReadFile(root + "/runs"); string(runs) != "run\n" {
				t.Errorf("ran %q (%v)", runs, err)
			}
			k.Settled(aJob)
			empty(t, k)
		})
	}
}

// TestKeptLeftTwice: the peel may stop again before the command has ended.
func TestKeptLeftTwice(t *testing.T) {
	t.Parallel()
	env, k, root := kept(t)
	k = leave(t, env, k, root+"/begun", "touch begun; until test -e go; do sleep 0.02; done; echo done", map[string]any{"cwd": root})
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errPeelStops)
	if value, err := resume(t, k).Wait(ctx, nil); !errors.Is(err, modules.ErrLeft) || value != nil {
		t.Fatalf("%v, %v", value, err)
	}
	if err := os.WriteFile(root+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if value, err := resume(t, newKeeper(t, k.Dir)).Wait(t.Context(), nil); err != nil || value != "done" {
		t.Errorf("%v, %v", value, err)
	}
}

const deaf = "echo printed; sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' & wait"

func deadGroup(t *testing.T, root string) {
	t.Helper()
	data, err := os.ReadFile(root + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the whole group to end", func() bool { return !alive(pid) })
}

// TestKeptIsCancelled: in any life of the peel, with what had been printed, and with all its processes.
func TestKeptIsCancelled(t *testing.T) {
	t.Parallel()
	for _, life := range []string{"plain", "first", "second"} {
		t.Run(life, func(t *testing.T) {
			t.Parallel()
			env, k, root := kept(t)
			if life == "plain" {
				env.Keep = nil
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			wait := func() (any, error) {
				return modules.Builtin().Call(ctx, env, "cmd.run", []any{deaf}, map[string]any{"cwd": root})
			}
			if life == "second" {
				k = leave(t, env, k, root+"/pid", deaf, map[string]any{"cwd": root})
				r := resume(t, k)
				wait = func() (any, error) { return r.Wait(ctx, nil) }
			}
			go func() {
				for t.Context().Err() == nil && !full(root+"/pid") {
					time.Sleep(time.Millisecond)
				}
				cancel(errors.New("enough"))
			}()
			value, err := wait()
			want := fmt.Sprintf("command %q was ended: enough", deaf)
			if value != "printed" || err == nil || err.Error() != want {
				t.Errorf("%v, %v", value, err)
			}
			deadGroup(t, root)
		})
	}
}

func full(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && bytes.HasSuffix(data, []byte("\n"))
}

// TestKeptTimesOutAlone: a command's time, and its job's, end while no peel is there to see it.
func TestKeptTimesOutAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ whose, key, want string }{
		{"command", "timeout", "command %q was killed after its timeout of 0 seconds"},
		{"job", "deadline", "command %q was ended: the job's time is up"},
	} {
		t.Run(c.whose, func(t *testing.T) {
			t.Parallel()
			env, k, root := kept(t)
			k = leaveThenEnd(t, env, k, root, "true")
			dir := filepath.Join(k.Dir, aJob)
			var spec map[string]any
			data, err := os.ReadFile(filepath.Join(dir, "taken"))
			if err == nil {
				err = json.Unmarshal(data, &spec)
			}
			if err != nil {
				t.Fatal(err)
			}
			spec["process"].(map[string]any)["args"] = []string{"/bin/sh", "-c", deaf}
			spec["verdict"].(map[string]any)["line"], spec["process"].(map[string]any)["line"] = deaf, deaf
			spec[c.key] = time.Second
			if c.key == "deadline" {
				spec[c.key] = time.Now()
			}
			data, err = json.Marshal(spec)
			if err := errors.Join(err, os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "spec"), data, 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := modules.Supervise(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			_, err = resume(t, newKeeper(t, k.Dir)).Wait(t.Context(), nil)
			if want := fmt.Sprintf(c.want, deaf); err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
			if full(root + "/pid") { // it came so far
				deadGroup(t, root)
			}
		})
	}
}

// TestKeptIsLost: a supervisor that is killed leaves nobody to tell of the command's end, but what it has printed.
func TestKeptIsLost(t *testing.T) {
	t.Parallel()
	env, k, root := kept(t)
	k = leave(t, env, k, root+"/begun", "echo half; touch begun; sleep 300", map[string]any{"cwd": root})
	until(t, "what it prints to be on disk", func() bool { return full(filepath.Join(k.Dir, aJob, "stdout")) })
	var supervisor, group int
	until(t, "both pids", func() bool {
		pids, err := os.ReadFile(filepath.Join(k.Dir, aJob, "lock"))
		_, bad := fmt.Sscanf(string(pids), "%d\n%d\n", &supervisor, &group)
		return err == nil && bad == nil
	})
	if err := errors.Join(syscall.Kill(supervisor, syscall.SIGKILL), syscall.Kill(-group, syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	value, err := resume(t, k).Wait(t.Context(), nil)
	if value != "half" || !errors.Is(err, modules.ErrLost) {
		t.Errorf("%v, %v", value, err)
	}
}

// TestKeptNeverTaken: a command that was not started when the peel died never is.
func TestKeptNeverTaken(t *testing.T) {
	t.Parallel()
	env, k, root := kept(t)
	k = leaveThenEnd(t, env, k, root, "echo run >> runs")
	dir := filepath.Join(k.Dir, aJob)
	for _, name := range []string{"status", "lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "taken"), filepath.Join(dir, "spec")); err != nil { // as it was before
		t.Fatal(err)
	}
	k = newKeeper(t, k.Dir)
	if _, ok := k.Resume(aJob); ok {
		t.Error("a command that nobody has taken is resumed")
	}
	if err := modules.Supervise(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if runs, err := os.ReadFile(root + "/runs"); string(runs) != "run\n" {
		t.Errorf("ran %q (%v)", runs, err)
	}
	k.Sweep()
	empty(t, k)
}

// TestKeptWithoutSupervisor: where none can be started the command runs all the same, and ends with the peel.
func TestKeptWithoutSupervisor(t *testing.T) {
	t.Parallel()
	for _, supervisor := range [][]string{{"/no/such/program"}, {"/bin/false"}} {
		env, k, _ := kept(t)
		k.Supervisor = supervisor
		if got, err := call(t, env, "cmd.run", []any{"echo here"}, nil); err != nil || got != "here" {
			t.Errorf("%v: %v, %v", supervisor, got, err)
		}
		empty(t, k)
	}
}

// TestOutput: what commands print is shown as it comes, each stream in order.
func TestOutput(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"plain", "kept", "left"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			env, k, root := kept(t)
			if how == "plain" {
				env.Keep = nil
			}
			var mu sync.Mutex
			var shown [2]bytes.Buffer
			env.Output = func(stderr bool, text []byte) {
				mu.Lock()
				defer mu.Unlock()
				i := 0
				if stderr {
					i = 1
				}
				shown[i].Write(text)
			}
			seen := func(want string) func() bool {
				return func() bool {
					mu.Lock()
					defer mu.Unlock()
					return shown[0].String() == want
				}
			}
			line := "echo one; until test -e go; do sleep 0.02; done; echo err >&2; echo two"
			kwargs := map[string]any{"cwd": root}
			done := make(chan error, 1)
			if how == "left" {
				line = "touch begun; " + line
				k = leave(t, env, k, root+"/begun", line, kwargs)
				go func() { _, err := resume(t, k).Wait(t.Context(), env.Output); done <- err }()
			} else {
				go func() {
					_, err := modules.Builtin().Call(t.Context(), env, "cmd.run_all", []any{line}, kwargs)
					done <- err
				}()
			}
			until(t, "the first line", seen("one\n"))
			if err := os.WriteFile(root+"/go", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			want := [2]string{"one\ntwo\n", "err\n"}
			if how == "left" { // cmd.run has both in one
				want = [2]string{"one\nerr\ntwo\n", ""}
			}
			if got := [2]string{shown[0].String(), shown[1].String()}; got != want {
				t.Errorf("shown %q, want %q", got, want)
			}
		})
	}
}

// TestHiddenOutput: what is not to be returned is not to be shown either, whoever runs the command.
func TestHiddenOutput(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"plain", "kept"} {
		env, _, _ := kept(t)
		if how == "plain" {
			env.Keep = nil
		}
		var mu sync.Mutex
		shown := ""
		env.Output = func(_ bool, text []byte) {
			mu.Lock()
			defer mu.Unlock()
			shown += string(text)
		}
		value, err := modules.Builtin().Call(t.Context(), env, "cmd.run", []any{"echo secret"}, map[string]any{"hide_output": true})
		if value != "" || err != nil || shown != "" {
			t.Errorf("%s: returned %v (%v), shown %q", how, value, err, shown)
		}
	}
}

// TestEndedState: a state whose command is ended says what it had printed.
func TestEndedState(t *testing.T) {
	t.Parallel()
	env, root := newEnv(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		for t.Context().Err() == nil && !exists(root+"/begun") {
			time.Sleep(time.Millisecond)
		}
		cancel(errors.New("enough"))
	}()
	line := "echo out; echo err >&2; touch begun; sleep 60"
	_, err := modules.Builtin().Call(ctx, env, "state.single", []any{"cmd.run", line}, map[string]any{"cwd": root})
	var failure *modules.Failure
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	state := failure.Value.(map[string]any)["states"].([]any)[0].(map[string]any)
	changes := state["changes"].(map[string]any)
	if changes["stdout"] != "out" || changes["stderr"] != "err" || state["result"] != false || !strings.Contains(state["comment"].(string), "enough") {
		t.Errorf("%v", state)
	}
}

// BenchmarkCommand: what it costs to run a command, and to have it outlive the peel.
func BenchmarkCommand(b *testing.B) {
	for _, how := range []string{"plain", "kept"} {
		b.Run(how, func(b *testing.B) {
			env, _ := newEnv(b, nil)
			k := newKeeper(b, filepath.Join(env.StateDir, "commands"))
			for i := range b.N {
				job := fmt.Sprintf("20260102030405060708-%08d", i)
				if how == "kept" {
					env.Keep = k.For(job, "cmd.run", "alice", false)
				}
				if _, err := modules.Builtin().Call(b.Context(), env, "cmd.run", []any{":"}, nil); err != nil {
					b.Fatal(err)
				}
				k.Settled(job)
			}
		})
	}
}
