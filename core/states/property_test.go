package states_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ptorbus/zester/core/states"
)

// ordering kinds make a state wait for its targets; prereq makes the targets wait for it; listen orders nothing.
var ordering = []string{
	"require", "require_any", "watch", "watch_any", "onchanges", "onchanges_any", "onfail", "onfail_any", "onfail_all",
}

// graph is a random set of states with requisites that have no cycle.
type graph struct {
	n        int
	outcome  []string             // succeed, change, fail
	parallel []bool               // parallel: true
	requires []map[string][]int   // by kind, of the ordering kinds
	prereq   [][]int              // targets, which run later
	prior    [][]int              // those whose prereq a state is
	listen   [][]int              // targets
	text     string               // as an SLS file, requisites as themselves or in their _in form
	before   map[int]map[int]bool // before[a][b]: b runs before a
	kinds    map[string]int       // how often each form was used
}

func randomGraph(r *rand.Rand) *graph {
	g := &graph{n: 1 + r.IntN(200), before: map[int]map[int]bool{}, kinds: map[string]int{}}
	rank := r.Perm(g.n)
	in := make([]map[string][]int, g.n) // the _in forms as they are written
	direct := make([]map[string][]int, g.n)
	for i := range g.n {
		g.outcome = append(g.outcome, []string{"succeed", "succeed", "change", "fail"}[r.IntN(4)])
		g.parallel = append(g.parallel, r.IntN(4) == 0)
		g.requires = append(g.requires, map[string][]int{})
		g.prereq, g.prior, g.listen = append(g.prereq, nil), append(g.prior, nil), append(g.listen, nil)
		in[i], direct[i] = map[string][]int{}, map[string][]int{}
		g.before[i] = map[int]bool{}
	}
	write := func(kind string, from, to int) {
		if r.IntN(3) == 0 {
			in[to][kind+"_in"] = append(in[to][kind+"_in"], from)
			g.kinds[kind+"_in"]++
			return
		}
		direct[from][kind] = append(direct[from][kind], to)
		g.kinds[kind]++
	}
	for range r.IntN(3*g.n + 1) {
		a, b := r.IntN(g.n), r.IntN(g.n)
		if rank[a] == rank[b] {
			continue
		}
		if rank[a] < rank[b] {
			a, b = b, a
		}
		switch pick := r.IntN(len(ordering) + 2); {
		case pick < len(ordering):
			kind := ordering[pick]
			old := g.requires[a][kind]
			if g.requires[a][kind] = append(slices.Clip(old), b); g.cyclic(b) {
				g.requires[a][kind] = old
				continue
			}
			write(kind, a, b)
		case pick == len(ordering):
			old, oldPrior := g.prereq[b], g.prior[a]
			g.prereq[b], g.prior[a] = append(slices.Clip(old), a), append(slices.Clip(oldPrior), b)
			if g.cyclic(rank...) {
				g.prereq[b], g.prior[a] = old, oldPrior
				continue
			}
			write("prereq", b, a)
		default:
			g.listen[a] = append(g.listen[a], b)
			write("listen", a, b)
		}
	}
	for i := range g.n {
		g.needs(i, func(j int) { g.before[i][j] = true })
	}
	var b strings.Builder
	for i := range g.n {
		fmt.Fprintf(&b, "s%d:\n  t.do:\n    - outcome: %s\n    - parallel: %v\n", i, g.outcome[i], g.parallel[i])
		for _, forms := range []map[string][]int{direct[i], in[i]} {
			for kind, list := range forms {
				fmt.Fprintf(&b, "    - %s:\n", kind)
				for _, target := range list {
					fmt.Fprintf(&b, "      - t: s%d\n", target)
				}
			}
		}
	}
	g.text = b.String()
	return g
}

// needs calls do for all that must have run before a state: what it requires, the states that are to run before it, and
// what must have run for it to be known what the states would do before which it is to run.
func (g *graph) needs(i int, do func(int)) {
	for _, list := range g.requires[i] {
		for _, j := range list {
			do(j)
		}
	}
	for _, j := range g.prior[i] {
		do(j)
	}
	if len(g.prereq[i]) == 0 {
		return
	}
	seen := map[int]bool{}
	var foreseen func(int)
	foreseen = func(target int) {
		if seen[target] {
			return
		}
		seen[target] = true
		for _, list := range g.requires[target] {
			for _, j := range list {
				do(j)
			}
		}
		for _, next := range g.prereq[target] {
			foreseen(next)
		}
	}
	for _, target := range g.prereq[i] {
		foreseen(target)
	}
}

// cyclic reports whether one of these states needs itself. Without prereq their rank keeps them from it.
func (g *graph) cyclic(states ...int) bool {
	if !slices.ContainsFunc(g.prereq, func(targets []int) bool { return len(targets) > 0 }) {
		return false
	}
	const visiting, done = 1, 2
	mark := make([]int, g.n)
	var visit func(int) bool
	visit = func(i int) bool {
		if mark[i] != 0 {
			return mark[i] == visiting
		}
		mark[i] = visiting
		found := false
		g.needs(i, func(j int) { found = found || visit(j) })
		mark[i] = done
		return found
	}
	return slices.ContainsFunc(states, visit)
}

// recorder is the function of every state of a graph: it notes when it starts and ends.
type recorder struct {
	mu      sync.Mutex
	clock   int
	started map[string][]int
	ended   map[string][]int
	fired   map[string]int
}

func (rec *recorder) registry() *states.Registry {
	tick := func(into map[string][]int, id string) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.clock++
		into[id] = append(into[id], rec.clock)
	}
	rec.started, rec.ended, rec.fired = map[string][]int{}, map[string][]int{}, map[string]int{}
	changes := map[string]any{"x": "y"}
	r := &states.Registry{}
	r.Register(&states.Function{
		Name: "t.do", Params: []states.Param{{Name: "outcome", Kind: states.Text}},
		Apply: func(_ context.Context, call *states.Call) (states.Result, error) {
			if !call.Test {
				tick(rec.started, call.ID)
				defer tick(rec.ended, call.ID)
			}
			switch call.Args.Text("outcome") {
			case "change":
				return call.Changed(changes, ""), nil
			case "fail":
				return states.Result{Outcome: states.Failed}, nil
			}
			return states.Result{Outcome: states.Succeeded}, nil
		},
		Watch: func(_ context.Context, call *states.Call) (states.Result, error) {
			rec.mu.Lock()
			defer rec.mu.Unlock()
			rec.fired[call.ID]++
			return call.Changed(changes, "watch"), nil
		},
	})
	return r
}

// TestRandomGraphs holds every order of execution to every requisite, one state at a time and side by side: nothing runs
// before what it needs has ended, nothing runs twice, results come in definition order, and are the same either way.
func TestRandomGraphs(t *testing.T) {
	const graphs = 75
	total, edges, kinds := 0, 0, map[string]int{}
	for seed := range uint64(graphs) {
		g := randomGraph(rand.New(rand.NewPCG(seed, 1)))
		total += g.n
		for kind, n := range g.kinds {
			kinds[kind] += n
			edges += n
		}
		var first []string
		for _, parallel := range []int{1, 2, 8} {
			results := g.run(t, seed, parallel)
			if first == nil {
				first = results
			} else if !slices.Equal(first, results) {
				t.Fatalf("seed %d: with parallel %d the results are\n%v\nand one at a time\n%v", seed, parallel, results, first)
			}
		}
		g.compareWithSalt(t, seed, first)
		if t.Failed() {
			return
		}
	}
	if len(kinds) != 2*(len(ordering)+2) {
		t.Errorf("only these forms were used: %v", kinds)
	}
	t.Logf("%d graphs, %d states, %d requisites of %d forms, each run 3 times", graphs, total, edges, len(kinds))
}

func (g *graph) run(t *testing.T, seed uint64, parallel int) []string {
	t.Helper()
	rec := &recorder{}
	runner := states.New(states.Options{Registry: rec.registry(), Tree: tree{"g.zy": "#!yaml\n" + g.text}, Parallel: parallel})
	plan, err := runner.Compile(t.Context(), []string{"g"})
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, g.text)
	}
	report := plan.Run(t.Context())
	var results []string
	seenRun := map[int]bool{}
	for i, s := range report.States {
		if seenRun[s.Run] || s.Run < 1 || s.Run > len(report.States) {
			t.Errorf("seed %d: %s has place %d in the order of execution", seed, s.ID, s.Run)
		}
		seenRun[s.Run] = true
		if want := fmt.Sprintf("s%d", i); i < g.n && s.ID != want {
			t.Fatalf("seed %d: result %d is of %s, want %s", seed, i, s.ID, want)
		}
		if i < g.n && len(rec.started[s.ID]) > 1 {
			t.Errorf("seed %d: %s ran %d times", seed, s.ID, len(rec.started[s.ID]))
		}
		if i < g.n && s.Ran != (len(rec.started[s.ID]) == 1) {
			t.Errorf("seed %d: %s says ran %v, and ran %d times", seed, s.ID, s.Ran, len(rec.started[s.ID]))
		}
		results = append(results, fmt.Sprintf("%s %v %v %v", s.ID, s.Outcome.Data(), s.Ran, len(s.Changes) > 0))
	}
	for a, needs := range g.before {
		start := rec.started[fmt.Sprintf("s%d", a)]
		for b := range needs {
			if end := rec.ended[fmt.Sprintf("s%d", b)]; len(start) > 0 && len(end) > 0 && end[0] > start[0] {
				t.Errorf("seed %d, parallel %d: s%d started before s%d had ended", seed, parallel, a, b)
			}
		}
	}
	return results
}

// saltResult is what Salt keeps of a state that others look at.
type saltResult struct {
	ok, ran, changes bool
	// idle is Salt's __state_ran__: False, which onchanges and onfail set.
	idle bool
}

// compareWithSalt works out the results with the rules as Salt's State.check_requisite has them, on its sets of words.
func (g *graph) compareWithSalt(t *testing.T, seed uint64, results []string) {
	t.Helper()
	known := make([]*saltResult, g.n)
	var settle func(int) *saltResult
	settle = func(i int) *saltResult {
		if known[i] == nil {
			known[i] = g.salt(i, settle)
		}
		return known[i]
	}
	for i := range g.n {
		r := settle(i)
		if want := fmt.Sprintf("s%d %v %v %v", i, r.ok, r.ran, r.changes); results[i] != want {
			t.Errorf("seed %d: got %q, by Salt's rules %q: %s, %v", seed, results[i], want, g.outcome[i], g.requires[i])
		}
	}
}

// words are what Salt's check_requisite finds of the requisites that a state has itself.
func (g *graph) words(i int, settle func(int) *saltResult) map[string]bool {
	all := map[string]bool{}
	for kind, list := range g.requires[i] {
		stats := map[string]bool{}
		for _, target := range list {
			r := settle(target)
			if strings.HasPrefix(kind, "onfail") {
				if r.ok {
					stats["onfail"] = true
					continue
				}
			} else if !r.ok && !strings.HasPrefix(kind, "onchanges") {
				stats["fail"] = true
				continue
			}
			if strings.HasPrefix(kind, "onchanges") {
				if r.ok && r.changes {
					stats["onchangesmet"] = true
				} else {
					stats["onchanges"] = true
				}
				continue
			}
			if strings.HasPrefix(kind, "watch") && r.changes {
				stats["change"] = true
				continue
			}
			if !r.idle {
				stats["met"] = true
			}
		}
		if strings.HasSuffix(kind, "_any") || kind == "onfail" {
			if stats["met"] || stats["change"] {
				delete(stats, "fail")
			}
			if stats["onchangesmet"] {
				delete(stats, "onchanges")
				delete(stats, "fail")
			}
			if stats["onfail"] && stats["met"] {
				delete(stats, "onfail")
			}
		}
		if strings.HasSuffix(kind, "_all") && stats["onfail"] {
			delete(stats, "met")
		}
		for word := range stats {
			all[word] = true
		}
	}
	return all
}

func (g *graph) salt(i int, settle func(int) *saltResult) *saltResult {
	all := g.words(i, settle)
	for _, j := range g.prior[i] {
		if !settle(j).ok {
			all["fail"] = true
		}
	}
	switch {
	case all["fail"]:
		return &saltResult{}
	case idleBy(all):
		return &saltResult{ok: true, idle: true}
	}
	if targets := g.prereq[i]; len(targets) > 0 {
		change := false
		for _, target := range targets {
			if found := g.foreseen(target, settle); found == "fail" {
				return &saltResult{}
			} else if found == "change" {
				change = true
			}
		}
		if !change {
			return &saltResult{ok: true, idle: true}
		}
	}
	switch g.outcome[i] {
	case "fail":
		return &saltResult{ok: all["change"], ran: true, changes: all["change"]}
	case "change":
		return &saltResult{ok: true, ran: true, changes: true}
	}
	return &saltResult{ok: true, ran: true, changes: all["change"]}
}

func idleBy(words map[string]bool) bool {
	return words["onfail"] && !(words["onchangesmet"] && words["change"]) || words["onchanges"] && !words["onchangesmet"]
}

// foreseen is what a test finds of a state: nothing to do, if its requisites keep it from running, or if it is itself to run
// only before a state that has nothing to do.
func (g *graph) foreseen(i int, settle func(int) *saltResult) string {
	switch words := g.words(i, settle); {
	case words["fail"]:
		return "fail"
	case idleBy(words):
		return "succeed"
	}
	if targets := g.prereq[i]; len(targets) > 0 &&
		!slices.ContainsFunc(targets, func(target int) bool { return g.foreseen(target, settle) != "succeed" }) {
		return "succeed"
	}
	return g.outcome[i]
}
