package jobs

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// tidy forgets what is no longer needed and, when the file has grown, writes it anew.
func (j *journal) tidy(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tidyLocked(now)
}

func (j *journal) tidyLocked(now time.Time) {
	if j.file == nil {
		return
	}
	j.write(written) // best effort: compact takes what is late as well
	j.prune(now)
	if j.size < compactFrom || j.size < 2*j.live() {
		return
	}
	if err := j.compact(); err != nil {
		j.log.Warn("the job journal cannot be written anew and goes on growing", "file", j.path, "error", err)
	}
}

// prune drops jobs whose commands are refused as expired by now, returns that have been in the
// stream for a while, and, last and not without saying so, returns that could not be sent.
func (j *journal) prune(now time.Time) {
	var sent, unsent []string
	for jid, e := range j.jobs {
		switch {
		case e.state == stateEnded && now.Sub(e.at) > keepUnsent:
			j.log.Error("a return could not be sent for too long and is dropped", "job", jid, "function", e.function, "waited", now.Sub(e.at).Round(time.Second))
			j.drop(e)
		case e.state == stateEnded:
			unsent = append(unsent, jid)
		case e.state == stateSent && e.length > 0 && now.Sub(e.at) > keepSent:
			e.length = 0
		case e.state == stateSent && e.length > 0:
			sent = append(sent, jid)
		}
		if e.state == stateSent && now.After(time.Unix(e.expires, 0).Add(keepAfterExpiry)) {
			delete(j.jobs, jid)
		}
	}
	newestFirst := func(a, b string) int { return cmp.Or(j.jobs[b].at.Compare(j.jobs[a].at), cmp.Compare(a, b)) }
	sent = slices.DeleteFunc(sent, func(jid string) bool { return j.jobs[jid] == nil })
	slices.SortFunc(sent, newestFirst)
	bytes := 0
	for _, jid := range sent {
		if bytes += j.jobs[jid].length; bytes > maxSentBytes {
			j.jobs[jid].length = 0
		}
	}
	if over := len(unsent) - maxUnsent; over > 0 {
		slices.SortFunc(unsent, newestFirst) // the oldest has waited longest and is dropped last
		for _, jid := range unsent[:over] {
			j.log.Error("too many returns wait to be sent: one is dropped", "job", jid, "function", j.jobs[jid].function, "waiting", j.unsent)
			j.drop(j.jobs[jid])
		}
	}
}

// drop gives up a return; that the job has run stays known.
func (j *journal) drop(e *journalJob) {
	j.asked(e)
	j.unsent--
	j.unsentBytes -= int64(e.length)
	e.state, e.length, e.memory = stateSent, 0, nil
}

// live estimates what a compacted file would hold.
func (j *journal) live() int64 {
	var n int64
	for _, e := range j.jobs {
		n += 160 + int64(e.length)
	}
	return n
}

// compact writes a file of what is still known and puts it in the journal's place.
func (j *journal) compact() error {
	var data []byte
	for jid, e := range j.jobs {
		records := []journalRecord{{Kind: recordBegin, JID: jid, Function: e.function, Expires: e.expires, At: e.at.UnixNano()}}
		if ret := j.kept(jid, e); ret != nil {
			records = append(records, journalRecord{Kind: recordEnd, JID: jid, At: e.at.UnixNano(), Return: ret})
		}
		if e.state == stateSent {
			records = append(records, journalRecord{Kind: recordSent, JID: jid, At: e.at.UnixNano()})
		}
		for _, r := range records {
			data = appendFrame(data, r)
		}
	}
	if err := config.WriteFile(j.path, data, 0o600); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_RDWR, 0o600)
	if err != nil {
		// The old file is gone from its place; writing on into it would record nothing.
		j.file.Close()
		j.file = nil
		return err
	}
	j.file.Close()
	j.file, j.size, j.late, j.unsent, j.unsentBytes, j.unasked = file, int64(len(data)), nil, 0, 0, 0
	clear(j.jobs)
	scanFrames(data, func(r journalRecord, offset, size int) { j.apply(r, int64(offset), size) })
	return nil
}

func (j *journal) kept(jid string, e *journalJob) []byte {
	if e.length == 0 || e.memory != nil {
		return e.memory
	}
	ret, err := j.read(jid, e)
	if err != nil {
		j.log.Error("a return cannot be read from the job journal and is lost", "job", jid, "error", err)
	}
	return ret
}
