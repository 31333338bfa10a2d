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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lan is the bridge that the machines hang on, in a network namespace of its own.
type lan struct{ name, hosts string }

// newLAN makes the bridge. hosts are what /etc/hosts of every machine says.
func newLAN(t *testing.T, name string, hosts map[string][]string) *lan {
	t.Helper()
	command(t, "ip", "netns", "add", name)
	command(t, "ip", "-n", name, "link", "add", "name", "bridge", "up", "type", "bridge")
	l := &lan{name: name, hosts: "127.0.0.1 localhost\n"}
	for addr, list := range hosts {
		l.hosts += addr + " " + strings.Join(list, " ") + "\n"
	}
	return l
}

// machine is one Debian: booted, or running a single program.
type machine struct {
	name, unique, addr, root string // unique is among all networks
	console                  *console
	off                      chan struct{} // closed when it has halted; then exit tells how
	exit                     error

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

// boot makes a machine and switches it on. It returns at once: see ready.
func (l *lan) boot(t *testing.T, base, name, addr string) *machine {
	t.Helper()
	m := l.connect(t, base, name, addr)
	m.powerOn(t, "--boot", "--console=read-only", "systemd.log_target=console")
	return m
}

// connect gives a machine a copy of the base tree and an address.
func (l *lan) connect(t *testing.T, base, name, addr string) *machine {
	t.Helper()
	unique := l.name + "-" + name
	dir := filepath.Join(work, unique)
	m := &machine{name: name, unique: unique, addr: addr, root: filepath.Join(dir, "root"), console: &console{}, off: make(chan struct{})}
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

	ip := func(words ...string) { t.Helper(); command(t, append([]string{"ip"}, words...)...) }
	ip("netns", "add", unique)
	ip("-n", unique, "link", "set", "lo", "up")
	ip("-n", l.name, "link", "add", "name", name, "type", "veth", "peer", "name", "host0", "netns", unique)
	ip("-n", l.name, "link", "set", "dev", name, "master", "bridge", "up")
	ip("-n", unique, "address", "add", addr+"/24", "dev", "host0")
	ip("-n", unique, "link", "set", "host0", "up")
	ip("-n", unique, "route", "add", "default", "via", "10.88.0.254")
	return m
}

// forceRestart is how systemd-nspawn says that the machine has asked for a reboot.
const forceRestart = 133

// powerOn keeps the machine on until it halts or the test ends; a reboot is another boot. how is what systemd-nspawn is to do
// in it.
func (m *machine) powerOn(t *testing.T, how ...string) {
	t.Helper()
	var enter strings.Builder // the control groups, before systemd-nspawn takes its place
	for _, hierarchy := range cgroups() {
		dir := filepath.Join(hierarchy, cgroup, m.unique)
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
		defer close(m.off)
		for ctx.Err() == nil {
			nspawn := exec.CommandContext(ctx, "sh", append([]string{"-c", enter.String() + `exec systemd-nspawn "$@"`, "sh",
				"--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--directory=" + m.root,
				"--machine=" + m.unique, "--hostname=" + m.name, "--network-namespace-path=/run/netns/" + m.unique,
				"--resolv-conf=off", "--timezone=off"}, how...)...)
			nspawn.Stdout, nspawn.Stderr = m.console, m.console
			nspawn.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			nspawn.WaitDelay = time.Second // its pipes are the program's too
			nspawn.Cancel = func() error {
				if leader, _ := m.state(); leader != 0 {
					_ = syscall.Kill(leader, syscall.SIGKILL)
				}
				return nspawn.Process.Kill()
			}
			if err := nspawn.Start(); err != nil {
				m.exit = err
				return
			}
			watching, stop := context.WithCancel(ctx)
			go m.findLeader(watching, nspawn.Process.Pid)
			err := nspawn.Wait()
			stop()
			m.setLeader(0)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != forceRestart {
				m.exit = err
				return
			}
		}
	})
}

// findLeader waits for systemd-nspawn to have started the machine's process 1.
func (m *machine) findLeader(ctx context.Context, nspawn int) {
	eventually(patience, func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
		if err != nil || ctx.Err() != nil {
			return ctx.Err() != nil
		}
		for _, child := range strings.Fields(string(children)) {
			name, _ := os.ReadFile("/proc/" + child + "/comm")
			init := slices.Contains([]string{"systemd", "(sd-stubinit)"}, strings.TrimSpace(string(name)))
			if pid, err := strconv.Atoi(child); err == nil && init {
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
	if !eventually(patience, func() bool {
		leader, n := m.state()
		if leader == 0 || n < boots {
			return false
		}
		answer, _ = m.try(t, glance, "systemctl", "is-system-running", "--wait")
		answer = strings.TrimSpace(answer)
		return answer == "running" || answer == "degraded"
	}) {
		t.Fatalf("%s does not boot: %q\n%s", m.name, answer, m.console)
	}
	if answer == "degraded" { // Debian's own units may not like where they are
		failed := m.must(t, "systemctl", "list-units", "--failed", "--no-legend", "--plain")
		if strings.Contains(failed, "zester") {
			t.Fatalf("%s has booted with failures:\n%s", m.name, failed)
		}
		t.Logf("%s has booted with failures:\n%s", m.name, failed)
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

// must is try for what has to succeed.
func (m *machine) must(t *testing.T, words ...string) string {
	t.Helper()
	out, err := m.try(t, patience, words...)
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
	if !eventually(patience, func() bool {
		answer, _ := m.try(t, glance, "systemctl", "is-active", unit)
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
	out, _ := m.try(t, patience, "journalctl", "--no-pager", "--lines=40", "--output=cat", "--unit="+unit)
	return out
}
