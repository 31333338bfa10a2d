//go:build faults

package playground_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// onClient and onPeel are moments on the way of the client and of the peels.
func onClient(d direction, pattern string) moment {
	return func(w *world, _ int) *dam { return hold(d, 1, subject(pattern), w.client) }
}

// confirmed is the moment when the stream has a peel's return, and the peel does not know.
func confirmed(w *world, _ int) *dam {
	var all []*proxy
	for _, p := range w.peels() {
		all = append(all, p.proxy)
	}
	return hold(down, 1, func(m message) bool {
		return strings.HasPrefix(m.subject, "_INBOX_") && bytes.Contains(m.raw, []byte(`"stream":"returns"`))
	}, all...)
}

func onPeel(d direction, pattern string, n int) moment {
	return func(w *world, _ int) *dam {
		var all []*proxy
		for _, p := range w.peels() {
			all = append(all, p.proxy)
		}
		return hold(d, n, subject(pattern), all...)
	}
}

// everywhere are the moments of a job's life, from the request to the master's last word.
var everywhere = pick(
	onClient(up, "zester.submit.*"),
	onClient(down, "_INBOX_admin.>"), // the request's confirmation
	sent("$KV.jobs.>", 1),
	got("zester.submit.*", 1),
	noteHeld,
	sent("zester.cmd.*", 2),
	onPeel(up, "zester.job.*.ack.*", 1),
	onPeel(up, "zester.job.*.return.*", 1),
	sent("$JS.ACK.>", 1),
	onClient(down, "zester.job.*.return.*"),
)

// natsDies kills the server at some moment of a job, and starts it again.
func natsDies(w *world, i int) (v verdict) {
	d := everywhere(w, i)
	j := w.submit(long, 300*time.Millisecond)
	w.caught(d, j.client, &v)
	w.nats[0].kill()
	d.opens()
	time.Sleep(time.Duration(100+100*(i%7)) * time.Millisecond)
	w.nats[0].restart()
	w.reachable(w.addrs[0])
	v.add(w.judge(j, nil))
	w.repair()
	return v
}

// leaderDies kills the server that leads one of the streams that a job needs, at some moment.
func leaderDies(w *world, i int) verdict {
	streams := []string{bus.StreamSubmissions, bus.StreamReturns, bus.StreamOf(bus.BucketJobs)}
	moments := []string{"", "zester.job.*.note", "zester.cmd.*", "zester.job.*.ack.*", "zester.job.*.return.*"}
	return w.loseLeader(streams[i%3], moments[i/3%len(moments)], func() *job { return w.submit(long, 500*time.Millisecond) })
}

// leaderDiesUnderParts kills the leader of the stream that takes the parts of large values, while
// they are on their way.
func leaderDiesUnderParts(w *world, _ int) verdict {
	return w.loseLeader(bus.StreamReturns, bus.AllParts, func() *job { return w.submitLarge(5 << 20) })
}

func (w *world) loseLeader(stream, moment string, submit func() *job) (v verdict) {
	w.until(time.Minute, "a steady cluster", func() bool {
		for _, s := range []string{bus.StreamSubmissions, bus.StreamReturns, bus.StreamOf(bus.BucketJobs)} {
			if _, steady := w.leader(s); !steady {
				return false
			}
		}
		return true
	})
	w.settle()
	w.idle()
	name, _ := w.leader(stream)
	seen := w.see(moment)
	j := submit()
	select {
	case <-seen:
	case <-j.done:
		v.untried()
	case <-time.After(30 * time.Second):
		v.untried()
	}
	at := slices.IndexFunc(w.nats, func(p *process) bool { return p.name == name })
	w.nats[at].kill()
	v.add(w.judge(j, nil))
	w.nats[at].restart()
	w.reachable(w.addrs[at])
	return v
}

// diesUnderParts kills NATS or a peel while the parts of large values are on their way.
func diesUnderParts(victim func(w *world, at *process) *process) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		d := onPeel(up, bus.AllParts, 1+i%5)(w, i)
		j := w.submitLarge(4 << 20)
		if at := w.caught(d, j.client, &v); at != nil {
			p := victim(w, at)
			p.kill()
			d.opens()
			p.restart()
			w.reachable(w.addrs[0])
		}
		v.add(w.judge(j, nil))
		w.repair()
		return v
	}
}

// see tells of the first message on a subject; "" is at once.
func (w *world) see(pattern string) <-chan struct{} {
	seen := make(chan struct{})
	once := sync.OnceFunc(func() { close(seen) })
	if pattern == "" {
		once()
		return seen
	}
	sub, err := w.core.Subscribe(pattern, func(bus.Msg) { once() })
	w.must(err)
	w.t.Cleanup(sub.Stop)
	w.must(w.core.Flush(w.t.Context()))
	return seen
}

// clientStalls stops the client in the middle of a job, and floods it until the server gives it
// up as a slow consumer.
func clientStalls(w *world, i int) (v verdict) {
	before := w.slowConsumers()
	d := pick(onClient(down, "zester.job.*.note"), onClient(down, "zester.job.*.return.*"))(w, i)
	j := w.submit(long, 300*time.Millisecond)
	w.caught(d, j.client, &v)
	w.until(time.Minute, "the job's id", func() bool { return j.jid() != "" })
	w.must(j.cmd.Process.Signal(syscall.SIGSTOP))
	w.client.stall(true)
	d.opens()
	flood := make([]byte, 500<<10)
	w.until(time.Minute, "the server to call the client slow", func() bool {
		w.must(w.core.Publish(bus.JobNotes(j.jid())+".flood", flood))
		return w.slowConsumers() > before
	})
	w.client.drop() // what the server has done, the proxy passes on
	w.must(j.cmd.Process.Signal(syscall.SIGCONT))
	v.add(w.judge(j, nil))
	w.repair()
	return v
}

func (w *world) slowConsumers() int { return len(slowLine.FindAllString(w.nats[0].log.String(), -1)) }

// repeated delivers commands twice and in the wrong order, and again when all is over, and once
// more to peels that have been killed since.
func repeated(w *world, _ int) (v verdict) {
	replay, stop := w.capture()
	defer stop()
	for _, p := range w.peels() {
		p.proxy.set(down, shuffle(subject("zester.cmd.*")))
	}
	a := w.submit(long, 100*time.Millisecond)
	b := w.submit(long, 100*time.Millisecond)
	v.add(w.judge(a, nil))
	v.add(w.judge(b, nil))
	for range 3 {
		replay()
	}
	for _, p := range w.peels() {
		p.kill()
	}
	w.repair()
	for range 3 {
		replay()
	}
	w.settle() // commands of later jobs come after those
	for _, j := range []*job{a, b} {
		for id, n := range w.runs(j.tag, "start") {
			if n > max(1, j.runs[id]) {
				v.doubled++
				v.notes = append(v.notes, fmt.Sprintf("doubled: %s ran %s again when the command was replayed", id, j.tag))
				j.runs[id] = n
			}
		}
	}
	return v
}

// shuffle holds every command until the next one, which goes first, and sends both twice.
func shuffle(match func(message) bool) rule {
	var held []message
	return func(_ *proxy, m message) []message {
		if !match(m) {
			return []message{m}
		}
		if held = append(held, m); len(held) < 2 {
			return nil
		}
		pass := []message{held[1], held[0], held[1], held[0]}
		held = nil
		return pass
	}
}

// capture keeps all commands from now on; replay sends them again with a master's rights.
func (w *world) capture() (replay, stop func()) {
	var mu sync.Mutex
	var kept []bus.Msg
	sub, err := w.core.Subscribe(bus.AllCommands, func(m bus.Msg) {
		mu.Lock()
		defer mu.Unlock()
		kept = append(kept, m)
	})
	w.must(err)
	replay = func() {
		mu.Lock()
		list := append([]bus.Msg{}, kept...)
		mu.Unlock()
		for k := len(list) - 1; k >= 0; k-- {
			w.must(w.core.Publish(list[k].Subject, list[k].Data))
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
		defer cancel()
		w.must(w.core.Flush(ctx))
	}
	return replay, sub.Stop
}
