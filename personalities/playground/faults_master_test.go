//go:build faults

package playground_test

import (
	"time"
)

// long is the time of a job that must come to its end whatever happens on the way.
const long = 40 * time.Second

// moment sets a dam in the masters' way for the i-th run.
type moment func(w *world, i int) *dam

// pick goes through moments by turns.
func pick(all ...moment) moment {
	return func(w *world, i int) *dam { return all[i%len(all)](w, i/len(all)) }
}

// sent is the n-th message of a master on a subject, before the server has it; got is one that
// the server has sent and the master has not.
func sent(pattern string, n int) moment {
	return func(w *world, _ int) *dam { return hold(up, n, subject(pattern), w.fronts()...) }
}

func got(pattern string, n int) moment {
	return func(w *world, _ int) *dam { return hold(down, n, subject(pattern), w.fronts()...) }
}

func (w *world) fronts() []*proxy {
	var all []*proxy
	for _, m := range w.master {
		all = append(all, m.proxy)
	}
	return all
}

// caught waits for the dam and gives the process that ran into it; nil if the client went by.
func (w *world) caught(d *dam, c *client, v *verdict) *process {
	select {
	case <-d.hit:
	case <-c.done:
	case <-time.After(30 * time.Second):
	}
	select {
	case <-d.hit:
	default:
		d.opens()
		v.untried()
		return nil
	}
	for _, p := range append(w.peels(), w.master...) {
		if p.proxy == d.where {
			return p
		}
	}
	return nil
}

// masterDies kills the dispatching master at a moment. Every fourth time the other one dies with
// it, and both come back.
func masterDies(at moment, flags ...string) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := at(w, i)
		j := w.submit(long, 300*time.Millisecond, flags...)
		if m := w.caught(d, j.client, &v); m != nil {
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
		v.add(w.judge(j, nil))
		w.repair()
		return v
	}
}

// masterDiesAfter kills the dispatching master a while after it has got the request: a sweep
// over everything it does.
func masterDiesAfter(step time.Duration) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := got("zester.submit.*", 1)(w, i)
		j := w.submit(long, 300*time.Millisecond)
		if m := w.caught(d, j.client, &v); m != nil {
			d.opens()
			spin(time.Duration(i) * step)
			m.kill()
		}
		v.add(w.judge(j, nil))
		w.repair()
		return v
	}
}

// spin waits more exactly than a timer does.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// masterCutOff cuts the dispatching master off for ten seconds at a moment; then it goes on with
// what it was about to say.
func masterCutOff(at moment) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := at(w, i)
		j := w.submit(long, 300*time.Millisecond)
		if m := w.caught(d, j.client, &v); m != nil {
			cut(m.proxy, d)
		}
		v.add(w.judge(j, nil))
		w.repair()
		return v
	}
}

const outage = 10 * time.Second

// cut stops a process's traffic for the outage, and then lets go what it was about to say.
func cut(p *proxy, d *dam) {
	p.stall(true)
	d.opens()
	time.Sleep(outage)
	p.stall(false)
}

// repair brings all back that a run has broken.
func (w *world) repair() {
	for _, p := range append(w.peels(), w.master...) {
		p.proxy.set(up, nil)
		p.proxy.set(down, nil)
		p.proxy.stall(false)
		p.restart()
	}
	w.client.set(up, nil)
	w.client.set(down, nil)
	w.client.stall(false)
	w.settle()
	w.idle() // so that the next moment is not of an earlier job
}

// masterCases are those of the issue: before the record, between record and publish, in the
// middle of publishing, after it.
var (
	beforeRecord = pick(got("zester.submit.*", 1), sent("$KV.jobs.>", 1))
	noteHeld     = sent("zester.job.*.note", 1)
	firstHeld    = sent("zester.cmd.*", 1)
	midway       = pick(sent("zester.cmd.*", 2), sent("zester.cmd.*", 3))
	afterwards   = pick(sent("$JS.ACK.>", 1), got("zester.job.*.ack.*", 1))
)
