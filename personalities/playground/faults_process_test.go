//go:build faults

package playground_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program of a world, over all its lives.
type process struct {
	w     *world
	name  string
	proxy *proxy // nil: none
	env   []string
	argv  []string

	cmd  *exec.Cmd
	log  *output // of this life
	gone chan struct{}
	past string // end of the logs of earlier lives
}

func (w *world) process(name string, p plan, argv ...string) *process {
	x := &process{w: w, name: name, argv: argv, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + w.dir}}
	if off, ok := p.clock[name]; ok {
		x.argv = append([]string{w.bin.clock}, argv[1:]...)
		x.env = append(x.env, "FAULT_CLOCK="+off)
	}
	w.t.Cleanup(x.kill)
	return x
}

func (x *process) start() {
	x.cmd = exec.Command(x.argv[0], x.argv[1:]...)
	x.cmd.Dir, x.cmd.Env = x.w.dir, x.env
	x.log = &output{}
	x.cmd.Stdout, x.cmd.Stderr = x.log, x.log
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.cmd.WaitDelay = time.Second
	x.w.must(x.cmd.Start())
	gone := make(chan struct{})
	x.gone = gone
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended is in its log
		close(gone)
	}(x.cmd)
}

// peel says whether the process is one.
func (x *process) peel() bool { return x.w.peel[x.name] == x }

// kill ends the process as kill -9 does, and its connections with it.
func (x *process) kill() {
	if x.cmd == nil {
		return
	}
	_ = x.cmd.Process.Signal(syscall.SIGKILL) // it may be gone already
	<-x.gone
	if x.proxy != nil {
		x.proxy.drop()
	}
	x.past = x.tail(40) + "--- killed\n"
	x.cmd = nil
}

// restart starts what was killed.
func (x *process) restart() {
	if x.cmd == nil {
		x.start()
	}
}

// ready waits for a master to be ready.
func (x *process) ready() {
	x.w.t.Helper()
	x.w.until(time.Minute, x.name+" to be ready", func() bool { return strings.Contains(x.log.String(), "master ready") })
}

// word is an attribute in the process's log.
func (x *process) word(name string) string {
	m := regexp.MustCompile(`"` + name + `":"([^"]*)"`).FindStringSubmatch(x.log.String())
	if m == nil {
		x.w.t.Fatalf("%s logs no %q:\n%s", x.name, name, x.log)
	}
	return m[1]
}

// tail is the end of the log, with that of the life before.
func (x *process) tail(n int) string {
	if x.log == nil {
		return ""
	}
	lines := strings.SplitAfter(x.log.String(), "\n")
	text := strings.Join(lines[max(0, len(lines)-n):], "")
	if x.cmd != nil {
		text = x.past + text
	}
	return text
}

// output keeps what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// client is a run of the command line.
type client struct {
	cmd      *exec.Cmd
	out, err *output
	begun    time.Time
	took     time.Duration // once it is done
	done     chan struct{}
}

func (w *world) start(args ...string) *client {
	c := &client{out: &output{}, err: &output{}, done: make(chan struct{})}
	all := append([]string{"--nats-url=" + w.url(w.client), "--auth-dir=" + w.path("auth")}, args...)
	bin, env := w.bin.zester, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}
	if off := w.clientClock; off != "" {
		bin, env = w.bin.clock, append(env, "FAULT_CLOCK="+off)
	}
	c.cmd = exec.Command(bin, all...)
	c.cmd.Dir, c.cmd.Env = w.dir, env
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.err
	c.begun = time.Now()
	w.must(c.cmd.Start())
	go func() {
		_ = c.cmd.Wait() // the exit code is read from the state
		c.took = time.Since(c.begun)
		close(c.done)
	}()
	return c
}

func (c *client) wait() int {
	select {
	case <-c.done:
	case <-time.After(2 * time.Minute):
		_ = c.cmd.Process.Kill() // the code -1 tells of it
		<-c.done
	}
	return c.cmd.ProcessState.ExitCode()
}

// job is a client's job whose function leaves a line for each of its runs.
type job struct {
	*client
	tag  string
	id   string // where the client does not tell
	size int    // of the value that is right; 0: any
	exit int
	said map[string][]answer
	runs map[string]int // by peel, when it was judged
}

// answer is a line that the client prints of a peel.
type answer struct {
	Peel    string `json:"peel"`
	JID     string `json:"jid"` // none: the peel is reported as missing
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Value   any    `json:"value"`
}

// outcome of a job on one peel, as the client tells it.
type outcome string

const (
	ok      outcome = "ok"
	failed  outcome = "failed"
	missing outcome = "missing"
)

func (a answer) outcome() outcome {
	switch {
	case a.JID == "":
		return missing
	case a.Success:
		return ok
	}
	return failed
}

// submit starts a job on all peels that takes a while.
func (w *world) submit(timeout, takes time.Duration, flags ...string) *job {
	j := w.newJob()
	args := append([]string{"--format=json", "--verbose", "--timeout=" + timeout.String()}, flags...)
	j.client = w.start(append(args, "*", "cmd.run", w.line(j, takes))...)
	return j
}

// submitLarge starts a job whose value has size bytes.
func (w *world) submitLarge(size int) *job {
	j := w.newJob()
	j.size = size
	line := fmt.Sprintf("%s; head -c %d /dev/zero | tr '\\0' x", w.line(j, 0), size)
	j.client = w.start("--format=json", "--verbose", "--timeout="+long.String(), "*", "cmd.run", line)
	return j
}

func (w *world) newJob() *job {
	j := &job{tag: fmt.Sprintf("job%d", len(w.jobs)+1)}
	w.jobs = append(w.jobs, j)
	return j
}

// line is a command that notes its start and its end.
func (w *world) line(j *job, takes time.Duration) string {
	return fmt.Sprintf(`echo "$FAULT_PEEL %s start" >> %s; sleep %.3f; echo "$FAULT_PEEL %s end" >> %s`,
		j.tag, w.runsFile(), takes.Seconds(), j.tag, w.runsFile())
}

// finish waits for the client and reads what it said.
func (j *job) finish() {
	j.exit, j.said = j.wait(), map[string][]answer{}
	for line := range strings.Lines(j.out.String()) {
		var a answer
		if json.Unmarshal([]byte(line), &a) == nil && a.Peel != "" {
			j.said[a.Peel] = append(j.said[a.Peel], a)
		}
	}
}

var jobLine = regexp.MustCompile(`(?m)^job (\S+)$`)

// jid is the job's id once the client knows that it is queued.
func (j *job) jid() string {
	if j.id != "" {
		return j.id
	}
	if m := jobLine.FindStringSubmatch(j.err.String()); m != nil {
		return m[1]
	}
	return ""
}
