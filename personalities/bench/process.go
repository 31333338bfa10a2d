package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/config"
)

// raiseFiles lets this process have as many open files as n peels need: a connection seen from both ends and a journal for
// each, and another connection for the raw exchange.
func raiseFiles(n int) error {
	need := uint64(6*n + 1024)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= need {
		return nil
	}
	limit.Cur, limit.Max = need, max(need, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("--peels %d: needs %d open files: raise the limit with \"ulimit -n %d\", or take fewer: %w", n, need, need, err)
	}
	return nil
}

// processor is the time that this process has spent on all processors together.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// child is a process of this binary under another name.
type child struct {
	name string
	goal int // MiB
	cmd  *exec.Cmd
	gone chan struct{}
}

func (c child) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// startProcess runs a personality of this binary with a configuration, until stop.
func (s *swarm) startProcess(session *session, name string, goal int, values map[string]any) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(values)
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, name+".yaml")
	if err := config.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	cmd := exec.Command(self, name, "--config", file)
	for _, e := range session.environ {
		if !strings.HasPrefix(e, "ZESTER_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = session.stdio.Err, session.stdio.Err
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		cmd.Wait() // how it ended is told by what it printed
		close(gone)
	}()
	s.stops = append(s.stops, func() {
		cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
		<-gone
	})
	s.processes = append(s.processes, child{name, goal, cmd, gone})
	return nil
}

// resident is how much memory the process has now, in MiB.
func (c child) resident() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var size, resident int
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		return 0, err
	}
	return float64(resident*os.Getpagesize()) / (1 << 20), nil
}

// processor is the time that the process has spent on all processors together, a hundredth of a second more or less.
func (c child) processor() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ") // what is before is the name
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}
