//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lan is the bridge that the machines hang on, in a network namespace of its own.
type lan struct{ hosts string }

const lanName = "lan"

// newLAN makes the bridge. names are what /etc/hosts of every machine says.
func newLAN(t *testing.T, names map[string][]string) *lan {
	t.Helper()
	command(t, 10*time.Second, "ip", "netns", "add", lanName)
	command(t, 10*time.Second, "ip", "-n", lanName, "link", "add", "name", "bridge", "up", "type", "bridge")
	l := &lan{hosts: "127.0.0.1 localhost\n"}
	for addr, list := range names {
		l.hosts += addr + " " + strings.Join(list, " ") + "\n"
	}
	return l
}

// machine is one booted Debian.
type machine struct {
	name, addr, root string
	console          *console

	mu     sync.Mutex
	leader int // its process 1, as this host sees it; 0 while it is down
	boots  int
}

// console keeps what a machine prints while it boots.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// boot gives a machine a copy of the base tree and an address, and switches it on. It returns at once: see ready.
func (l *lan) boot(t *testing.T, base, name, addr string) *machine {
	t.Helper()
	dir := filepath.Join(work, name)
	m := &machine{name: name, addr: addr, root: filepath.Join(dir, "root"), console: &console{}}
	for _, sub := range []string{"root", "upper", "scratch"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.ReplaceAll(base, ":", `\:`), filepath.Join(dir, "upper"), filepath.Join(dir, "scratch"))
	if err := syscall.Mount("overlay", m.root, "overlay", 0, layers); err != nil {
		t.Fatalf("overlay of %s: %v", base, err)
	}
	m.write(t, "/etc/hostname", name+"\n", 0o644)
	m.write(t, "/etc/hosts", l.hosts, 0o644)
	m.write(t, "/etc/machine-id", "", 0o644)

	command(t, 10*time.Second, "ip", "netns", "add", name)
	command(t, 10*time.Second, "ip", "-n", name, "link", "set", "lo", "up")
	command(t, 10*time.Second, "ip", "-n", lanName, "link", "add", "name", name, "type", "veth", "peer", "name", "host0", "netns", name)
	command(t, 10*time.Second, "ip", "-n", lanName, "link", "set", "dev", name, "master", "bridge", "up")
	command(t, 10*time.Second, "ip", "-n", name, "address", "add", addr+"/24", "dev", "host0")
	command(t, 10*time.Second, "ip", "-n", name, "link", "set", "host0", "up")
	command(t, 10*time.Second, "ip", "-n", name, "route", "add", "default", "via", "10.88.0.254")
	m.powerOn(t)
	return m
}

// forceRestart is how systemd-nspawn says that the machine has asked for a reboot.
const forceRestart = 133

// powerOn keeps the machine on until it halts or the test ends; a reboot is another boot.
func (m *machine) powerOn(t *testing.T) {
	t.Helper()
	var enter strings.Builder // the control groups, before systemd-nspawn takes its place
	for _, hierarchy := range cgroups() {
		dir := filepath.Join(hierarchy, cgroup, m.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&enter, "echo $$ > %s/cgroup.procs && ", dir)
	}
	ctx, off := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	t.Cleanup(func() {
		off()
		done.Wait()
	})
	done.Go(func() {
		for ctx.Err() == nil {
			nspawn := exec.CommandContext(ctx, "sh", "-c", enter.String()+`exec "$@"`, "sh",
				"systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no", "--console=read-only",
				"--directory="+m.root, "--machine="+m.name, "--network-namespace-path=/run/netns/"+m.name,
				"--resolv-conf=off", "--timezone=off", "systemd.log_target=console")
			nspawn.Stdout, nspawn.Stderr = m.console, m.console
			nspawn.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := nspawn.Start(); err != nil {
				fmt.Fprintf(m.console, "acceptance: %v\n", err)
				return
			}
			watching, stop := context.WithCancel(ctx)
			go m.findLeader(watching, nspawn.Process.Pid)
			err := nspawn.Wait()
			stop()
			m.setLeader(0)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != forceRestart {
				fmt.Fprintf(m.console, "acceptance: %s is off: %v\n", m.name, err)
				return
			}
		}
	})
}

// findLeader waits for systemd-nspawn to have started the machine's process 1.
func (m *machine) findLeader(ctx context.Context, nspawn int) {
	eventually(30*time.Second, func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
		if err != nil || ctx.Err() != nil {
			return ctx.Err() != nil
		}
		for _, child := range strings.Fields(string(children)) {
			name, _ := os.ReadFile("/proc/" + child + "/comm")
			if pid, err := strconv.Atoi(child); err == nil && strings.TrimSpace(string(name)) == "systemd" {
				m.setLeader(pid)
				return true
			}
		}
		return false
	})
}

func (m *machine) setLeader(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leader = pid
	if pid != 0 {
		m.boots++
	}
}

func (m *machine) state() (leader, boots int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leader, m.boots
}

// ready waits until the machine has booted as often as that, and all its units have started.
func (m *machine) ready(t *testing.T, boots int) {
	t.Helper()
	var answer string
	if !eventually(60*time.Second, func() bool {
		leader, n := m.state()
		if leader == 0 || n < boots {
			return false
		}
		answer, _ = m.try(t, 30*time.Second, "systemctl", "is-system-running", "--wait")
		answer = strings.TrimSpace(answer)
		return answer == "running" || answer == "degraded"
	}) {
		t.Fatalf("%s does not boot: %q\n%s", m.name, answer, m.console)
	}
	if answer == "degraded" {
		t.Fatalf("%s has booted with failures:\n%s", m.name, m.must(t, "systemctl", "list-units", "--failed", "--no-legend", "--plain"))
	}
}

// try runs a program in the machine, as root. The output is both streams'.
func (m *machine) try(t *testing.T, within time.Duration, words ...string) (string, error) {
	t.Helper()
	leader, _ := m.state()
	if leader == 0 {
		return "", fmt.Errorf("%s is down", m.name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	enter := []string{"--target", strconv.Itoa(leader), "--all", "--wdns=/root"}
	run := exec.CommandContext(ctx, "nsenter", append(enter, words...)...)
	run.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"}
	run.WaitDelay = time.Second
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
	out, err := run.CombinedOutput()
	if ctx.Err() != nil && t.Context().Err() == nil {
		err = fmt.Errorf("no end within %s", within)
	}
	return string(out), err
}

// must is try for what has to succeed within ten seconds.
func (m *machine) must(t *testing.T, words ...string) string {
	t.Helper()
	out, err := m.try(t, 20*time.Second, words...)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s", m.name, strings.Join(words, " "), err, out)
	}
	return out
}

// sh is must for a line of shell.
func (m *machine) sh(t *testing.T, line string) string {
	t.Helper()
	return m.must(t, "sh", "-ec", line)
}

// write puts a file into the machine, from outside.
func (m *machine) write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// active waits for a unit to run, and shows its journal if it does not.
func (m *machine) active(t *testing.T, unit string) {
	t.Helper()
	if !eventually(20*time.Second, func() bool {
		answer, _ := m.try(t, 5*time.Second, "systemctl", "is-active", unit)
		return strings.TrimSpace(answer) == "active"
	}) {
		t.Fatalf("%s: %s does not run:\n%s", m.name, unit, m.journal(t, unit))
	}
}

// pid is the main process of a unit.
func (m *machine) pid(t *testing.T, unit string) string {
	t.Helper()
	return strings.TrimSpace(m.must(t, "systemctl", "show", "--property=MainPID", "--value", unit))
}

func (m *machine) journal(t *testing.T, unit string) string {
	t.Helper()
	out, _ := m.try(t, 10*time.Second, "journalctl", "--no-pager", "--lines=40", "--output=cat", "--unit="+unit)
	return out
}
