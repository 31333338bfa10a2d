package modules

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What is in the directory of a kept command. The order in which its files come and go says how far it came, whoever
// dies when:
//
//	spec    what to run. Whoever takes it away, to taken or refused, decides: the supervisor that it runs, the peel that
//	        it never will.
//	lock    the supervisor's pid, and the command's once it runs; locked as long as the supervisor lives
//	stdout, stderr
//	status  how it ended
const (
	keptSpec   = "spec"
	keptTaken  = "taken"
	keptRefuse = "refused"
	keptLock   = "lock"
	keptStatus = "status"
	keptSeen   = "seen" // how much of the output was shown
	keptLog    = "log"  // of the supervisor and of systemd-run
)

var keptStreams = [2]string{"stdout", "stderr"}

// keptCommand is a command with all that is to be known of it in another life of the peel.
type keptCommand struct {
	Job      string        `json:"job"`
	Operator string        `json:"operator"`
	Function string        `json:"function"`
	Process  *process      `json:"process"`
	Verdict  *verdict      `json:"verdict"`
	Timeout  time.Duration `json:"timeout"`
	Deadline time.Time     `json:"deadline"` // of the job; zero for none
	Shown    bool          `json:"shown"`
}

// keptOutcome is how a kept command ended.
type keptOutcome struct {
	Error    string   `json:"error,omitempty"` // it could not be started
	PID      int      `json:"pid"`
	Code     int      `json:"code"`
	TimedOut bool     `json:"timed_out,omitempty"`
	Ended    string   `json:"ended,omitempty"` // why the supervisor ended it: endedSignal or endedDeadline
	Dropped  [2]int64 `json:"dropped"`
	Full     string   `json:"full,omitempty"` // why the disk did not take it
}

const (
	endedSignal   = "signal"
	endedDeadline = "deadline"
	// deadlineGrace is what a supervisor leaves to the peel, which ends a command at the end of its job's time.
	deadlineGrace = 3 * time.Second
)

var (
	errJobTime     = errors.New("the job's time is up")
	errCommandTime = errors.New("the command's time is up") // what process.run ends a command with
)

// Supervise runs the command that a peel has left in dir and leaves there how it ended, until ctx ends it. It is what
// Keeper.Supervisor starts; it does not need the peel.
func Supervise(ctx context.Context, dir string) error {
	spec, err := readKept(filepath.Join(dir, keptSpec))
	if _, gone := os.Stat(dir); gone == nil && errors.Is(err, fs.ErrNotExist) {
		return nil // another has taken it
	}
	if err != nil {
		return err
	}
	// Before anything starts: a disk that is full does not take the end of a command.
	var files [3]*os.File
	for i, name := range []string{keptStreams[0], keptStreams[1], keptStatus + ".new"} {
		if files[i], err = reserve(filepath.Join(dir, name), keptRoom[i]); err != nil {
			return err
		}
		defer files[i].Close()
	}
	lock, err := takeCommand(dir)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	data, err := json.Marshal(spec.supervise(ctx, files[0], files[1], lock))
	if err == nil {
		_, err = files[2].Write(data)
	}
	if err != nil {
		return err
	}
	return os.Rename(files[2].Name(), filepath.Join(dir, keptStatus))
}

// keptRoom is the room on the disk that is made sure of for stdout, stderr and status.
var keptRoom = [3]int64{64 << 10, 16 << 10, 4 << 10}

// reserve opens a file to append to, with room for so many bytes where the file system can promise it.
func reserve(path string, room int64) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, room)
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return file, nil
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
}

// takeCommand takes the command, which only one process can. There is no lock if another was first.
func takeCommand(dir string) (*os.File, error) {
	lock, err := os.CreateTemp(dir, ".lock-*")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = fmt.Fprintf(lock, "%d\n", os.Getpid())
	}
	if err == nil {
		err = os.Rename(lock.Name(), filepath.Join(dir, keptLock))
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, keptSpec), filepath.Join(dir, keptTaken))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lock.Close()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func (spec *keptCommand) supervise(ctx context.Context, stdout, stderr, lock *os.File) keptOutcome {
	if !spec.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, spec.Deadline.Add(deadlineGrace), errJobTime)
		defer cancel()
	}
	streams := newCapped(stdout, stderr)
	out, err := spec.Process.run(ctx, spec.Timeout, &streams[0], &streams[1], func(pid int) { fmt.Fprintf(lock, "%d\n", pid) })
	outcome := keptOutcome{PID: out.pid, Code: out.code, TimedOut: out.timedOut, Dropped: [2]int64{streams[0].dropped, streams[1].dropped}}
	if err := cmp.Or(streams[0].failure, streams[1].failure); err != nil {
		outcome.Full = err.Error()
	}
	switch {
	case out.pid == 0 && err != nil:
		outcome.Error = err.Error()
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errJobTime):
		outcome.Ended = endedDeadline
	case ctx.Err() != nil:
		outcome.Ended = endedSignal
	case err != nil:
		outcome.Error = err.Error()
	}
	return outcome
}

func readKept(path string) (*keptCommand, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var spec keptCommand
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if spec.Process == nil || len(spec.Process.Args) == 0 || spec.Verdict == nil {
		return nil, fmt.Errorf("%s: there is no command in it", path)
	}
	return &spec, nil
}

// replaceFile writes a file that is there whole or not at all. It need not outlast a power cut: nor does the command.
func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
