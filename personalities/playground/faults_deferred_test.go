//go:build faults

package playground_test

import (
	"encoding/json"
	"slices"
	"time"
)

// deferred submits a job that waits for a peel which is down, kills masters, and brings the peel
// up again. Who follows the job then is told of all returns.
func deferred(w *world, i int) (v verdict) {
	victim := w.ids[i%len(w.ids)]
	w.peel[victim].kill()
	w.until(time.Minute, "the masters to miss the peel", func() bool {
		return countFalse(w.run("--format=json", "peels")) == 1
	})
	j := w.newJob()
	submit := w.start("--format=json", "--async", "--when-offline=wait", "--expires=1m", "--timeout=30s", "*", "cmd.run", w.line(j, 100*time.Millisecond))
	submit.wait()
	var said struct {
		JID string `json:"jid"`
	}
	w.must(json.Unmarshal([]byte(submit.out.String()), &said))
	j.id = said.JID
	time.Sleep(time.Duration(i%5) * 50 * time.Millisecond) // a sweep: before, in and after the dispatch
	dead := [][]*process{w.master[:1], w.master[1:], w.master, nil}[i%4]
	for _, m := range dead {
		m.kill()
	}
	back := append(slices.Clone(dead), w.peel[victim])
	if i%2 == 1 {
		slices.Reverse(back)
	}
	for _, p := range back {
		p.restart()
	}
	w.until(time.Minute, "the last return", func() bool {
		found, err := w.returns(j.jid())
		return err == nil && len(found) == len(w.ids)
	})
	j.client = w.start("--format=json", "job", "follow", j.jid())
	v.add(w.judge(j, nil))
	v.took = j.begun.Add(j.took).Sub(submit.begun)
	w.repair()
	return v
}

// countFalse counts the peels that are not connected.
func countFalse(list string) (n int) {
	var peels []struct {
		Connected bool `json:"connected"`
	}
	if json.Unmarshal([]byte(list), &peels) != nil {
		return -1
	}
	for _, p := range peels {
		if !p.Connected {
			n++
		}
	}
	return n
}
