package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxOutput bounds what is kept of each of a command's streams.
	maxOutput = 16 << 20
	// killDelay is what a process group has between being asked and being made to end.
	killDelay = time.Second
	// strayDelay is how long the output of processes that outlive their command is waited for.
	strayDelay = 2 * time.Second
)

// command is one command to run.
type command struct {
	line string
	// direct splits line into words and runs it without a shell.
	direct                   bool
	shell, cwd, runas, umask string
	env                      map[string]any
	clean                    bool // start from an empty environment
	path                     string
	stdin                    string
	timeout                  time.Duration
	merge                    bool // stderr into stdout
}

// output of a command that was started.
type output struct {
	pid, code      int
	stdout, stderr string
	timedOut       bool
}

// exec runs a command in a process group of its own and waits for it. The error says that it could not be started or
// that ctx ended it; a command that ran into its timeout is an output with timedOut and code 124.
func (env *Env) exec(ctx context.Context, c command) (output, error) {
	run, cancel := ctx, context.CancelFunc(func() {})
	if c.timeout > 0 {
		run, cancel = context.WithTimeout(ctx, c.timeout)
	}
	defer cancel()
	cmd, err := env.prepare(run, c)
	if err != nil {
		return output{}, err
	}
	var stdout, stderr capped
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.merge {
		cmd.Stderr = &stdout
	}
	var force *time.Timer
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		force = time.AfterFunc(killDelay, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	if err := cmd.Start(); err != nil {
		return output{}, fmt.Errorf("command %q: %w", c.line, err)
	}
	out := output{pid: cmd.Process.Pid}
	err = cmd.Wait()
	if force != nil && force.Stop() {
		// The leader is gone before its time; whatever is left of its group goes too.
		_ = syscall.Kill(-out.pid, syscall.SIGKILL)
	}
	out.stdout, out.stderr = stdout.text(), stderr.text()
	out.code = cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		out.code = 128 + int(status.Signal())
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("command %q: %w", c.line, context.Cause(ctx))
	}
	if run.Err() != nil {
		out.timedOut, out.code = true, 124
		return out, nil
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return out, fmt.Errorf("command %q: %w", c.line, err)
	}
	return out, nil
}

func (env *Env) prepare(ctx context.Context, c command) (*exec.Cmd, error) {
	argv, err := c.argv()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if cmd.Dir = c.cwd; c.cwd != "" {
		if _, err := os.Stat(c.cwd); err != nil {
			return nil, fmt.Errorf("cwd: %w", err)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = strayDelay
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	if !c.clean {
		if cmd.Env = slices.Clone(env.Environ); cmd.Env == nil {
			cmd.Env = os.Environ()
		}
	} else {
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	if c.path != "" {
		cmd.Env = append(cmd.Env, "PATH="+c.path+":"+lookupEnv(cmd.Env, "PATH"))
	}
	if c.runas != "" {
		if err := become(cmd, c.runas); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.env)) {
		value := c.env[key]
		if value == nil || value == false {
			cmd.Env = slices.DeleteFunc(cmd.Env, func(e string) bool { return strings.HasPrefix(e, key+"=") })
			continue
		}
		cmd.Env = append(cmd.Env, key+"="+fmt.Sprint(value))
	}
	return cmd, nil
}

// argv is the words to execute. A process cannot be given a umask from outside, so a shell sets it and is replaced.
func (c command) argv() ([]string, error) {
	var argv []string
	if c.direct {
		words, err := splitWords(c.line)
		if err != nil {
			return nil, fmt.Errorf("command %q: %w", c.line, err)
		}
		argv = words
	} else {
		shell := c.shell
		if shell == "" {
			shell = "/bin/sh"
		}
		argv = []string{shell, "-c", c.line}
	}
	if len(argv) == 0 || strings.TrimSpace(c.line) == "" {
		return nil, errors.New("the command is empty")
	}
	if c.umask != "" {
		if _, err := strconv.ParseUint(c.umask, 8, 12); err != nil {
			return nil, fmt.Errorf("umask %q is not an octal number such as 027", c.umask)
		}
		argv = append([]string{"/bin/sh", "-c", `umask "$0" && exec "$@"`, c.umask}, argv...)
	}
	return argv, nil
}

// become makes cmd run as another user. Being that user already needs no rights.
func become(cmd *exec.Cmd, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("runas %q: %w", name, err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	cmd.Env = append(cmd.Env, "HOME="+u.HomeDir, "USER="+name, "LOGNAME="+name)
	if int(uid) == os.Getuid() {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("runas %q: %w", name, err)
	}
	groups := make([]uint32, 0, len(ids))
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}
	return nil
}

func lookupEnv(environ []string, key string) string {
	value := ""
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, key+"="); ok {
			value = v
		}
	}
	return value
}

// splitWords splits a line as a shell would, without expanding anything.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	in, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			in, quote = true, r
		case r == ' ' || r == '\t' || r == '\n':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// capped keeps the first maxOutput bytes that are written to it.
type capped struct {
	buf     bytes.Buffer
	dropped int
}

func (c *capped) Write(p []byte) (int, error) {
	keep := min(len(p), maxOutput-c.buf.Len())
	c.buf.Write(p[:keep])
	c.dropped += len(p) - keep
	return len(p), nil
}

// text is the output without trailing white space, as Salt returns it, and as valid UTF-8.
func (c *capped) text() string {
	text := strings.TrimRight(strings.ToValidUTF8(c.buf.String(), "�"), " \t\r\n\v\f")
	if c.dropped > 0 {
		text += fmt.Sprintf("\n[%d more bytes of output were dropped]", c.dropped)
	}
	return text
}
