//go:build faults

package playground_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// betweenBatches are the moments of a job that goes to one peel after the other: before it is on record that the next one has
// its turn, and when that one's command is on its way.
var betweenBatches = pick(
	sent("$KV.jobs.*.batch", 1), sent("zester.cmd.db-01", 1), sent("zester.cmd.web-01", 1), sent("zester.cmd.web-02", 1), sent("$KV.jobs.*.batch", 2),
)

// batchPeelDies kills the peel whose batch it is, before, in and after its function. The others have their turn all the same.
func batchPeelDies(w *world, i int) (v verdict) {
	victim := w.ids[i%len(w.ids)]
	j := w.submit(long, 300*time.Millisecond, "--batch=1")
	w.until(time.Minute, "the function to start", func() bool { return w.runs(j.tag, "start")[victim] > 0 })
	w.peel[victim].kill()
	w.peel[victim].restart()
	v.add(w.judge(j, expected{victim: {ok}}))
	w.repair()
	return v
}

// leaderDiesBetweenBatches kills the server that leads one of the streams that a release needs.
func leaderDiesBetweenBatches(w *world, i int) verdict {
	streams := []string{bus.StreamOf(bus.BucketJobs), bus.StreamSubmissions, bus.StreamReturns}
	moments := []string{"zester.job.*.return.*", "zester.cmd.web-01", "zester.cmd.web-02"}
	return w.loseLeader(streams[i%3], moments[i/3%3], func() *job { return w.submit(long, 200*time.Millisecond, "--batch=1") })
}

// batchPaused pauses a job, kills masters, and lets it go on. Nobody has his turn meanwhile.
func batchPaused(w *world, i int) (v verdict) {
	j := w.submit(long, time.Second, "--batch=1")
	w.until(time.Minute, "the first batch", func() bool { return len(w.runs(j.tag, "start")) > 0 })
	w.order("pause", j)
	if len(w.runs(j.tag, "start")) == len(w.ids) {
		v.untried()
	}
	for _, m := range [][]*process{w.master[:1], w.master[1:], w.master}[i%3] {
		m.kill()
	}
	for _, m := range w.master {
		m.restart()
	}
	for _, m := range w.master {
		m.ready()
	}
	time.Sleep(3 * time.Second)                  // longer than masters look away from a paused job
	if n := len(w.runs(j.tag, "start")); n > 2 { // the one that ran, and one whose turn came as the order was given
		v.losing("%d peels ran a job that was paused after the first", n)
	}
	w.order("resume", j)
	v.add(w.judge(j, nil))
	w.repair()
	return v
}

// canaries kills a master while the first peel runs a job before the others, which run it when an operator says so, or,
// every third time, never, since the first fails.
func canaries(w *world, i int) (v verdict) {
	d := pick(sent("$KV.jobs.*.batch", 1), sent("zester.cmd.*", 1), onPeel(up, "zester.job.*.return.*", 1), onPeel(up, "zester.job.*.ack.*", 1))(w, i)
	j := w.newJob()
	line := w.line(j, 200*time.Millisecond)
	bad := i%3 == 2
	if bad {
		line += "; exit 1"
	}
	j.client = w.start("--format=json", "--verbose", "--timeout="+long.String(), "--canary=1", "*", "cmd.run", line)
	if at := w.caught(d, j.client, &v); at != nil {
		if at.peel() {
			at = w.master[i%2]
		}
		at.kill()
		d.opens()
		if i%4 == 3 {
			for _, m := range w.master {
				m.kill()
				m.restart()
			}
		}
	}
	right := expected{}
	if bad {
		right = expected{"db-01": {failed}, "web-01": {missing}, "web-02": {missing}}
	} else {
		w.until(time.Minute, "the canary to be well", func() bool { return strings.Contains(w.run("job", "show", j.jid()), "the canaries are well") })
		if started := w.runs(j.tag, "start"); len(started) != 1 {
			v.losing("%v ran it before anybody had confirmed that the canary is well", started)
		}
		w.order("resume", j)
	}
	v.add(w.judge(j, right))
	w.repair()
	return v
}

// order gives an order about a job until a master has confirmed it, or the job is over.
func (w *world) order(order string, j *job) {
	w.t.Helper()
	w.until(time.Minute, "the job's id", func() bool { return j.jid() != "" })
	said := ""
	w.until(time.Minute, fmt.Sprintf("%s of %s", order, j.tag), func() bool {
		c := w.start("job", order, j.jid())
		code := c.wait()
		if text := c.err.String(); text != said {
			said = text
			w.t.Logf("%s of %s: %s", order, j.tag, said)
		}
		return code == 0 || strings.Contains(said, "is over")
	})
}
