package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/server"
)

// TestMain puts this binary into the PATH under all names of the real one, so that scripts and the commands of the README
// run what a user runs.
func TestMain(m *testing.M) {
	commands := map[string]func(){"zester": main}
	for _, p := range personalities() {
		if p.link != "" {
			commands[p.link] = main
		}
	}
	testscript.Main(m, commands)
}

// TestScripts runs testdata/script. Beyond testscript's own commands there are
//
//	fleet [PEELS]            start a playground with those peels, wait until it is ready, and point ZESTER_CONFIG to it;
//	                         its log is fleet.log, and NATS_URL, NATS_CA, ENROLL_URL and ENROLL_CA let others join it
//	exits CODE COMMAND...    like exec, for one exit code
//	until REGEXP COMMAND...  run a command until what it prints matches
//	serves REGEXP URL        ask until the answer matches
//	ports NAME...            set variables to ports of 127.0.0.1 that are free
//	gone FILE                wait until the processes in a file, a pid each line, have ended
func TestScripts(t *testing.T) {
	const dir = "testdata/script"
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fleet": scriptFleet, "exits": scriptExits, "until": scriptUntil, "serves": scriptServes, "ports": scriptPorts, "gone": scriptGone,
		},
	})
}

func scriptFleet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: fleet [PEELS]")
	}
	command := []string{"zester", "playground", "up", "--dir", ts.MkAbs("fleet")}
	if len(args) == 1 {
		command = append(command, "--peels", args[0])
	}
	log, err := os.Create(ts.MkAbs("fleet.log"))
	ts.Check(err)
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	stop, err := startPlayground(command, ts.Getenv("WORK"), environ, log)
	if err != nil {
		ts.Fatalf("%v\n%s", err, ts.ReadFile("fleet.log"))
	}
	ts.Defer(func() { ts.Check(errors.Join(stop(), log.Close())) })
	ts.Setenv("ZESTER_CONFIG", ts.MkAbs("fleet/client.yaml"))
	var master struct {
		URL    string `yaml:"nats_url"`
		CA     string `yaml:"nats_ca"`
		Enroll string `yaml:"enroll_addr"`
	}
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile("fleet/master.yaml")), &master))
	ts.Setenv("NATS_URL", master.URL)
	ts.Setenv("NATS_CA", master.CA)
	ts.Setenv("ENROLL_URL", "https://"+master.Enroll)
	ts.Setenv("ENROLL_CA", ts.MkAbs("fleet/auth/enroll-ca.crt"))
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := "0"
	err := ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ts.Check(eventually(func() error {
		err := ts.Exec(args[1], args[2:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return nil
		}
		return fmt.Errorf("no match of %q; the last run: %v", args[0], err)
	}))
}

func scriptServes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serves REGEXP URL")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ts.Check(eventually(func() error {
		response, err := http.Get(args[1])
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil && !want.Match(body) {
			err = fmt.Errorf("no match of %q: %s\n%s", args[0], response.Status, body)
		}
		return err
	}))
}

// eventually tries for two minutes, which a busy machine may need, and gives the last failure.
func eventually(try func() error) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-deadline:
			return err
		}
	}
}

func scriptPorts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: ports NAME...")
	}
	for _, name := range args {
		port, release, err := server.FreePort()
		ts.Check(err)
		ts.Defer(release)
		ts.Setenv(name, strconv.Itoa(port))
	}
}

func scriptGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone FILE")
	}
	for _, pid := range strings.Fields(ts.ReadFile(args[0])) {
		ts.Check(eventually(func() error {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil {
				return nil
			}
			_, state, _ := strings.Cut(string(stat), ") ") // what is before is the name
			if strings.HasPrefix(state, "Z") {             // whoever it was left to has not asked how it ended, and may never
				return nil
			}
			return fmt.Errorf("process %s lives: %s", pid, stat)
		}))
	}
}

// startPlayground runs a command that ends up in "playground ready". The function it returns ends it as Ctrl-C does, and
// fails if it does not end well.
func startPlayground(command []string, dir string, environ []string, log io.Writer) (stop func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	playground := exec.Command(command[0], command[1:]...)
	playground.Dir, playground.Env = dir, environ
	playground.Stderr = log
	out, err := playground.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := playground.Start(); err != nil {
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for seen := false; lines.Scan(); {
			if !seen && strings.HasPrefix(lines.Text(), "playground ready") {
				seen = true
				close(ready)
			}
		}
		ended <- playground.Wait()
	}()
	stop = func() error {
		if err := playground.Process.Signal(os.Interrupt); err != nil {
			return fmt.Errorf("%q ended by itself: %v", command, <-ended)
		}
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("%q: %w", command, err)
			}
			return nil
		case <-time.After(2 * time.Minute):
			return fmt.Errorf("%q does not end on an interrupt: %w", command, playground.Process.Kill())
		}
	}
	select {
	case <-ready:
		return stop, nil
	case err := <-ended:
		return nil, fmt.Errorf("%q ended before it was ready: %v", command, err)
	case <-ctx.Done():
		return nil, fmt.Errorf("%q is not ready after three minutes: %w", command, playground.Process.Kill())
	}
}

var (
	shBlock    = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	upCommand  = regexp.MustCompile("`([^`\n]*playground up --dir ~/[^`\n]*)`")
	makeTarget = regexp.MustCompile(`(?m)^([a-z]+):`)
	comment    = regexp.MustCompile(`(^|\s)#\s[^'"]*$`) // not within quotes
)

// readmeCommands are the lines of the README's sh blocks, continued lines joined, comments at their ends left out, and
// the command in its text that starts the fleet they are for. What the README keeps is in the user's home.
func readmeCommands(t *testing.T) (up string, commands []string) {
	t.Helper()
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := upCommand.FindStringSubmatch(string(content))
	if found == nil {
		t.Fatal("the README does not say how to start a fleet below the home: no `... playground up --dir ~/DIR` in it")
	}
	for _, block := range shBlock.FindAllStringSubmatch(string(content), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
			if line = strings.TrimSpace(comment.ReplaceAllString(line, "")); line != "" {
				commands = append(commands, line)
			}
		}
	}
	if len(commands) == 0 {
		t.Fatal("the README has no commands in sh blocks")
	}
	return found[1], commands
}

// TestReadme runs the README: all its commands in order, in a directory where bin is what make builds. Targets of make
// are looked up only, since CI runs them, as are the two commands that fetch the source.
func TestReadme(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, found := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, found[1])
	}
	zester, err := exec.LookPath("zester")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(zester), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + t.TempDir(), "TERM=dumb"}
	up, commands := readmeCommands(t)
	stop, err := startPlayground([]string{"sh", "-c", "exec env " + up}, dir, environ, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	for _, command := range commands {
		words := strings.Fields(command)
		switch {
		case words[0] == "make":
			for _, target := range words[1:] {
				if !strings.Contains(target, "=") && !slices.Contains(targets, target) {
					t.Errorf("%q: the Makefile has no target %q", command, target)
				}
			}
		case words[0] == "git" && words[1] == "clone", words[0] == "cd":
		case words[0] == "export":
			environ = append(environ, strings.Replace(words[1], "~", dir, 1)) // the shell's work
		case strings.Contains(command, "zester"):
			runReadmeCommand(t, command, dir, environ)
		default:
			t.Errorf("nobody runs %q of the README", command)
		}
	}
}

// runReadmeCommand expects success and some output.
func runReadmeCommand(t *testing.T, command, dir string, environ []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "sh", "-ec", command)
	run.Dir, run.Env = dir, environ
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGINT) }
	run.WaitDelay = time.Minute
	out, err := run.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("%q: %v\n%s", command, err, out)
	case len(out) == 0:
		t.Errorf("%q prints nothing", command)
	}
}
