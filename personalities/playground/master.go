package playground

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startMaster starts the master's process and returns when it answers. It dies with this one.
func (f *fleet) startMaster() error {
	cmd := exec.Command(f.self, "master", "--config", f.path("master.yaml"))
	cmd.Env = f.plainEnvironment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	said := &tail{to: f.session.stdio.Err}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait() // how it ended is in its state, and in what it printed
		close(done)
	}()
	f.mu.Lock()
	f.master, f.done = cmd, done
	f.mu.Unlock()
	return f.waitMaster(done, said)
}

// startTimeout is how long the master may take to be ready; it takes a fraction of a second, but on a busy machine.
const startTimeout = 2 * time.Minute

func (f *fleet) waitMaster(done chan struct{}, said *tail) error {
	deadline := time.After(startTimeout)
	for {
		if out, err := f.client(f.ctx, "enroll", "list"); err == nil || !strings.Contains(out, "no master") {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("the master does not start: %s", said.last())
		case <-deadline:
			return fmt.Errorf("the master is not ready after %s: %s", startTimeout, said.last())
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// restartPause keeps a master that cannot run from taking the machine.
const restartPause = time.Second

// keepMaster starts the master again whenever it ends by itself, as a supervisor would, until the fleet is taken down.
func (f *fleet) keepMaster() {
	for {
		f.mu.Lock()
		master, done := f.master, f.done
		f.mu.Unlock()
		select {
		case <-done:
		case <-f.ctx.Done():
			return
		}
		f.log.Warn("the master has ended: it is started again", "pid", master.Process.Pid, "how", master.ProcessState.String())
		select {
		case <-time.After(restartPause):
		case <-f.ctx.Done():
			return
		}
		if err := f.startMaster(); err != nil && f.ctx.Err() == nil {
			f.log.Error("the fleet has no master", "error", err)
		}
	}
}

// killMaster ends the master as a power cut would.
func (f *fleet) killMaster() {
	f.mu.Lock()
	master, done := f.master, f.done
	f.mu.Unlock()
	if master == nil {
		return
	}
	master.Process.Kill() // it may be gone already
	<-done
}

// stopMaster lets the master give its duties back, so that the next one need not wait for them.
func (f *fleet) stopMaster() {
	f.mu.Lock()
	master, done := f.master, f.done
	f.mu.Unlock()
	if master == nil {
		return
	}
	master.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		f.killMaster()
	}
}

// tail passes on what a program prints and keeps its last line, for errors.
type tail struct {
	to   io.Writer
	mu   sync.Mutex
	line string
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if lines := strings.Split(strings.TrimSpace(string(p)), "\n"); lines[len(lines)-1] != "" {
		t.line = lines[len(lines)-1]
	}
	return t.to.Write(p)
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.line
}
