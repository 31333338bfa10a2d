package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Kept is a command that an earlier process of the peel has started.
type Kept struct {
	Function, Operator string
	// Deadline is the end of its job's time; zero if it has none.
	Deadline time.Time
	// Ended is true if there is nothing to wait for.
	Ended bool
	// Shown says that its job was to show what it prints.
	Shown bool

	wait *keptWait
}

// Resume finds the command of a job that had begun when the peel stopped. ok is false if there is none, or if it was not
// started; then it never will be.
func (k *Keeper) Resume(job string) (kept *Kept, ok bool) {
	w := &keptWait{keeper: k, dir: filepath.Join(k.Dir, job)}
	from := keptTaken
	refused := w.refuse()
	if refused {
		from = keptRefuse
	}
	var err error
	if w.spec, err = readKept(filepath.Join(w.dir, from)); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			k.Log.Error("what was kept of a command cannot be read", "job", job, "error", err)
		}
		return nil, false
	}
	if refused {
		w.spec.Verdict.clean()
		return nil, false
	}
	k.mu.Lock()
	k.old = slices.DeleteFunc(k.old, func(name string) bool { return name == job })
	k.mu.Unlock()
	w.pid, _ = w.pids()
	if data, err := os.ReadFile(filepath.Join(w.dir, keptSeen)); err == nil {
		_, _ = fmt.Sscan(string(data), &w.seen[0], &w.seen[1])
	}
	return &Kept{Function: w.spec.Function, Operator: w.spec.Operator, Deadline: w.spec.Deadline, Shown: w.spec.Shown, Ended: !w.alive(), wait: w}, true
}

// alive says whether the supervisor lives: it holds a lock as long as it does.
func (w *keptWait) alive() bool {
	file, err := os.Open(filepath.Join(w.dir, keptLock))
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// Wait waits for the command and returns what its function would have; ErrLeft and ErrLost are among the errors. show,
// which may be nil, is given what it prints.
func (r *Kept) Wait(ctx context.Context, show func(stderr bool, text []byte)) (any, error) {
	r.wait.show = show
	out, err := r.wait.wait(ctx)
	if errors.Is(err, ErrLeft) {
		return nil, err
	}
	r.wait.spec.Verdict.clean()
	return r.wait.spec.Verdict.judge(out, err)
}

// clean removes the file that the command was in.
func (v *verdict) clean() {
	if v.Temp != "" {
		_ = os.Remove(v.Temp)
	}
}
