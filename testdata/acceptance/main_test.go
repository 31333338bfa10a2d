//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inside marks the process that has namespaces of its own.
const inside = "ZESTER_ACCEPTANCE_INSIDE"

// work is a tmpfs that nobody else sees.
const work = "/run/zester-acceptance"

func TestMain(m *testing.M) {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "acceptance: booting machines takes root: sudo make acceptance")
		os.Exit(1)
	}
	if os.Getenv(inside) == "" {
		os.Exit(isolate())
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// isolate runs this program again in new mount and process namespaces. When it ends, the kernel ends whatever runs in
// them and undoes their mounts.
func isolate() int {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	if err := again.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "acceptance: no namespaces:", err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- again.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-interrupts:
		again.Process.Kill()
		err = <-ended
	}
	removeCgroups()
	os.Remove(work) // empty: what was mounted on it is gone
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	return 0
}

// prepare mounts what the namespaces need: their own /proc, and places for what ip and systemd-nspawn leave behind.
func prepare() error {
	for _, mount := range []struct{ kind, dir string }{
		{"proc", "/proc"}, {"tmpfs", work}, {"tmpfs", "/run/netns"}, {"tmpfs", "/run/systemd/nspawn"},
	} {
		if err := os.MkdirAll(mount.dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(mount.kind, mount.dir, mount.kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", mount.dir, err)
		}
	}
	return nil
}

// cgroups are the control group hierarchies a machine's systemd lives in: its own on hosts with the first version, the
// only one on others. A machine has a group of its own in each.
func cgroups() []string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		return []string{"/sys/fs/cgroup"}
	}
	return []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}
}

const cgroup = "zester-acceptance"

// removeCgroups removes the machines' control groups, innermost first.
func removeCgroups() {
	for _, hierarchy := range cgroups() {
		var dirs []string
		top := filepath.Join(hierarchy, cgroup)
		filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			eventually(20*time.Second, func() bool { // the kernel may still be at its processes
				err := syscall.Rmdir(dirs[i])
				return err == nil || errors.Is(err, syscall.ENOENT)
			})
		}
	}
}

// patience is how long what has to come may take, on a host with a slow disk and other work.
const patience = 3 * time.Minute

// glance is how long one of several looks for it may take.
const glance = 45 * time.Second

// eventually looks again and again whether a condition holds.
func eventually(within time.Duration, holds func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return holds()
		}
	}
}

// command runs a program of this host that has to succeed.
func command(t *testing.T, words ...string) string {
	t.Helper()
	out, err := run(t, patience, words...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs a program of this host; what it printed is in the error.
func run(t *testing.T, within time.Duration, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	run := exec.CommandContext(ctx, words[0], words[1:]...)
	run.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	run.WaitDelay = time.Second
	out, err := run.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, out)
	}
	return string(out), err
}
