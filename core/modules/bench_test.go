package modules_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

// converged is a tree of n managed files in files of 100 states each, already applied. Every second has a source.
func converged(tb testing.TB, n int) *modules.Env {
	tb.Helper()
	tree := map[string]string{"main.zy": "include:\n"}
	var part strings.Builder
	for i := range n {
		if i%100 == 0 {
			part.Reset()
			tree["main.zy"] += fmt.Sprintf("  - part%d\n", i/100)
		}
		fmt.Fprintf(&part, "file-%d:\n  file.managed:\n    - name: {{ facts.root }}/%d/%d.conf\n    - mode: 644\n    - makedirs: true\n", i, i/100, i)
		if i%2 == 0 {
			fmt.Fprintf(&part, "    - contents: |\n        # managed\n        setting_%d = {{ facts.os }}\n", i)
		} else {
			fmt.Fprintf(&part, "    - source: salt://files/%d.conf\n", i)
			tree[fmt.Sprintf("files/%d.conf", i)] = fmt.Sprintf("# managed\nsetting_%d = 1\n", i)
		}
		tree[fmt.Sprintf("part%d.zy", i/100)] = part.String()
	}
	env, _ := newEnv(tb, tree)
	apply := func() map[string]any {
		value, err := modules.Builtin().Call(tb.Context(), env, "state.apply", []any{"main"}, nil)
		if err != nil {
			tb.Fatal(err)
		}
		return value.(map[string]any)["summary"].(map[string]any)
	}
	if got := apply()["changed"]; got != int64(n) {
		tb.Fatalf("the first run changed %v of %d files", got, n)
	}
	if got := apply()["changed"]; got != int64(0) {
		tb.Fatalf("the second run changed %v files", got)
	}
	return env
}

// BenchmarkConverged compiles and checks managed files that are as they should be, on one core.
func BenchmarkConverged(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			env := converged(b, n)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := modules.Builtin().Call(b.Context(), env, "state.apply", []any{"main"}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/state")
		})
	}
}

// TestCostPerStateIsFlat holds the runner to linear cost: the time of a state in a run of 1,000 is near that in a run of 50.
func TestCostPerStateIsFlat(t *testing.T) {
	perState := func(n int) float64 {
		env := converged(t, n)
		best := time.Hour
		for range 5 {
			before := processorTime(t)
			if _, err := modules.Builtin().Call(t.Context(), env, "state.apply", []any{"main"}, nil); err != nil {
				t.Fatal(err)
			}
			best = min(best, processorTime(t)-before)
		}
		return float64(best.Nanoseconds()) / float64(n)
	}
	small, large := perState(50), perState(1000)
	t.Logf("a state takes %.1f µs among 50, %.1f µs among 1,000: ratio %.2f", small/1000, large/1000, large/small)
	// A quadratic step would make the ratio 20; the margin is for collections of garbage, and caches that others use too.
	if large/small > 12 {
		t.Errorf("a state takes %.1f µs among 50 and %.1f µs among 1,000", small/1000, large/1000)
	}
}

// processorTime is what this process has computed so far, which other work of the machine does not lengthen as it does time.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
