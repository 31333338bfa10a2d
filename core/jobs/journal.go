package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// Limits of what a peel keeps of its jobs.
const (
	// keepAfterExpiry is longer than the masters' clock may be turned back by whoever runs NATS, and be
	// wrong besides: no clock that a peel goes by must let an old command run again.
	keepAfterExpiry = clockTrust + 15*time.Minute
	keepUnsent      = 7 * 24 * time.Hour // as long as the stream keeps returns
	keepSent        = time.Hour          // a return the server lost is sent again
	maxSentBytes    = 4 << 20
	maxJobs         = 100_000
	maxUnsent       = 10_000
	maxUnsentBytes  = 64 << 20
	maxLate         = 256 << 10 // of records that have not been written yet
	compactFrom     = 1 << 20
	compactMust     = 32 << 20 // between two looks at it
)

var (
	errJournalFull   = errors.New("the journal is full")
	errJournalClosed = errors.New("the journal is closed")
)

type jobState uint8

const (
	stateUnknown jobState = iota
	stateBegun            // running, or waiting to
	stateEnded            // the return is not in the stream yet
	stateSent             // the return is in the stream
)

// journal is a peel's memory of its jobs: which have begun, so that none runs twice, and the
// returns that the stream does not have yet. It is a file of appended records with an index in
// memory; a record that was written survives the death of the process, a synced one that of the
// machine, and a late one is written with the next that is not. Safe for concurrent use.
type journal struct {
	path string
	log  *slog.Logger
	lock *os.File

	mu          sync.Mutex
	file        *os.File // nil once closed
	size        int64
	must        int64  // the size at which it is tidied at once
	late        []byte // records that follow the file's in the index, but are not in it yet
	jobs        map[string]*journalJob
	unsent      int
	unsentBytes int64
	unasked     int // of unsent, those that the stream should have
}

type journalJob struct {
	state    jobState
	function string
	expires  int64
	at       time.Time // of the last record
	offset   int64     // of the frame that holds the return, in the file and then late
	length   int       // of that frame; 0: no return is kept
	memory   []byte    // the return, where the disk would not take it
	unasked  bool      // the stream was not asked yet whether it has the return
}

// begun is a job that had begun when the peel died.
type begun struct {
	jid, function string
	at            time.Time
}

// openJournal opens or creates the journal in dir and reports the jobs that were under way when
// it was last closed, or not closed.
func openJournal(dir string, log *slog.Logger) (*journal, []begun, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("job journal: %w", err)
	}
	lock, err := config.Lock(filepath.Join(dir, "lock"))
	if errors.Is(err, config.ErrLocked) {
		return nil, nil, fmt.Errorf("job journal: %s is in use by another peel process: stop that one, or use another --state-dir", dir)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("job journal: %w", err)
	}
	j := &journal{path: filepath.Join(dir, "journal"), log: log, lock: lock, must: compactMust, jobs: map[string]*journalJob{}}
	damaged, err := j.load()
	if err == nil {
		j.prune(time.Now())
		if damaged > 0 {
			log.Warn("the job journal was damaged or cut off by a crash: what can be read is kept", "file", j.path, "bytes_lost", damaged)
			err = j.compact()
		}
	}
	if err != nil {
		j.close()
		return nil, nil, fmt.Errorf("job journal: %w", err)
	}
	return j, j.underWay(), nil
}

func (j *journal) load() (damaged int, err error) {
	if j.file, err = os.OpenFile(j.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return 0, err
	}
	data, err := io.ReadAll(j.file)
	if err != nil {
		return 0, err
	}
	j.size = int64(len(data))
	return scanFrames(data, func(r journalRecord, offset, size int) { j.apply(r, int64(offset), size) }), nil
}

// apply brings the index up to date with a record at its place in the file.
func (j *journal) apply(r journalRecord, offset int64, size int) {
	e := j.jobs[r.JID]
	if e == nil {
		e = &journalJob{}
		j.jobs[r.JID] = e
	}
	switch r.Kind {
	case recordBegin:
		e.state, e.function, e.expires = max(e.state, stateBegun), r.Function, r.Expires
	case recordEnd:
		if e.state < stateEnded {
			e.state = stateEnded
			j.unsent++
			j.unsentBytes += int64(size)
		}
		e.offset, e.length = offset, size
	case recordSent:
		if e.state == stateEnded {
			j.unsent--
			j.unsentBytes -= int64(e.length)
		}
		e.state = stateSent
	}
	e.at = r.at()
}

func (j *journal) underWay() []begun {
	var list []begun
	for jid, e := range j.jobs {
		if e.state == stateBegun {
			list = append(list, begun{jid, e.function, e.at})
		}
	}
	slices.SortFunc(list, func(a, b begun) int { return cmp.Compare(a.jid, b.jid) })
	return list
}

// state says what is known of a job.
func (j *journal) state(jid string) jobState {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.jobs[jid]; e != nil {
		return e.state
	}
	return stateUnknown
}

// begin records that a job is about to start; with durable it returns when that would survive
// a power cut. On an error nothing is recorded and the job must not start.
func (j *journal) begin(jid, function string, expires time.Time, durable bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.jobs) >= maxJobs {
		if j.prune(time.Now()); len(j.jobs) >= maxJobs {
			return fmt.Errorf("%w: %d jobs whose commands have not expired", errJournalFull, len(j.jobs))
		}
	}
	r := journalRecord{Kind: recordBegin, JID: jid, Function: function, Expires: expires.Unix(), At: time.Now().UnixNano()}
	if durable {
		return j.append(r, synced)
	}
	return j.append(r, written)
}

// end records a job's return, for sending until sent is called. It cannot fail: a return that
// the disk will not take is kept in memory. A late one is lost with the process, which says of
// the job that it was interrupted then, and the stream, if it has the return, keeps that.
func (j *journal) end(jid string, ret []byte, w writing) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.jobs[jid]
	if e == nil || e.state != stateBegun {
		return
	}
	err := j.append(journalRecord{Kind: recordEnd, JID: jid, At: time.Now().UnixNano(), Return: ret}, w)
	if err != nil {
		j.log.Error("a return cannot be written to the job journal: it is kept in memory until it is sent", "job", jid, "error", err)
		e.state, e.memory, e.at, e.length = stateEnded, ret, time.Now(), len(ret)
		j.unsent++
		j.unsentBytes += int64(e.length)
	}
	if j.size >= j.must {
		j.tidyLocked(time.Now())
		j.must = max(compactMust, 2*j.size)
	}
}

// endUnasked is end of a return that is on its way, and that the stream will be asked for later.
func (j *journal) endUnasked(jid string, ret []byte) {
	j.end(jid, ret, unwritten)
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.jobs[jid]; e != nil && e.state == stateEnded {
		e.unasked = true
		j.unasked++
	}
}

// overdue says that the stream does not seem to have a return.
func (j *journal) overdue(jid string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.jobs[jid]; e != nil {
		j.asked(e)
	}
}

func (j *journal) asked(e *journalJob) {
	if e.unasked {
		e.unasked = false
		j.unasked--
	}
}

// room says whether a return of this size may be kept for sending.
func (j *journal) room(size int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.unsentBytes+int64(size) > maxUnsentBytes {
		return fmt.Errorf("%d returns with %d bytes wait to be sent", j.unsent, j.unsentBytes)
	}
	return nil
}

// sent records that the stream has a job's return, late: sending it once more after a restart
// does no harm.
func (j *journal) sent(jid string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.jobs[jid]
	if e == nil || e.state != stateEnded {
		return
	}
	j.asked(e)
	r := journalRecord{Kind: recordSent, JID: jid, At: time.Now().UnixNano()}
	if e.memory != nil {
		j.unsent--
		j.unsentBytes -= int64(e.length)
		e.state, e.memory, e.length = stateSent, nil, 0
		// The disk may still say that the job is under way: tell it, if it listens again.
		j.append(r, written)
		return
	}
	if err := j.append(r, unwritten); err != nil {
		j.apply(r, 0, 0)
	}
}

// ret reads the return of a job that has ended; nil if it is not kept any more.
func (j *journal) ret(jid string) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.jobs[jid]
	switch {
	case e == nil || e.length == 0:
		return nil, nil
	case e.memory != nil:
		return e.memory, nil
	}
	return j.read(jid, e)
}

// read reads the return that a record holds.
func (j *journal) read(jid string, e *journalJob) ([]byte, error) {
	if j.file == nil {
		return nil, errJournalClosed
	}
	b := make([]byte, e.length)
	if e.offset >= j.size {
		copy(b, j.late[e.offset-j.size:])
	} else if _, err := j.file.ReadAt(b, e.offset); err != nil {
		return nil, fmt.Errorf("job journal: %w", err)
	}
	r, _, ok := readFrame(b)
	if !ok || r.JID != jid {
		return nil, fmt.Errorf("job journal: %s: the return of job %s is damaged on disk", j.path, jid)
	}
	return r.Return, nil
}

// unsentReturn says whether a job's return is not in the stream yet.
func (j *journal) unsentReturn(jid string) bool { return j.state(jid) == stateEnded }

// outbox lists the jobs whose returns the stream does not have yet, oldest first.
func (j *journal) outbox() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []string
	if j.unsent == 0 {
		return nil
	}
	for jid, e := range j.jobs {
		if e.state == stateEnded {
			list = append(list, jid)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return j.jobs[a].at.Compare(j.jobs[b].at) })
	return list
}

// depth is how many returns wait to be sent, waiting how many the stream is not known to have.
func (j *journal) depth() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unsent - j.unasked
}

func (j *journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unsent
}

// writing is what a record has survived when append returns.
type writing int

const (
	unwritten writing = iota // nothing
	written                  // the end of the process
	synced                   // that of the machine
)

func (j *journal) append(r journalRecord, w writing) error {
	if j.file == nil {
		return errJournalClosed
	}
	before := len(j.late)
	b := appendFrame(j.late, r)
	j.late = b
	at, size := j.size+int64(before), len(b)-before
	if w != unwritten || len(b) > maxLate {
		if err := j.write(w); err != nil {
			j.late = b[:before]
			return err
		}
	}
	j.apply(r, at, size)
	return nil
}

// write writes what is late.
func (j *journal) write(w writing) error {
	if j.file == nil || len(j.late) == 0 {
		return nil
	}
	_, err := j.file.WriteAt(j.late, j.size)
	if err == nil && w == synced {
		err = j.file.Sync()
	}
	if err != nil {
		// Cut off what was written in part; where even that fails the next open skips it.
		return errors.Join(fmt.Errorf("job journal: %w", err), j.file.Truncate(j.size))
	}
	j.size += int64(len(j.late))
	if j.late = j.late[:0]; cap(j.late) > 64<<10 {
		j.late = nil
	}
	return nil
}

// flush writes what is late; what the disk does not take is tried again with the next record.
func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(written); err != nil {
		j.log.Warn("returns of jobs cannot be written to the journal yet", "error", err)
	}
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.write(written)
		j.file.Sync() // best effort: what needed to be safe has been synced before
		j.file.Close()
		j.file = nil
	}
	j.lock.Close()
}
