package jobs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func openTest(t testing.TB, dir string) (*journal, []begun) {
	t.Helper()
	j, under, err := openJournal(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	return j, under
}

func beginTest(t testing.TB, j *journal, expires time.Time) string {
	t.Helper()
	jid := NewID(time.Now())
	if err := j.begin(jid, "test.ping", expires, true); err != nil {
		t.Fatal(err)
	}
	return jid
}

func retTest(t testing.TB, j *journal, jid string) string {
	t.Helper()
	b, err := j.ret(jid)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJournalRemembers(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTest(t, dir)
	soon := time.Now().Add(time.Minute)
	running, ended, sent := beginTest(t, j, soon), beginTest(t, j, soon), beginTest(t, j, soon)
	j.end(ended, []byte("ended"), written)
	j.end(sent, []byte("sent"), written)
	j.sent(sent)
	j.end(sent, []byte("again"), written) // counts for nothing
	j.close()
	if err := j.begin(NewID(time.Now()), "test.ping", soon, false); err == nil {
		t.Error("a closed journal takes jobs")
	}

	for i := range 3 { // as written, as compacted, and compacted twice
		j, under := openTest(t, dir)
		if len(under) != 1 || under[0].jid != running || under[0].function != "test.ping" {
			t.Errorf("%d: under way: %+v", i, under)
		}
		for jid, want := range map[string]jobState{running: stateBegun, ended: stateEnded, sent: stateSent, NewID(time.Now()): stateUnknown} {
			if got := j.state(jid); got != want {
				t.Errorf("%d: state %d, want %d", i, got, want)
			}
		}
		if got := j.outbox(); !reflect.DeepEqual(got, []string{ended}) || j.depth() != 1 {
			t.Errorf("%d: outbox %q", i, got)
		}
		if retTest(t, j, ended) != "ended" || retTest(t, j, sent) != "sent" || retTest(t, j, running) != "" {
			t.Errorf("%d: returns are lost", i)
		}
		j.mu.Lock()
		if err := j.compact(); err != nil {
			t.Error(err)
		}
		j.mu.Unlock()
		j.close()
	}
}

// Wherever a crash cuts the file, what was whole before is still known, and nothing is made up.
func TestJournalTorn(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTest(t, dir)
	soon := time.Now().Add(time.Minute)
	first := beginTest(t, j, soon)
	j.end(first, []byte("first"), written)
	whole := j.size
	second := beginTest(t, j, soon)
	j.close()
	data, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := whole; cut < int64(len(data)); cut++ {
		torn := t.TempDir()
		if err := os.WriteFile(filepath.Join(torn, "journal"), data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, _ := openTest(t, torn)
		if j.state(first) != stateEnded || retTest(t, j, first) != "first" || j.state(second) != stateUnknown {
			t.Fatalf("cut at %d: %d and %d", cut, j.state(first), j.state(second))
		}
		third := beginTest(t, j, soon)
		j.close()
		j, _ = openTest(t, torn)
		if j.state(first) != stateEnded || j.state(third) != stateBegun {
			t.Fatalf("cut at %d and written on: %d and %d", cut, j.state(first), j.state(third))
		}
		j.close()
	}
	// Damage in the middle costs what it hits and no more.
	damaged := bytes.Clone(data)
	damaged[whole-3] ^= 0xff
	if err := os.WriteFile(filepath.Join(dir, "journal"), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	j, under := openTest(t, dir)
	if j.state(first) != stateBegun || j.state(second) != stateBegun || len(under) != 2 {
		t.Errorf("after damage: %d and %d", j.state(first), j.state(second))
	}
}

// A disk that takes no more keeps new jobs from starting and loses no return.
func TestJournalDiskFull(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTest(t, dir)
	soon := time.Now().Add(time.Minute)
	jid := beginTest(t, j, soon)
	writable := j.file
	readOnly, err := os.Open(j.path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	j.file = readOnly
	other := NewID(time.Now())
	if err := j.begin(other, "test.ping", soon, true); err == nil || j.state(other) != stateUnknown {
		t.Errorf("begun without a record: %v", err)
	}
	j.end(jid, []byte("in memory"), written)
	if got := j.outbox(); !reflect.DeepEqual(got, []string{jid}) || retTest(t, j, jid) != "in memory" {
		t.Errorf("outbox %q", got)
	}
	j.file = writable
	j.sent(jid)
	if j.depth() != 0 || j.unsentBytes != 0 {
		t.Errorf("%d returns, %d bytes", j.depth(), j.unsentBytes)
	}
	j.close()
	if _, under := openTest(t, dir); len(under) != 0 {
		t.Errorf("under way: %+v", under)
	}
}

func TestJournalForgets(t *testing.T) {
	j, _ := openTest(t, t.TempDir())
	now := time.Now()
	old, young, running, unsent := beginTest(t, j, now), beginTest(t, j, now.Add(2*time.Hour)), beginTest(t, j, now), beginTest(t, j, now)
	large := make([]byte, 300<<10)
	for _, jid := range []string{old, young, unsent} {
		j.end(jid, large, written)
	}
	j.sent(old)
	j.sent(young)
	j.tidy(now.Add(keepAfterExpiry + time.Minute))
	for jid, want := range map[string]jobState{old: stateUnknown, young: stateSent, running: stateBegun, unsent: stateEnded} {
		if got := j.state(jid); got != want {
			t.Errorf("state %d, want %d", got, want)
		}
	}
	if retTest(t, j, young) != "" || len(retTest(t, j, unsent)) != len(large) {
		t.Error("of returns in the stream none is kept that long, of others all")
	}
	j.tidy(now.Add(keepUnsent + time.Hour))
	if j.depth() != 0 || j.unsentBytes != 0 {
		t.Errorf("after a week: %d returns, %d bytes", j.depth(), j.unsentBytes)
	}
}

func TestJournalIsBounded(t *testing.T) {
	j, _ := openTest(t, t.TempDir())
	now := time.Now()
	var first, last string
	ret := make([]byte, 4<<10)
	for i := range maxUnsent + 10 {
		last = fmt.Sprintf("20260101%012d-00000000", i)
		if first == "" {
			first = last
		}
		if err := j.begin(last, "test.ping", now.Add(time.Hour), false); err != nil {
			t.Fatal(err)
		}
		j.end(last, ret, written)
	}
	j.tidy(now)
	if j.depth() != maxUnsent || j.state(first) != stateEnded || j.state(last) != stateSent {
		t.Errorf("%d wait; the oldest is dropped last: %d, %d", j.depth(), j.state(first), j.state(last))
	}
	if err := j.room(maxUnsentBytes); err == nil || !strings.HasPrefix(err.Error(), "10000 returns with ") {
		t.Error(err)
	}
	for _, jid := range j.outbox() {
		j.sent(jid)
	}
	j.tidy(now)
	kept := 0
	for _, e := range j.jobs {
		kept += e.length
	}
	if kept > maxSentBytes {
		t.Errorf("%d bytes of sent returns are kept", kept)
	}
	if info, err := j.file.Stat(); err != nil || info.Size() > 3*maxSentBytes || info.Size() != j.size {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	for i := len(j.jobs); i < maxJobs; i++ {
		j.jobs[fmt.Sprint(i)] = &journalJob{state: stateSent, expires: now.Add(time.Hour).Unix()}
	}
	err := j.begin(NewID(now), "test.ping", now, false)
	if want := "the journal is full: 100000 jobs whose commands have not expired"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func FuzzJournal(f *testing.F) {
	frame := appendFrame(nil, journalRecord{Kind: recordBegin, JID: "20260131120000123456-0a1b2c3d", Function: "test.ping", Expires: 7, At: 8})
	f.Add(frame)
	f.Add(append([]byte("ZJ\x00\x00"), frame...))
	f.Add(frame[:len(frame)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, found := 0, 0
		damaged := scanFrames(data, func(r journalRecord, offset, size int) { sum += size; found++ })
		if sum+damaged != len(data) {
			t.Fatalf("%d and %d bytes of %d", sum, damaged, len(data))
		}
		after := 0
		scanFrames(append(bytes.Clone(data), frame...), func(journalRecord, int, int) { after++ })
		if after != found+1 {
			t.Fatalf("%d records, and with one more %d", found, after)
		}
	})
}

func FuzzRequest(f *testing.F) {
	for _, r := range []Request{{}, {JID: "20260131120000123456-0a1b2c3d", Target: "*", Function: "test.ping", Args: []any{"a", 1, nil, []any{map[string]any{"x": 1.5}}}, Kwargs: map[string]any{"k": true}, Timeout: time.Second}} {
		data, err := encodeTest(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRequest(data)
		if err != nil {
			if !reflect.DeepEqual(r, Request{}) {
				t.Fatalf("%v, and yet %+v", err, r)
			}
			return
		}
		if r.Check() == nil && CheckID(r.JID) == nil && (strings.ContainsAny(r.JID, ".*> ") || strings.ContainsAny(r.Function, "*> \n") || r.Timeout <= 0) {
			t.Fatalf("%+v passes", r)
		}
		again, err := encodeTest(r)
		if err != nil {
			t.Fatalf("%+v cannot be encoded: %v", r, err)
		}
		if len(again) <= maxRequest {
			if _, err := decodeRequest(again); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReturn(f *testing.F) {
	data, err := encodeTest(Return{JID: "x", Peel: "y", Function: "test.ping", Success: true, Value: map[string]any{"a": []any{1, "b"}}, Started: time.Unix(1, 0), Duration: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:10])
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeReturn("zester.job.20260131120000123456-0a1b2c3d.return.web-01=example=org", data)
		if err == nil && (r.JID != "20260131120000123456-0a1b2c3d" || r.Peel != "web-01.example.org") {
			t.Fatalf("%+v", r)
		}
	})
}

// BenchmarkJournal is what a job costs on the peel's disk.
func BenchmarkJournal(b *testing.B) {
	for _, durable := range []bool{false, true} {
		b.Run(fmt.Sprintf("durable=%t", durable), func(b *testing.B) {
			j, _ := openTest(b, b.TempDir())
			ret := make([]byte, 200)
			n := 0
			for b.Loop() {
				n++
				jid := fmt.Sprintf("20260101%012d-00000000", n)
				if n%(maxJobs/2) == 0 {
					j.tidy(time.Now().Add(2 * keepAfterExpiry))
				}
				if err := j.begin(jid, "test.ping", time.Now(), durable); err != nil {
					b.Fatal(err)
				}
				j.end(jid, ret, written)
				j.sent(jid)
			}
		})
	}
}

// A late record is in the journal's answers at once, and in the file with the next that is not late.
func TestJournalWritesLate(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTest(t, dir)
	soon := time.Now().Add(time.Minute)
	jid := beginTest(t, j, soon)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	j.endUnasked(jid, []byte("late"))
	if got := retTest(t, j, jid); got != "late" || size() != before || j.depth() != 0 || j.waiting() != 1 {
		t.Errorf("%q, %d bytes more, depth %d, %d wait", got, size()-before, j.depth(), j.waiting())
	}
	j.overdue(jid)
	if j.depth() != 1 {
		t.Errorf("overdue, and depth %d", j.depth())
	}
	j.sent(jid)
	next := beginTest(t, j, soon)
	if size() == before {
		t.Error("nothing is written")
	}
	written := size()
	j.endUnasked(next, []byte("next"))
	j.mu.Lock()
	if err := j.compact(); err != nil {
		t.Error(err)
	}
	j.mu.Unlock()
	if retTest(t, j, jid) != "late" || retTest(t, j, next) != "next" || size() <= written/2 {
		t.Errorf("compacted: %q and %q", retTest(t, j, jid), retTest(t, j, next))
	}
	last := beginTest(t, j, soon)
	j.end(last, []byte("last"), unwritten)
	j.close()
	j, under := openTest(t, dir)
	if len(under) != 0 || retTest(t, j, jid) != "late" || retTest(t, j, last) != "last" || j.state(jid) != stateSent || j.depth() != 2 {
		t.Errorf("opened again: under way %+v, %q, %q, state %d, depth %d", under, retTest(t, j, jid), retTest(t, j, last), j.state(jid), j.depth())
	}
}

// What the disk does not take is kept, in order, until it does.
func TestJournalLateOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTest(t, dir)
	soon := time.Now().Add(time.Minute)
	jid := beginTest(t, j, soon)
	j.end(jid, []byte("late"), unwritten)
	good := j.file
	bad, err := os.Open(filepath.Join(dir, "journal")) // for reading only
	if err != nil {
		t.Fatal(err)
	}
	j.file = bad
	if err := j.begin(NewID(time.Now()), "test.ping", soon, false); err == nil {
		t.Error("a job begins that cannot be written")
	}
	j.flush()
	bad.Close()
	j.file = good
	if retTest(t, j, jid) != "late" {
		t.Error("the return is lost")
	}
	next := beginTest(t, j, soon)
	j.close()
	j, under := openTest(t, dir)
	if retTest(t, j, jid) != "late" || len(under) != 1 || under[0].jid != next {
		t.Errorf("opened again: %q, under way %+v", retTest(t, j, jid), under)
	}
}
