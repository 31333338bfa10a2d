package modules

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// background starts a command that nobody waits for, in a session of its own. Under systemd it is in a scope of its own
// too, and so does not end with the peel's unit.
func (env *Env) background(c command) (pid int, err error) {
	p, err := env.prepare(c)
	if err != nil {
		return 0, err
	}
	argv := p.Args
	if c.runas == "" && c.group == "" { // a scope is for root to make
		argv = append(scopeWords(fmt.Sprintf("zester-background-%d-", os.Getpid())+randomWord()), argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.Credential}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("command %q: %w", c.line, err)
	}
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie
	return cmd.Process.Pid, nil
}
