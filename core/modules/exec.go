package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// killDelay is what a process group has between being asked and being made to end.
	killDelay = time.Second
	// strayDelay is how long the output of processes that outlive their command is waited for.
	strayDelay = 2 * time.Second
)

// command is one command to run.
type command struct {
	line string
	// direct splits line into words and runs it without a shell.
	direct                          bool
	shell, cwd, runas, group, umask string
	env                             map[string]any
	clean                           bool // start from an empty environment
	locale                          bool // with the messages of the C locale
	path                            string
	stdin                           string
	timeout                         time.Duration
	merge                           bool // stderr into stdout
	shown                           bool // what it prints goes to Env.Output too
	raw                             bool // white space at the end of the output stays
	// leaves has it go on where Env.Leaves says so: its run is over, but what it does to the host is not left half done.
	leaves bool
	// kept, if set, has the command outlive the peel where Env.Keep can do that; what is needed then to judge its end.
	kept *verdict
}

// exec runs a command in a process group of its own and waits for it. The error says that it could not be started or
// that ctx ended it; then the output is what it has printed so far, with the pid. A command that ran into its timeout is
// an output with timedOut and code 124.
func (env *Env) exec(ctx context.Context, c command) (output, error) {
	p, err := env.prepare(c)
	if err != nil {
		return output{}, err
	}
	if c.kept != nil && env.Keep != nil {
		if out, err, ok := env.Keep.run(ctx, env, c, p); ok {
			return out, err
		}
	}
	if c.leaves && c.timeout == 0 { // nobody would be left to end it
		p.leaves, p.turn = env.Leaves, turnOf(ctx)
	}
	var stdout, stderr strings.Builder
	streams := newCapped(&stdout, &stderr)
	show := env.Output
	if !c.shown {
		show = nil
	}
	out, err := p.run(ctx, c.timeout, tee(&streams[0], show, false), tee(&streams[1], show, true), nil)
	out.dropped = [2]int64{streams[0].dropped, streams[1].dropped}
	out.take(stdout.String(), stderr.String(), c.raw)
	if out.pid != 0 && ctx.Err() != nil && !errors.Is(err, errLeftBehind) {
		return out, p.ended(context.Cause(ctx))
	}
	return out, err
}

// process is a command ready to be started: plain data, which a supervisor can be given.
type process struct {
	Line       string              `json:"line"` // as errors name it
	Args       []string            `json:"args"`
	Dir        string              `json:"dir"`
	Env        []string            `json:"env"`
	Stdin      string              `json:"stdin"`
	Merge      bool                `json:"merge"`
	Credential *syscall.Credential `json:"credential"`

	// leaves says of the end of the context that the process goes on all the same; nil never does. turn, which may be nil, is
	// not over before it has ended then.
	leaves func(cause error) bool
	turn   *turn
}

// errLeftBehind is the error of a process that goes on while the peel stops.
var errLeftBehind = errors.New("it goes on without the peel, which stops: nobody is left to see how it ends")

func (p *process) failed(err error) error { return fmt.Errorf("command %q: %w", p.Line, err) }

// ended is the error of a process that was ended from outside.
func (p *process) ended(cause error) error {
	return fmt.Errorf("command %q was ended: %w", p.Line, cause)
}

// run runs the process in a group of its own until it ends, or its time, which begins when it has been started, or ctx; both
// end the group. What is ended for its time has timedOut and the code 124. The error is that it could not be started, with pid
// 0, or that its output could not be read.
func (p *process) run(ctx context.Context, timeout time.Duration, stdout, stderr io.Writer, started func(pid int)) (out output, err error) {
	streams, err := newStreams(stdout, stderr, p.Merge)
	if err != nil {
		return output{}, p.failed(err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.Credential}
	cmd.WaitDelay = strayDelay
	if p.Stdin != "" {
		cmd.Stdin = strings.NewReader(p.Stdin)
	}
	cmd.Stdout, cmd.Stderr = streams[0].write, streams[len(streams)-1].write
	if err = ctx.Err(); err == nil {
		err = cmd.Start()
	}
	streams.begin()
	if err != nil {
		_ = streams.end(0)
		return output{}, p.failed(err)
	}
	if timeout > 0 {
		defer time.AfterFunc(timeout, func() { stop(errCommandTime) }).Stop()
	}
	out.pid = cmd.Process.Pid
	if started != nil {
		started(out.pid)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	select {
	case err = <-waited:
	case <-ctx.Done():
		if p.leaves != nil && p.leaves(context.Cause(ctx)) && streams.leave(out.pid, p.turn) == nil {
			return out, p.failed(errLeftBehind)
		}
		out.timedOut = errors.Is(context.Cause(ctx), errCommandTime)
		_ = syscall.Kill(-out.pid, syscall.SIGTERM)
		force := time.AfterFunc(killDelay, func() { _ = syscall.Kill(-out.pid, syscall.SIGKILL) })
		err = <-waited
		if force.Stop() {
			// The leader is gone before its time; whatever is left of its group goes too.
			_ = syscall.Kill(-out.pid, syscall.SIGKILL)
		}
	}
	unread := streams.end(strayDelay)
	out.code = cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		out.code = 128 + int(status.Signal())
	}
	var exit *exec.ExitError
	switch {
	case out.timedOut:
		out.code = 124
	case ctx.Err() != nil:
	case unread != nil:
		return out, p.failed(unread)
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return out, p.failed(err)
	}
	return out, nil
}

// tee hands on what is written to w, if there is somebody to show it to.
func tee(w io.Writer, show func(stderr bool, text []byte), stderr bool) io.Writer {
	if show == nil {
		return w
	}
	return io.MultiWriter(w, showing(func(p []byte) { show(stderr, p) }))
}

type showing func([]byte)

func (s showing) Write(p []byte) (int, error) { s(p); return len(p), nil }
