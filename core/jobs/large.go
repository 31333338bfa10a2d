package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
)

// Limits of values that do not fit into a return's message.
const (
	partSize = 768 << 10 // below the usual max_payload of 1 MiB
	maxLarge = 64 << 20  // of one value
	maxParts = (maxLarge + partSize - 1) / partSize
	// maxLargeUnsent is how much may wait on a peel's disk.
	maxLargeUnsent = 256 << 20
)

// large keeps on disk the values that have not been sent yet, a file for each job. Safe for
// concurrent use.
type large struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	size  map[string]int // by job
	total int
}

// openLarge finds what was left by an earlier life; keep says whether a job's return is still to be sent.
func openLarge(dir string, log *slog.Logger, keep func(jid string) bool) (*large, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("large returns: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("large returns: %w", err)
	}
	l := &large{dir: dir, log: log, size: map[string]int{}}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || CheckID(f.Name()) != nil || !keep(f.Name()) {
			os.Remove(filepath.Join(dir, f.Name())) // what stays is found the next time
			continue
		}
		l.size[f.Name()] = int(info.Size())
		l.total += int(info.Size())
	}
	return l, nil
}

// put writes a value to disk and takes it out of its return, which tells of its parts instead.
func (l *large) put(ret *Return) error {
	data, err := bus.Marshal(ret.Value)
	if err != nil {
		return err
	}
	if len(data) > maxLarge {
		return fmt.Errorf("it has %d bytes and at most %d can be returned", len(data), maxLarge)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total+len(data) > maxLargeUnsent {
		return fmt.Errorf("%d large values with %d bytes wait to be sent", len(l.size), l.total)
	}
	if err := config.WriteFile(filepath.Join(l.dir, ret.JID), data, 0o600); err != nil {
		return err
	}
	l.size[ret.JID] = len(data)
	l.total += len(data)
	sum := sha256.Sum256(data)
	ret.Value, ret.Size, ret.Digest, ret.Parts = nil, len(data), sum[:], (len(data)+partSize-1)/partSize
	return nil
}

func (l *large) has(jid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.size[jid]
	return ok
}

func (l *large) remove(jid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.Remove(filepath.Join(l.dir, jid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("a large value that has been sent stays on disk", "job", jid, "error", err)
	}
	l.total -= l.size[jid]
	delete(l.size, jid)
}

// tidy removes the values of returns that are not to be sent any more.
func (l *large) tidy(keep func(jid string) bool) {
	l.mu.Lock()
	var gone []string
	for jid := range l.size {
		if !keep(jid) {
			gone = append(gone, jid)
		}
	}
	l.mu.Unlock()
	for _, jid := range gone {
		l.remove(jid)
	}
}

// send brings the parts of a value into the stream. The return is to follow when all are there.
func (l *large) send(ctx context.Context, conn *bus.Conn, jid, peel string) error {
	data, kept, err := l.read(jid)
	if err != nil {
		return &lostValue{err}
	}
	for n := 0; n*partSize < len(data); n++ {
		part := data[n*partSize : min(len(data), (n+1)*partSize)]
		err := storePart(ctx, conn, bus.Part(jid, peel, strconv.Itoa(n)), part)
		switch {
		case err == nil || errors.Is(err, bus.ErrStored): // by an attempt that did not come to its end
		case errors.Is(err, bus.ErrPermission) || errors.Is(err, bus.ErrTooLarge):
			return &lostValue{err}
		case kept > streamPatience && (errors.Is(err, bus.ErrNoResponders) || errors.Is(err, bus.ErrFull)):
			return &lostValue{err}
		default:
			return err
		}
	}
	return nil
}

// streamPatience is how long a value waits for a stream that is full or has no leader: the one
// may be an election, the other an attack that masters clear up.
const streamPatience = 2 * time.Minute

// read gives a value and how long it has been kept.
func (l *large) read(jid string) (data []byte, kept time.Duration, err error) {
	path := filepath.Join(l.dir, jid)
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	data, err = os.ReadFile(path)
	return data, time.Since(info.ModTime()), err
}

func storePart(ctx context.Context, conn *bus.Conn, subject string, part []byte) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return conn.Store(ctx, subject, part)
}

// lostValue says that a large value cannot be sent, whatever is tried.
type lostValue struct{ err error }

func (e *lostValue) Error() string { return "a value too large for one message: " + e.err.Error() }
func (e *lostValue) Unwrap() error { return e.err }

// Complete reads the value of a return that came in parts. A value that is not there or is not
// what the return said is left out, and the return says so. CORE only.
func (r *Return) Complete(ctx context.Context, conn *bus.Conn) {
	if r.Parts == 0 {
		return
	}
	value, err := r.readParts(ctx, conn)
	if err != nil {
		r.cut(fmt.Sprintf("the value is left out: %v", err))
		return
	}
	r.Value = value
}

func (r *Return) readParts(ctx context.Context, conn *bus.Conn) (any, error) {
	if r.Parts < 0 || r.Parts > maxParts || r.Size < 0 || r.Size > maxLarge { // the peel's word
		return nil, fmt.Errorf("it is said to have %d bytes in %d parts", r.Size, r.Parts)
	}
	subjects := make([]string, r.Parts)
	for i := range subjects {
		subjects[i] = bus.Part(r.JID, r.Peel, strconv.Itoa(i))
	}
	parts := make([][]byte, r.Parts)
	err := conn.StreamLast(ctx, bus.StreamReturns, subjects, func(subject string, data []byte) error {
		_, _, n, _ := bus.ParsePart(subject)
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < len(parts) {
			parts[i] = data
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	data := bytes.Join(parts, nil)
	if sum := sha256.Sum256(data); len(data) != r.Size || !bytes.Equal(sum[:], r.Digest) {
		return nil, fmt.Errorf("parts of it are missing: %d of %d bytes are there", len(data), r.Size)
	}
	var value any
	if err := bus.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	return bus.Plain(value), nil
}
