package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runTimeout is how long an executable of custom facts can take.
const runTimeout = 10 * time.Second

// run returns the output of an executable. When its time is up it goes with all its children.
func run(ctx context.Context, path string) ([]byte, error) {
	return runFor(ctx, path, runTimeout)
}

func runFor(ctx context.Context, path string, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out, errs limited
	out.cancel = cancel
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir = filepath.Dir(path)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // for the rest of its output, also where the machine stands still in between
	err := cmd.Run()
	switch {
	case out.over:
		return nil, fmt.Errorf("%s: more than %d bytes of output", path, MaxSize)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: killed after %s; make it faster, or write a file from a timer", path, timeout)
	case errors.Is(err, exec.ErrWaitDelay):
		// It has ended well, but what it left in the background holds the pipe.
		return nil, fmt.Errorf("%s: it left a process behind that holds its output open; redirect that process's output", path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", path, err, lastLine(errs.kept.Bytes()))
	}
	return out.kept.Bytes(), nil
}

// limited keeps no more of an output than facts can have.
type limited struct {
	kept   bytes.Buffer
	cancel func()
	over   bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.kept.Len()+len(p) <= MaxSize {
		return l.kept.Write(p)
	}
	if l.over = true; l.cancel != nil {
		l.cancel()
	}
	return len(p), nil
}

func lastLine(output []byte) string {
	text := strings.TrimSpace(string(output))
	if text == "" {
		return ""
	}
	text = text[strings.LastIndexByte(text, '\n')+1:]
	return fmt.Sprintf(": %.200s", text)
}
