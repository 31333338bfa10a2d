//go:build faults

package playground_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFaults is the fault matrix: a fleet of real processes, which are killed, stopped, cut off
// and lied to, with the same three questions after each run. Was anything lost: does each target
// have exactly one return, or is it reported as missing where that is the truth? Was anything
// doubled: did a command run twice on a peel? Is the client's exit code right?
//
// The times in the table are of the client, from its start to its end; that in its last line is of the whole.
//
// FAULT_RUNS is how often each case runs, 20 if unset; FAULT_CASE runs only the cases whose name
// contains it.
func TestFaults(t *testing.T) {
	n, only := 20, os.Getenv("FAULT_CASE")
	if text := os.Getenv("FAULT_RUNS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("FAULT_RUNS=%q: want a number", text)
		}
	}
	bin := build(t)
	rows := &matrix{begun: time.Now()}
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			if !strings.Contains(c.name, only) {
				continue
			}
			tally := rows.add(c.name)
			worlds := min(max(1, c.worlds), n)
			for k := range worlds {
				t.Run(fmt.Sprintf("%s/%d", c.name, k+1), func(t *testing.T) {
					t.Parallel()
					play(t, c, bin, tally, k, worlds, n)
				})
			}
		}
	})
	if len(rows.tallies) == 0 {
		t.Fatalf("FAULT_CASE=%q: no case's name contains it", only)
	}
	rows.print(t, n)
}

// testCase is a row of the matrix.
type testCase struct {
	name   string
	worlds int // that share the runs; 0 is 1
	plan   plan
	run    func(w *world, i int) verdict
}

// play does this world's share of a case's runs.
func play(t *testing.T, c testCase, bin binaries, sum *tally, k, worlds, n int) {
	w := newWorld(t, bin, c.plan)
	w.idle()
	for i := k; i < n; i += worlds {
		begun := time.Now()
		v := c.run(w, i)
		sum.run(v)
		for _, note := range v.notes {
			t.Errorf("run %d: %s", i+1, note)
		}
		if len(v.notes) > 0 {
			t.Log(w.logs())
		}
		t.Logf("run %d: %s", i+1, time.Since(begun).Round(time.Millisecond))
	}
	w.recount(sum)
}

// binaries are Zester as it is, one that says it is of another version, and one whose clock
// FAULT_CLOCK shifts.
type binaries struct{ zester, other, clock string }

func build(t *testing.T) binaries {
	t.Helper()
	dir := t.TempDir()
	b := binaries{filepath.Join(dir, "zester"), filepath.Join(dir, "zester-other"), filepath.Join(dir, "zester-clock")}
	gobuild(t, "-o", b.zester)
	gobuild(t, "-o", b.other, "-ldflags", "-X main.version=v0.0.1-other")
	gobuild(t, "-o", b.clock, "-overlay", clockOverlay(t, dir))
	return b
}

func gobuild(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"build"}, args...), ".")...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
}

// clockOverlay gives the standard library's time.Now an offset. A wall clock cannot be put into
// a namespace, and a static binary cannot be preloaded; so this one binary is built with it, and
// no line of Zester knows.
func clockOverlay(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	std := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), now) != 1 {
		t.Fatalf("%s/time.go has changed: find out where Now reads the clock", std)
	}
	ahead, err := filepath.Abs("../../testdata/faults/clock.go.src")
	if err != nil {
		t.Fatal(err)
	}
	patched, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	text := fmt.Sprintf(`{"Replace": {%q: %q, %q: %q}}`, filepath.Join(std, "time.go"), patched, filepath.Join(std, "clock_off.go"), ahead)
	for path, data := range map[string]string{patched: strings.Replace(string(source), now, now+"\tsec += clockOff\n", 1), overlay: text} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// matrix is the table of all cases.
type matrix struct {
	begun   time.Time
	tallies []*tally
}

type tally struct {
	name                       string
	mu                         sync.Mutex
	runs, lost, doubled, wrong int
	took                       []time.Duration
}

func (m *matrix) add(name string) *tally {
	t := &tally{name: name}
	m.tallies = append(m.tallies, t)
	return t
}

func (s *tally) run(v verdict) {
	s.mu.Lock()
	s.runs++
	s.took = append(s.took, v.took)
	s.mu.Unlock()
	s.count(v)
}

func (s *tally) count(v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += v.lost
	s.doubled += v.doubled
	s.wrong += v.wrong
}

func (m *matrix) print(t *testing.T, n int) {
	var b strings.Builder
	var all tally
	fmt.Fprintf(&b, "%-46s %5s %5s %8s %11s %8s %8s\n", "case", "runs", "lost", "doubled", "wrong exit", "median", "longest")
	for _, s := range m.tallies {
		slices.Sort(s.took)
		median, longest := time.Duration(0), time.Duration(0)
		if n := len(s.took); n > 0 {
			median, longest = s.took[n/2], s.took[n-1]
		}
		fmt.Fprintf(&b, "%-46s %5d %5d %8d %11d %7.1fs %7.1fs\n", s.name, s.runs, s.lost, s.doubled, s.wrong, median.Seconds(), longest.Seconds())
		all.runs, all.lost, all.doubled, all.wrong = all.runs+s.runs, all.lost+s.lost, all.doubled+s.doubled, all.wrong+s.wrong
		if s.runs != n {
			t.Errorf("%s: %d runs instead of %d", s.name, s.runs, n)
		}
	}
	fmt.Fprintf(&b, "%-46s %5d %5d %8d %11d    in %s\n", fmt.Sprintf("%d cases", len(m.tallies)), all.runs, all.lost, all.doubled, all.wrong,
		time.Since(m.begun).Round(time.Second))
	fmt.Print("\n", b.String(), "\n")
}
