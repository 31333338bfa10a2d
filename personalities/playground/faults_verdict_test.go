//go:build faults

package playground_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

// verdict is what one run came to.
type verdict struct {
	lost, doubled, wrong int // targets, commands, exit codes
	took                 time.Duration
	notes                []string
}

func (v *verdict) losing(format string, args ...any) {
	v.lost++
	v.notes = append(v.notes, "lost: "+fmt.Sprintf(format, args...))
}

// untried is of a run whose fault did not happen: it proves nothing, and fails the test.
func (v *verdict) untried() { v.notes = append(v.notes, "the moment of the fault never came") }

func (v *verdict) add(other verdict) {
	v.lost += other.lost
	v.doubled += other.doubled
	v.wrong += other.wrong
	v.took = max(v.took, other.took)
	v.notes = append(v.notes, other.notes...)
}

// expected are the outcomes that are right in a case; peels that are not named must be ok.
type expected map[string][]outcome

// settling is how long after a fault a return may take to reach the stream.
const settling = 20 * time.Second

// judge waits for a job's client and asks the three questions.
func (w *world) judge(j *job, want expected) verdict {
	j.finish()
	v := verdict{took: j.took}
	stored, err := w.stored(j)
	if err != nil {
		v.losing("the stream of returns cannot be read: %v", err)
	}
	started := w.runs(j.tag, "start")
	j.runs = started
	for _, id := range w.ids {
		w.judgePeel(&v, j, id, want[id], started[id], stored)
	}
	if code := j.rightExit(w.ids); j.exit != code {
		v.wrong++
		v.notes = append(v.notes, fmt.Sprintf("wrong exit: %d, want %d for %s", j.exit, code, j.told()))
	}
	if len(v.notes) > 0 {
		v.notes = append(v.notes, fmt.Sprintf("%s %s: client printed\n%.2000s%s", j.tag, j.jid(), j.out, j.err))
	}
	return v
}

// stored waits until all peels that have run the job have a return in the stream.
func (w *world) stored(j *job) (map[string]jobs.Return, error) {
	for end := time.Now().Add(settling); ; time.Sleep(50 * time.Millisecond) {
		found, err := w.returns(j.jid())
		complete := err == nil
		for id := range w.runs(j.tag, "start") {
			_, ok := found[id]
			complete = complete && ok
		}
		if complete || time.Now().After(end) {
			return found, err
		}
	}
}

func (w *world) judgePeel(v *verdict, j *job, id string, want []outcome, runs int, stored map[string]jobs.Return) {
	if want == nil {
		want = []outcome{ok}
	}
	r, isStored := stored[id]
	if runs > 1 {
		v.doubled++
		v.notes = append(v.notes, fmt.Sprintf("doubled: %s ran %s %d times", id, j.tag, runs))
	}
	if runs > 0 && !isStored {
		v.losing("%s ran %s, but %s later the stream has no return of it", id, j.tag, settling)
	}
	if len(j.said[id]) != 1 {
		v.losing("the client prints %d lines of %s instead of one", len(j.said[id]), id)
		return
	}
	a := j.said[id][0]
	switch told := a.outcome(); {
	case !slices.Contains(want, told):
		v.losing("%s is told to be %s, want %v: %s", id, told, want, a.Error)
	case told == ok && j.size > 0 && len(fmt.Sprint(a.Value)) != j.size:
		v.losing("%s returns a value of %d bytes instead of %d", id, len(fmt.Sprint(a.Value)), j.size)
	case told == missing && a.Error == "not connected" && runs > 0:
		v.losing("%s is told to be not connected, and ran", id)
	case told == ok && runs == 0:
		v.losing("%s is told to have succeeded and never ran", id)
	case told != missing && !isStored:
		v.losing("%s has a return that the stream does not have", id)
	case told != missing && r.Success != a.Success:
		v.losing("%s: the client says success is %v, the stream %v", id, a.Success, r.Success)
	}
}

// rightExit is the exit code for what the client told: jobs.ExitOK and its like, by hand.
func (j *job) rightExit(ids []string) int {
	var anyFailed, anyMissing bool
	for _, id := range ids {
		for _, a := range j.said[id] {
			anyFailed = anyFailed || a.outcome() == failed
			anyMissing = anyMissing || a.outcome() == missing
		}
	}
	switch {
	case anyFailed && anyMissing:
		return 4
	case anyMissing:
		return 3
	case anyFailed:
		return 2
	}
	return 0
}

func (j *job) told() map[string]outcome {
	all := map[string]outcome{}
	for id, list := range j.said {
		for _, a := range list {
			all[id] = a.outcome()
		}
	}
	return all
}

// recount looks once more at all jobs, for commands that ran late or again, and for their returns.
func (w *world) recount(sum *tally) {
	for _, j := range w.jobs {
		stored, err := w.stored(j)
		w.must(err)
		for id, n := range w.runs(j.tag, "start") {
			var v verdict
			if n > max(1, j.runs[id]) {
				v.doubled++
				w.t.Errorf("%s ran %s %d times in the end", id, j.tag, n)
			}
			if _, ok := stored[id]; j.runs[id] == 0 {
				w.t.Logf("%s ran %s after its client had ended", id, j.tag)
				if !ok {
					v.losing("%s ran %s late, and the stream has no return of it", id, j.tag)
					w.t.Error(v.notes)
				}
			}
			sum.count(v)
		}
	}
	w.concluded()
}

// concluded waits until the masters are done with all jobs: nothing is left in their queue, and
// no record is open.
func (w *world) concluded() {
	w.idle()
	for _, j := range w.jobs {
		if j.jid() == "" {
			continue // it was refused, which its run was judged for
		}
		if r, _, err := jobs.LoadRecord(w.t.Context(), w.core, j.jid()); err != nil || r.State == jobs.StateOpen {
			w.t.Errorf("%s %s is not closed: %v", j.tag, j.jid(), err)
		}
	}
}

// idle waits until nothing is left in the masters' queue.
func (w *world) idle() {
	w.until(time.Minute, "the masters to be done with all jobs", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		left, err := w.core.StreamSubjects(ctx, bus.StreamSubmissions, bus.AllSubmissions)
		return err == nil && len(left) == 0
	})
}
