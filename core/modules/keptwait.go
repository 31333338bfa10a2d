package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// keptPoll is how often a command is looked at whose supervisor is no child of this process, and how often output
	// that is to be shown is looked for.
	keptPoll = 50 * time.Millisecond
	// superviseDelay is what a supervisor has to end its command and say so before both are killed.
	superviseDelay = killDelay + 3*time.Second
)

// keptWait is a kept command that this process waits for.
type keptWait struct {
	keeper *Keeper
	dir    string
	spec   *keptCommand
	pid    int             // of the supervisor
	ended  <-chan struct{} // closed when it is gone; nil if it is no child of this process
	show   func(stderr bool, text []byte)
	seen   [2]int64 // how much of each stream has been shown
}

// wait waits for the command, or for ctx to end it. If the peel stops it leaves it to itself, with ErrLeft.
func (w *keptWait) wait(ctx context.Context) (output, error) {
	var look, force <-chan time.Time
	if w.show != nil || w.ended == nil {
		t := time.NewTicker(keptPoll)
		defer t.Stop()
		look = t.C
	}
	if w.ended == nil && !w.alive() {
		return w.outcome(ctx)
	}
	done := ctx.Done()
	for {
		select {
		case <-w.ended:
			return w.outcome(ctx)
		case <-look:
			if w.ended == nil && !w.alive() {
				return w.outcome(ctx)
			}
			w.showNew()
		case <-done:
			if w.keeper.Leaves(context.Cause(ctx)) {
				w.showNew()
				w.noteSeen()
				return output{}, ErrLeft
			}
			done = nil
			_ = syscall.Kill(w.pid, syscall.SIGTERM)
			t := time.NewTimer(superviseDelay)
			defer t.Stop()
			force = t.C
		case <-force:
			if _, group := w.pids(); group > 0 {
				_ = syscall.Kill(-group, syscall.SIGKILL)
			}
			_ = syscall.Kill(w.pid, syscall.SIGKILL)
		}
	}
}

// pids are the supervisor and the command, which leads its process group; 0 where they are not known.
func (w *keptWait) pids() (supervisor, group int) {
	data, _ := os.ReadFile(filepath.Join(w.dir, keptLock))
	words := strings.Fields(string(data))
	if len(words) > 0 {
		supervisor, _ = strconv.Atoi(words[0])
	}
	if len(words) > 1 {
		group, _ = strconv.Atoi(words[1])
	}
	return supervisor, group
}

// outcome reads what the supervisor has left.
func (w *keptWait) outcome(ctx context.Context) (output, error) {
	w.showNew()
	if ctx.Err() != nil && w.refuse() {
		return output{}, w.spec.Process.ended(context.Cause(ctx))
	}
	if err := w.untaken(); err != nil {
		return output{}, err
	}
	var end keptOutcome
	data, err := os.ReadFile(filepath.Join(w.dir, keptStatus))
	lost := errors.Is(err, fs.ErrNotExist)
	if err == nil {
		err = json.Unmarshal(data, &end)
	}
	if err != nil && !lost {
		return output{}, w.spec.Process.failed(fmt.Errorf("how it ended cannot be read: %w", err))
	}
	out := output{pid: end.PID, code: end.Code, timedOut: end.TimedOut, dropped: end.Dropped, full: end.Full}
	if lost {
		_, out.pid = w.pids()
	}
	var texts [2]string
	for i := range texts {
		if texts[i], err = w.printed(i); err != nil {
			return out, w.spec.Process.failed(fmt.Errorf("what it printed cannot be read: %w", err))
		}
	}
	out.take(texts[0], texts[1], w.spec.Verdict.Raw)
	switch {
	case lost && ctx.Err() != nil, end.Ended == endedSignal && ctx.Err() != nil:
		return out, w.spec.Process.ended(context.Cause(ctx))
	case lost:
		return out, w.spec.Process.failed(ErrLost)
	case end.Error != "":
		return out, errors.New(end.Error)
	case end.Ended == endedDeadline:
		return out, w.spec.Process.ended(errJobTime)
	case end.Ended == endedSignal:
		return out, w.spec.Process.ended(errors.New("its supervisor was told to end it, by somebody else than the peel"))
	}
	return out, nil
}

// printed is what a stream has; nothing where it was never opened.
func (w *keptWait) printed(i int) (string, error) {
	file, err := os.Open(filepath.Join(w.dir, keptStreams[i]))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, _, err := readText(file, maxOutput)
	return text, err
}

// showNew shows what the command has printed since the last look.
func (w *keptWait) showNew() {
	if w.show == nil {
		return
	}
	for i, name := range keptStreams {
		file, err := os.Open(filepath.Join(w.dir, name))
		if err != nil {
			continue // nothing was printed yet
		}
		text := make([]byte, 32<<10)
		for {
			n, err := file.ReadAt(text, w.seen[i])
			if n > 0 {
				w.show(i == 1, text[:n])
				w.seen[i] += int64(n)
			}
			if err != nil || n == 0 {
				if err != nil && !errors.Is(err, io.EOF) {
					w.show = nil
				}
				break
			}
		}
		file.Close()
		if w.show == nil {
			return
		}
	}
}

// noteSeen tells the next process how much of the output has been shown.
func (w *keptWait) noteSeen() {
	if w.show != nil {
		_ = os.WriteFile(filepath.Join(w.dir, keptSeen), fmt.Appendf(nil, "%d %d", w.seen[0], w.seen[1]), 0o600)
	}
}
