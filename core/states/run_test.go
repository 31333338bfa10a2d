package states_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// waiting has a function that runs until its context ends, and one that asks for a mutex.
func waiting(t *testing.T, text string, opts states.Options) (*states.Plan, error) {
	t.Helper()
	opts.Registry = registry()
	opts.Registry.Register(
		&states.Function{Name: "t.wait", Apply: func(ctx context.Context, _ *states.Call) (states.Result, error) {
			<-ctx.Done()
			return states.Result{}, fmt.Errorf("stopped: %w", ctx.Err())
		}},
		&states.Function{Name: "t.panic", Apply: func(context.Context, *states.Call) (states.Result, error) { panic("oh") }},
		&states.Function{Name: "t.error", Apply: func(context.Context, *states.Call) (states.Result, error) {
			return states.Result{Changes: map[string]any{"half": "done"}, Comment: "began"}, errors.New("and broke")
		}},
	)
	opts.Tree = tree{"main.zy": "#!yaml\n" + text}
	return states.New(opts).Compile(t.Context(), []string{"main"})
}

func comments(report states.Report) string {
	var lines []string
	for _, s := range report.States {
		lines = append(lines, fmt.Sprintf("%s %v %v: %s", s.ID, s.Outcome.Data(), s.Blocked, strings.ReplaceAll(s.Comment, "\n", " | ")))
	}
	return strings.Join(lines, "\n")
}

// TestTimeoutAndCancel: a state's timeout ends that state, a cancelled run those that are left.
func TestTimeoutAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan, err := waiting(t, "slow:\n  t.wait:\n    - timeout: 3\nbroken: t.error\npanics: t.panic\nforever: t.wait\nnever: test.nop\n", states.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		report := plan.Run(ctx)
		want := `slow false false: timed out after 3s
broken false false: began | and broke
panics false false: t.panic stopped with an internal error: oh
forever false false: stopped: context deadline exceeded
never false true: not run: the run was cancelled`
		if got := comments(report); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		if d := report.States[0].Duration; d != 3*time.Second {
			t.Errorf("the first took %s", d)
		}
		if report.States[1].Changes["half"] != "done" {
			t.Errorf("the changes before an error are %v", report.States[1].Changes)
		}
	})
}

// TestRetryTiming: attempts are an interval apart.
func TestRetryTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan, err := waiting(t, "a:\n  t.error:\n    - retry: {attempts: 4, interval: 7}\nb:\n  t.error:\n    - retry: true\n", states.Options{})
		if err != nil {
			t.Fatal(err)
		}
		report := plan.Run(t.Context())
		if d := report.States[0].Duration; d != 21*time.Second {
			t.Errorf("4 attempts took %s", d)
		}
		if d := report.States[1].Duration; d != 30*time.Second {
			t.Errorf("2 attempts took %s", d)
		}
	})
}

// TestRetrySplay: attempts are an interval and at most the splay apart.
func TestRetrySplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan, err := waiting(t, "a:\n  t.error:\n    - retry: {attempts: 20, interval: 10, splay: 5}\n", states.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := plan.Run(t.Context()).States[0].Duration; d <= 190*time.Second || d >= 285*time.Second {
			t.Errorf("20 attempts took %s", d)
		}
	})
}

// TestEventsAndProgress: fire_event sends the state's result under its tag, Progress sees every state.
func TestEventsAndProgress(t *testing.T) {
	var events, progress []string
	plan, err := waiting(t, "a:\n  test.nop:\n    - fire_event: true\nb:\n  t.error:\n    - fire_event: my/tag\nc: test.nop\nd:\n  test.nop:\n    - fire_event: false\n", states.Options{
		Event: func(tag string, data map[string]any) {
			events = append(events, fmt.Sprint(tag, " ", data["ret"].(map[string]any)["result"]))
		},
		Progress: func(s states.StateResult) { progress = append(progress, s.ID) },
	})
	if err != nil {
		t.Fatal(err)
	}
	plan.Run(t.Context())
	if got := strings.Join(events, ", "); got != "state_result/a true, state_result/my/tag false" {
		t.Errorf("events: %s", got)
	}
	if got := strings.Join(progress, " "); got != "a b c d" {
		t.Errorf("progress: %s", got)
	}
}

// TestMutex: functions of one lock family never run side by side, others do.
func TestMutex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &states.Registry{}
		slow := func(ctx context.Context, _ *states.Call) (states.Result, error) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			return states.Result{Outcome: states.Succeeded}, nil
		}
		r.Register(&states.Function{Name: "pkg.installed", Apply: slow, Mutex: "pkg"}, &states.Function{Name: "t.slow", Apply: slow})
		var text strings.Builder
		for i := range 4 {
			fmt.Fprintf(&text, "p%d: pkg.installed\ns%d: t.slow\n", i, i)
		}
		for parallel, want := range map[int]time.Duration{1: 8 * time.Second, 8: 4 * time.Second} {
			runner := states.New(states.Options{Registry: r, Tree: tree{"main.zy": "#!yaml\n" + text.String()}, Parallel: parallel})
			plan, err := runner.Compile(t.Context(), []string{"main"})
			if err != nil {
				t.Fatal(err)
			}
			if d := plan.Run(t.Context()).Duration; d != want {
				t.Errorf("with parallel %d it took %s, want %s", parallel, d, want)
			}
		}
	})
}

// A state's time runs while it waits for another one of its kind.
func TestMutexTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &states.Registry{}
		sleep := func(d time.Duration) func(context.Context, *states.Call) (states.Result, error) {
			return func(context.Context, *states.Call) (states.Result, error) {
				time.Sleep(d)
				return states.Result{Outcome: states.Succeeded}, nil
			}
		}
		r.Register(&states.Function{Name: "pkg.installed", Mutex: "pkg", Apply: sleep(10 * time.Second)}, &states.Function{Name: "t.slow", Apply: sleep(time.Second)})
		main := "first:\n  pkg.installed:\n    - parallel: true\nbetween: t.slow\nsecond:\n  pkg.installed:\n    - parallel: true\n    - timeout: 2\n"
		runner := states.New(states.Options{Registry: r, Tree: tree{"main.zy": "#!yaml\n" + main}})
		plan, err := runner.Compile(t.Context(), []string{"main"})
		if err != nil {
			t.Fatal(err)
		}
		second := plan.Run(t.Context()).States[2]
		if second.Outcome != states.Failed || second.Duration != 2*time.Second || !strings.HasPrefix(second.Comment, "not started, another state has pkg: ") {
			t.Errorf("%+v", second)
		}
	})
}
