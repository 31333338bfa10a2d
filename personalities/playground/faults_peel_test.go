//go:build faults

package playground_test

import (
	"regexp"
	"time"
)

var slowLine = regexp.MustCompile(`Slow Consumer`)

// peelDies kills a peel at a moment, and starts it again a moment later.
func peelDies(at moment, want ...outcome) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := at(w, i)
		j := w.submit(long, 500*time.Millisecond)
		p := w.caught(d, j.client, &v)
		right := expected{}
		if p != nil {
			p.kill()
			d.opens()
			right[p.name] = want
			time.Sleep(time.Duration(100*(i%5)) * time.Millisecond)
			p.restart()
		}
		v.add(w.judge(j, right))
		w.repair()
		return v
	}
}

// peelDiesInside kills a peel while the function runs: its command goes on, and its return comes from the peel's next life.
func peelDiesInside(w *world, i int) (v verdict) {
	victim := w.ids[i%len(w.ids)]
	j := w.submit(long, time.Second)
	w.until(time.Minute, "the function to start", func() bool { return w.runs(j.tag, "start")[victim] > 0 })
	time.Sleep(time.Duration(i*40) * time.Millisecond)
	w.peel[victim].kill()
	w.peel[victim].restart()
	v.add(w.judge(j, expected{victim: {ok}}))
	w.repair()
	return v
}

// peelDiesAfter kills a peel a while after it has got the command: it has run it or not, and says
// of what it had begun that it was interrupted.
func peelDiesAfter(step time.Duration) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := onPeel(down, "zester.cmd.*", 1)(w, i)
		j := w.submit(long, 20*time.Millisecond)
		right := expected{}
		if p := w.caught(d, j.client, &v); p != nil {
			d.opens()
			spin(time.Duration(i) * step)
			p.kill()
			p.restart()
			right[p.name] = []outcome{ok, failed}
		}
		v.add(w.judge(j, right))
		w.repair()
		return v
	}
}

// powerCut kills everything but the client at some moment of a job, and starts it again.
func powerCut(w *world, i int) (v verdict) {
	d := everywhere(w, i)
	j := w.submit(long, 300*time.Millisecond)
	w.caught(d, j.client, &v)
	right := expected{}
	for _, p := range append(append(w.peels(), w.master...), w.nats...) {
		p.kill()
	}
	d.opens()
	for _, p := range w.peels() {
		p.restart()
		// A master that is back before the peels are finds them not connected, and says so.
		right[p.name] = []outcome{ok, failed, missing}
	}
	w.nats[0].restart()
	w.reachable(w.addrs[0])
	for _, m := range w.master {
		m.restart()
	}
	v.add(w.judge(j, right))
	w.repair()
	return v
}

// peelCutOff cuts a peel off for ten seconds at a moment of a job that lasts longer.
func peelCutOff(at moment) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := at(w, i)
		j := w.submit(long, 300*time.Millisecond)
		if p := w.caught(d, j.client, &v); p != nil {
			cut(p.proxy, d)
		}
		v.add(w.judge(j, nil))
		w.repair()
		return v
	}
}

// peelCutOffTooLong cuts a peel off for longer than the job's time: it is reported as missing,
// and what it ran in the end has its return in the stream all the same.
func peelCutOffTooLong(at moment) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := at(w, i)
		j := w.submit(4*time.Second, 300*time.Millisecond)
		right := expected{}
		if p := w.caught(d, j.client, &v); p != nil {
			right[p.name] = []outcome{missing}
			cut(p.proxy, d)
		}
		v.add(w.judge(j, right))
		w.repair()
		return v
	}
}

// clockCase runs a job in a fleet where some clocks are off. Nobody may notice.
func clockCase(client string) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		w.clientClock = client
		return w.judge(w.submit(4*time.Second, 100*time.Millisecond), nil)
	}
}

// versions has masters of two versions take over each other's jobs.
func versions(w *world, i int) verdict {
	return masterDies(pick(beforeRecord, noteHeld, midway, afterwards))(w, i)
}
