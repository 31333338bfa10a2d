package modules_test

import (
	"fmt"
	"os"
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

// BenchmarkCostPerState shows whether the cost of a state grows with the run: the ratio of a state's time in a run of 1,000 to
// that in one of 50, in processor time, which other work of the machine does not lengthen.
func BenchmarkCostPerState(b *testing.B) {
	small, large := converged(b, 50), converged(b, 1000)
	perState := func(env *modules.Env, n int) float64 {
		before := processorTime(b)
		if _, err := modules.Builtin().Call(b.Context(), env, "state.apply", []any{"main"}, nil); err != nil {
			b.Fatal(err)
		}
		return float64((processorTime(b) - before).Microseconds()) / float64(n)
	}
	var few, many float64
	for b.Loop() {
		few += perState(small, 50)
		many += perState(large, 1000)
	}
	b.ReportMetric(few/float64(b.N), "µs/state-of-50")
	b.ReportMetric(many/float64(b.N), "µs/state-of-1000")
	b.ReportMetric(many/few, "ratio")
}

// processorTime is what this process has computed so far.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkNewFiles makes 1,000 files that were not there, and has the disk take them.
func BenchmarkNewFiles(b *testing.B) {
	env := converged(b, 1000)
	root := env.Facts()["root"].(string)
	for b.Loop() {
		b.StopTimer()
		for i := range 10 {
			if err := os.RemoveAll(fmt.Sprint(root, "/", i)); err != nil {
				b.Fatal(err)
			}
		}
		syscall.Sync()
		b.StartTimer()
		if _, err := modules.Builtin().Call(b.Context(), env, "state.apply", []any{"main"}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
