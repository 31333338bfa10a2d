// Package playground runs a whole fleet on one host through the real code paths: a NATS server
// with TLS and the three accounts in this process, a master as a process of its own, which can
// be killed, and peels in this process, each with its own state directory, that enroll over
// HTTPS. "up" keeps such a fleet, whose master is started again when it ends, and has its
// directory to itself; "demo" shows one and takes it down again.
package playground

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
)

type commandLine struct {
	LogLevel string `default:"warn" help:"debug, info, warn or error."`

	Up   upCommand   `cmd:"" help:"Keep a fleet running until Ctrl-C."`
	Demo demoCommand `cmd:"" help:"Show a fleet at work, each step with its command and output."`
}

// Run is "zester playground".
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var c commandLine
	p.Vars = map[string]string{"peels": defaultPeels}
	return p.Main(&c, args, environ, stdio, func(inv *config.Invocation) error {
		err := inv.Run(&session{ctx: ctx, stdio: stdio, logLevel: c.LogLevel, environ: environ, version: p.Version})
		if err != nil && ctx.Err() != nil { // what was cut off is of no interest
			return errors.New("interrupted; the fleet is taken down")
		}
		return err
	})
}

type session struct {
	ctx      context.Context
	stdio    config.Stdio
	environ  []string
	logLevel string
	version  string
}

// defaultPeels are the fleet of the demo: two web servers, their load balancer, a database.
const defaultPeels = "web-01,web-02,lb-01,db-01"

type upCommand struct {
	Dir   string   `placeholder:"DIR" help:"Where the fleet keeps its files; default a temporary directory that is removed at the end."`
	Peels []string `default:"${peels}" help:"Ids of the peels."`
}

func (c *upCommand) Run(s *session) error {
	if err := checkIDs(c.Peels); err != nil {
		return fmt.Errorf("--peels: %w", err)
	}
	dir, release, err := workDir(c.Dir)
	if err != nil {
		return err
	}
	defer release()
	f, err := start(s, dir)
	if err != nil {
		return err
	}
	defer f.stop()
	f.running.Go(f.keepMaster)
	if err := f.forgetRemoved(c.Peels); err != nil {
		return err
	}
	for _, id := range c.Peels {
		if err := f.addPeel(id); err != nil {
			return err
		}
	}
	if err := f.approveAll(s.ctx, c.Peels); err != nil {
		return err
	}
	fmt.Fprint(s.stdio.Out, f.invitation(c.Dir == ""))
	select {
	case <-s.ctx.Done():
		return nil
	case err := <-f.failed:
		return err
	}
}

// invitation is what to type in another terminal.
func (f *fleet) invitation(temporary bool) string {
	zester := "zester"
	if path, err := exec.LookPath(zester); err != nil || !samePath(path, f.self) {
		zester = f.self
	}
	end := "ends it"
	if temporary {
		end = "ends it and removes its directory"
	}
	return fmt.Sprintf(`playground ready

In another terminal:

  export ZESTER_CONFIG=%s
  %[2]s '*' test.ping
  %[2]s basket get role:web network.ip_addrs
  %[2]s help

Change what is in %[3]s
and %[4]s as you like. Ctrl-C %[5]s.
`, f.clientConfig(), zester, f.path("states"), f.path("settings"), end)
}

func samePath(a, b string) bool {
	x, errX := filepath.EvalSymlinks(a)
	y, errY := filepath.EvalSymlinks(b)
	return errX == nil && errY == nil && x == y
}

// checkIDs comes before anything is started.
func checkIDs(ids []string) error {
	seen := map[string]bool{}
	for _, id := range ids {
		if err := bus.CheckPeelID(id); err != nil {
			return err
		}
		if seen[id] {
			return fmt.Errorf("%q is there twice", id)
		}
		seen[id] = true
	}
	return nil
}

// lockFile is held by the playground that runs in its directory.
const lockFile = "playground.lock"

// workDir makes the directory given and takes it, or a temporary one; release gives it back, or takes the temporary one away.
func workDir(dir string) (path string, release func(), err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "zester-playground-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	if path, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	if err == nil { // before a lock is left in what is no playground
		err = checkDir(path, "client.yaml", lockFile)
	}
	var lock *os.File
	if err == nil {
		lock, err = lockDir(path)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = fmt.Errorf("--dir %s: %w (name a directory that can be made)", e.Path, e.Err)
	}
	if err != nil {
		return "", nil, err
	}
	if err := checkDir(path, "client.yaml"); err != nil { // nobody is filling it now
		return "", nil, errors.Join(err, lock.Close())
	}
	return path, func() { lock.Close() }, nil
}

// lockDir refuses a directory in which a playground runs. The lock ends with the process, whatever ends that.
func lockDir(path string) (*os.File, error) {
	lock, err := config.Lock(filepath.Join(path, lockFile))
	var at *fs.PathError
	switch {
	case errors.Is(err, config.ErrLocked):
		err = fmt.Errorf("--dir %s is in use by another playground: stop that one, or name another directory", path)
	case err != nil && !errors.As(err, &at):
		err = fmt.Errorf("--dir %s: %w (name a directory on another)", path, err)
	}
	return lock, err
}

// checkDir refuses a directory that holds other things, but none of those that mark a playground.
func checkDir(path string, marks ...string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	foreign := false
	for _, e := range entries {
		if slices.Contains(marks, e.Name()) {
			return nil
		}
		foreign = foreign || e.Name() != lockFile
	}
	if foreign {
		return fmt.Errorf("--dir %s is not empty and no playground: name a new directory", path)
	}
	return nil
}

// role is what a peel of the playground does, by its name: web-01 is a web.
func role(id string) string {
	name, _, _ := strings.Cut(id, "-")
	return name
}
