//go:build faults

package playground_test

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ptorbus/zester/core/jobs"
)

// cancelling are the moments of an order to end a job: before a master reads it, before it is on record, and when the peels
// are about to be told.
var cancelling = pick(got("zester.op.*.jobs", 1), sent("$KV.jobs.*", 1), sent("zester.cmd.*", 1), sent("zester.cmd.*", 2))

// cancel orders the end of a job, and kills the master that takes the order at a moment, every fourth time the other one too.
// If that has kept the order from being confirmed, it is given again.
func (w *world) cancel(at moment, i int, j *job, v *verdict) {
	w.until(time.Minute, "the job's id", func() bool { return j.jid() != "" })
	d := at(w, i)
	order := w.start("job", "kill", j.jid())
	if m := w.caught(d, order, v); m != nil {
		m.kill()
		d.opens()
		if i%4 == 3 {
			for _, other := range w.master {
				other.kill()
			}
			for _, other := range w.master {
				other.restart()
			}
		}
	}
	if order.wait() != 0 {
		w.order("kill", j)
	}
}

// cancelled looks whether the returns of these peels say so, and whether they have run no more than they may.
func (w *world) cancelled(v *verdict, j *job, runs int, ids ...string) {
	stored, err := w.returns(j.jid())
	if err != nil {
		v.losing("the stream of returns cannot be read: %v", err)
	}
	for _, id := range ids {
		if r, ok := stored[id]; ok && r.Reason != jobs.ReasonCancelled {
			v.losing("the return of %s says %q instead of %q: %s", id, r.Reason, jobs.ReasonCancelled, r.Error)
		}
		if n := w.runs(j.tag, "start")[id]; n != runs {
			v.losing("%s ran the cancelled %s %d times instead of %d", id, j.tag, n, runs)
		}
		if w.runs(j.tag, "end")[id] > 0 {
			v.losing("%s ran the cancelled %s to its end", id, j.tag)
		}
	}
}

// all is an outcome of every peel.
func (w *world) all(right ...outcome) expected {
	e := expected{}
	for _, id := range w.ids {
		e[id] = right
	}
	return e
}

// cancelRunning ends what runs.
func cancelRunning(w *world, i int) (v verdict) {
	j := w.submit(long, 30*time.Second)
	w.until(time.Minute, "the functions to start", func() bool { return len(w.runs(j.tag, "start")) == len(w.ids) })
	w.cancel(cancelling, i, j, &v)
	v.add(w.judge(j, w.all(failed)))
	w.cancelled(&v, j, 1, w.ids...)
	w.repair()
	return v
}

// cancelQueued ends what waits for another job's end.
func cancelQueued(w *world, i int) (v verdict) {
	first := w.newJob()
	free := w.path("free-" + first.tag)
	line := fmt.Sprintf("%s; until test -e %s; do sleep 0.05; done", w.line(first, 0), free)
	first.client = w.start("--format=json", "--verbose", "--timeout="+(2*long).String(), "*", "cmd.run", line)
	w.until(time.Minute, "the first job's functions to start", func() bool { return len(w.runs(first.tag, "start")) == len(w.ids) })
	j := w.submit(2*long, 100*time.Millisecond)
	w.cancel(cancelling, i, j, &v)
	v.add(w.judge(j, w.all(failed)))
	w.must(os.WriteFile(free, nil, 0o600))
	v.add(w.judge(first, nil))
	w.cancelled(&v, j, 0, w.ids...)
	w.repair()
	return v
}

// cancelDeferred ends what waits for a peel that is not connected, which comes when it is too late.
func cancelDeferred(w *world, i int) (v verdict) {
	victim := w.ids[i%len(w.ids)]
	w.peel[victim].kill()
	w.until(time.Minute, "the masters to miss the peel", func() bool { return countFalse(w.run("--format=json", "peels")) == 1 })
	j := w.newJob()
	submit := w.start("--format=json", "--async", "--when-offline=wait", "--expires=10m", "--timeout=30s", "*", "cmd.run", w.line(j, 0))
	submit.wait()
	var said struct {
		JID string `json:"jid"`
	}
	w.must(json.Unmarshal([]byte(submit.out.String()), &said))
	j.id = said.JID
	w.until(time.Minute, "the others' returns", func() bool {
		found, err := w.returns(j.jid())
		return err == nil && len(found) == len(w.ids)-1
	})
	w.cancel(pick(got("zester.op.*.jobs", 1), sent("$KV.jobs.*", 1)), i, j, &v)
	w.peel[victim].restart()
	w.until(time.Minute, "the peel to say that it is told", func() bool {
		found, err := w.returns(j.jid())
		return err == nil && len(found) == len(w.ids)
	})
	j.client = w.start("--format=json", "job", "follow", j.jid())
	v.add(w.judge(j, expected{victim: {failed}}))
	v.took = j.begun.Add(j.took).Sub(submit.begun)
	w.cancelled(&v, j, 0, victim)
	w.repair()
	return v
}

// cancelCutOff ends what runs while a peel is out of reach, which is told when it is back.
func cancelCutOff(w *world, i int) (v verdict) {
	victim := w.peel[w.ids[i%len(w.ids)]]
	j := w.submit(long, 30*time.Second)
	w.until(time.Minute, "the functions to start", func() bool { return len(w.runs(j.tag, "start")) == len(w.ids) })
	victim.proxy.stall(true)
	w.order("kill", j)
	time.Sleep(outage)
	victim.proxy.stall(false)
	v.add(w.judge(j, w.all(failed)))
	w.cancelled(&v, j, 1, w.ids...)
	w.repair()
	return v
}
