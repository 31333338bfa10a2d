package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// ErrLeft is the error of a function whose command goes on without the peel: the next process of the peel learns of its
// end from Keeper.Resume.
var ErrLeft = errors.New("its command goes on without the peel")

// ErrLost is the error of a resumed command of which nobody knows how it ended: its supervisor was killed, or the host.
var ErrLost = errors.New("nobody was left to see how its command ended")

// Keeper runs the commands of jobs so that they outlive the peel, which they may restart or upgrade: each under a
// supervisor, a process that runs it, keeps what it prints and how it ends in files below Dir, and ends it when its
// time is up. Under systemd the supervisor is in a scope of its own, elsewhere in a session of its own. A command runs
// at most once, whoever dies when. It costs a process more per command. A Keeper is safe for concurrent use.
type Keeper struct {
	// Dir has a directory for each command until its job is settled. It is an absolute path.
	Dir string
	// Supervisor is the program and the first arguments of a process that calls Supervise with its last argument.
	Supervisor []string
	// Leaves says of the cause of a context that ended whether commands are to go on: the peel stops.
	Leaves func(cause error) bool
	Log    *slog.Logger

	mu   sync.Mutex
	kept map[string]bool // jobs with a directory
	old  []string        // directories of an earlier process that nobody has asked for
}

// Keeping is a Keeper for the one job it is made for.
type Keeping struct {
	keeper *Keeper
	spec   keptCommand
}

// Open finds what an earlier process has left.
func (k *Keeper) Open() error {
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return fmt.Errorf("kept commands: %w", err)
	}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		return fmt.Errorf("kept commands: %w", err)
	}
	k.kept = map[string]bool{}
	for _, e := range entries {
		k.kept[e.Name()] = true
		k.old = append(k.old, e.Name())
	}
	return nil
}

// Sweep removes what an earlier process has left of jobs that were not resumed. Call it when all have been that will.
func (k *Keeper) Sweep() {
	k.mu.Lock()
	old := k.old
	k.old = nil
	k.mu.Unlock()
	for _, job := range old {
		k.Settled(job)
	}
}

// For is the Keeper for a job. shown says whether what its command prints is to be shown while it runs.
func (k *Keeper) For(job, function, operator string, shown bool) *Keeping {
	return &Keeping{k, keptCommand{Job: job, Function: function, Operator: operator, Shown: shown}}
}

// Settled removes what is kept of a job whose return is on record.
func (k *Keeper) Settled(job string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.kept[job] {
		return
	}
	delete(k.kept, job)
	if err := os.RemoveAll(filepath.Join(k.Dir, job)); err != nil {
		k.Log.Warn("what was kept of a command stays", "job", job, "error", err)
	}
}

// run runs a command under a supervisor. ok is false if there can be none, and the command was not started.
func (k *Keeping) run(ctx context.Context, env *Env, c command, p *process) (out output, err error, ok bool) {
	spec := k.spec
	spec.Process, spec.Verdict, spec.Timeout = p, c.kept, c.timeout
	spec.Deadline, _ = ctx.Deadline()
	spec.Shown = spec.Shown && c.shown
	w := &keptWait{keeper: k.keeper, dir: filepath.Join(k.keeper.Dir, spec.Job), spec: &spec}
	if c.shown {
		w.show = env.Output
	}
	if err = k.keeper.write(w.dir, &spec); err == nil {
		ways := [][]string{nil}
		if scope := scopeWords("zester-command-" + spec.Job); scope != nil {
			ways = [][]string{scope, nil}
		}
		for _, scope := range ways {
			if err = w.launch(scope); err == nil {
				out, err = w.wait(ctx)
			}
			if !errors.Is(err, errNotTaken) {
				return out, err, true
			}
			k.keeper.Log.Warn("the supervisor of a command does not start", "job", spec.Job, "scope", scope != nil, "error", err)
		}
		k.keeper.Settled(spec.Job)
	}
	k.keeper.Log.Warn("a command cannot be kept: it ends with the peel", "job", spec.Job, "error", err)
	return output{}, nil, false
}

// write puts a command down for its supervisor.
func (k *Keeper) write(dir string, spec *keptCommand) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil { // one command for each job
		return err
	}
	k.mu.Lock()
	k.kept[spec.Job] = true
	k.mu.Unlock()
	if err = replaceFile(filepath.Join(dir, keptSpec), data); err != nil {
		k.Settled(spec.Job)
	}
	return err
}

// errNotTaken: a supervisor has ended, or was not started, and its command was not.
var errNotTaken = errors.New("it has not taken the command")

// launch starts a supervisor.
func (w *keptWait) launch(scope []string) error {
	argv := slices.Concat(scope, w.keeper.Supervisor, []string{w.dir})
	cmd := exec.Command(argv[0], argv[1:]...)
	if len(scope) == 0 {
		cmd.Args[0] = "zester"
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := os.OpenFile(filepath.Join(w.dir, keptLog), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how the command ended is in its directory
	}()
	w.ended, w.pid = ended, cmd.Process.Pid
	return nil
}

// refuse keeps supervisors from taking the command. It is false if one has.
func (w *keptWait) refuse() bool {
	return os.Rename(filepath.Join(w.dir, keptSpec), filepath.Join(w.dir, keptRefuse)) == nil
}

// untaken is the error of a supervisor that has ended and left its command where it was, for another.
func (w *keptWait) untaken() error {
	if _, err := os.Stat(filepath.Join(w.dir, keptSpec)); err != nil {
		return nil
	}
	said, _ := os.ReadFile(filepath.Join(w.dir, keptLog))
	return fmt.Errorf("%w: %s", errNotTaken, bytes.TrimSpace(said[:min(len(said), 500)]))
}
