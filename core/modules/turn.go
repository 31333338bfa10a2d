package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// StateRun is a state run as its mark below the state directory describes it.
type StateRun struct {
	Function string    `json:"function"`
	SLS      []string  `json:"sls,omitempty"`
	Job      string    `json:"job,omitempty"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
}

func (r StateRun) String() string {
	text := r.Function
	if len(r.SLS) > 0 {
		text += " " + strings.Join(r.SLS, ",")
	}
	if r.Job != "" {
		text += " of job " + r.Job
	}
	return fmt.Sprintf("%s (process %d, since %s)", text, r.PID, r.Started.Local().Format(time.DateTime))
}

type (
	jobKey  struct{}
	turnKey struct{}
)

// WithJob names the job that a call belongs to, for the marks of state runs.
func WithJob(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, jobKey{}, id)
}

// turnDelay is how often a waiting run looks whether it is its turn.
const turnDelay = 50 * time.Millisecond

// turn is the right of one state run of this host to change it. Whoever wants it leaves a file in the directory of
// runs and holds a lock on it, so that a file without a lock is that of a process that is gone. The names are in the
// order of arrival.
type turn struct {
	dir, name string
	file      *os.File
	left      atomic.Bool // a command goes on without this process, and holds the lock till it ends
}

// turnOf is the turn of the run that ctx is of; nil if it has none.
func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}

// takeTurn waits until every run that came earlier is over. With queue false it does not wait.
func takeTurn(ctx context.Context, env *Env, run StateRun, queue bool) (*turn, error) {
	if env.StateDir == "" {
		return &turn{}, nil
	}
	if ctx.Value(turnKey{}) != nil {
		return nil, errors.New("a state run cannot start another: use include, or require")
	}
	t := &turn{dir: filepath.Join(env.StateDir, "runs")}
	err := t.join()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		// Whoever may not write there cannot hold up those who may; their runs are their own.
		if env.Log != nil {
			env.Log.Warn("state runs of others are not waited for", "state_dir", env.StateDir, "error", err)
		}
		return &turn{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state run: %w", err)
	}
	for {
		ahead, err := t.ahead(env)
		if err != nil {
			t.end()
			return nil, fmt.Errorf("state run: %w", err)
		}
		if ahead == "" {
			break
		}
		if !queue {
			t.end()
			return nil, fmt.Errorf("another state run is going on: %s: wait for it, or leave out queue=False", ahead)
		}
		select {
		case <-ctx.Done():
			t.end()
			return nil, context.Cause(ctx)
		case <-time.After(turnDelay):
		}
	}
	run.PID, run.Started = os.Getpid(), time.Now()
	run.Job, _ = ctx.Value(jobKey{}).(string)
	data, err := json.Marshal(run)
	if err == nil {
		_, err = t.file.Write(data)
	}
	if err != nil {
		t.end()
		return nil, fmt.Errorf("state run: %w", err)
	}
	return t, nil
}

// join leaves the file, locked before it can be seen.
func (t *turn) join() error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(t.dir, ".new-*")
	if err != nil {
		return err
	}
	t.file = file
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.end()
		return err
	}
	// Arrival is numbered under a lock: names never go back, whatever the clock does.
	door, err := os.OpenFile(filepath.Join(t.dir, ".door"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.end()
		return err
	}
	defer door.Close()
	if err := syscall.Flock(int(door.Fd()), syscall.LOCK_EX); err != nil {
		t.end()
		return err
	}
	names, err := waiting(t.dir)
	if err != nil {
		t.end()
		return err
	}
	number := 1
	if len(names) > 0 {
		_, _ = fmt.Sscanf(names[len(names)-1], "%d", &number)
		number++
	}
	t.name = fmt.Sprintf("%012d", number)
	if err := os.Rename(file.Name(), filepath.Join(t.dir, t.name)); err != nil {
		t.name = ""
		t.end()
		return err
	}
	return nil
}

// waiting lists the files of those who run or wait, in order.
func waiting(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// ahead describes the first run that came earlier and is not over, "" if there is none.
func (t *turn) ahead(env *Env) (string, error) {
	names, err := waiting(t.dir)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if name >= t.name {
			break
		}
		run, alive, err := inspect(filepath.Join(t.dir, name))
		switch {
		case err != nil:
			return "", err
		case alive && run != nil:
			return run.String(), nil
		case alive:
			return "one that waits as well", nil
		case run != nil && env.Log != nil:
			env.Log.Warn("a state run was interrupted", "run", run.String())
		}
	}
	return "", nil
}

// inspect reads the file of a run. That of a process that is gone is removed. run is nil if it had not begun.
func inspect(path string) (run *StateRun, alive bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	alive = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
	var mark StateRun
	if json.NewDecoder(file).Decode(&mark) == nil {
		run = &mark
	}
	if !alive {
		err = os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			// It ended by itself between the two looks.
			return nil, false, nil
		}
	}
	return run, alive, err
}

// end gives the turn to the next.
func (t *turn) end() {
	if t.file == nil {
		return
	}
	if t.left.Load() {
		_ = t.file.Close()
		return
	}
	path := t.file.Name()
	if t.name != "" {
		path = filepath.Join(t.dir, t.name)
	}
	_ = os.Remove(path)
	_ = t.file.Close()
}

// Interrupted returns the state runs that ended with their process, not by themselves, and forgets them: for a peel to
// report when it starts.
func Interrupted(stateDir string) ([]StateRun, error) {
	dir := filepath.Join(stateDir, "runs")
	names, err := waiting(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []StateRun
	for _, name := range names {
		run, alive, err := inspect(filepath.Join(dir, name))
		if err != nil {
			return runs, err
		}
		if !alive && run != nil {
			runs = append(runs, *run)
		}
	}
	return runs, err
}
