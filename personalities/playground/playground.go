// Package playground runs a whole fleet on one host through the real code paths: a NATS server
// with TLS and the three accounts in this process, a master as a process of its own, which can
// be killed, and peels in this process, each with its own state directory, that enroll over
// HTTPS. "up" keeps such a fleet, "demo" shows one and takes it down again.
package playground

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		return inv.Run(&session{ctx: ctx, stdio: stdio, logLevel: c.LogLevel, environ: environ, version: p.Version})
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
	Dir   string   `help:"Where the fleet keeps its files; default a temporary directory that is removed at the end."`
	Peels []string `default:"${peels}" help:"Ids of the peels."`
}

func (c *upCommand) Run(s *session) error {
	dir, remove, err := workDir(c.Dir)
	if err != nil {
		return err
	}
	defer remove()
	f, err := start(s, dir)
	if err != nil {
		return err
	}
	defer f.stop()
	for _, id := range c.Peels {
		if err := f.addPeel(id); err != nil {
			return err
		}
	}
	if err := f.approveAll(s.ctx, c.Peels); err != nil {
		return err
	}
	fmt.Fprintf(s.stdio.Out, "playground ready\n\n  ZESTER_CONFIG=%s zester '*' test.ping\n\nCtrl-C ends it.\n", f.clientConfig())
	select {
	case <-s.ctx.Done():
		return nil
	case err := <-f.failed:
		return err
	}
}

// workDir makes the directory given, or a temporary one that remove takes away.
func workDir(dir string) (path string, remove func(), err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "zester-playground-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	if path, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	if err == nil {
		var entries []os.DirEntry
		if entries, err = os.ReadDir(path); err == nil && len(entries) > 0 && !isPlayground(entries) {
			err = fmt.Errorf("--dir %s is not empty and no playground: name a new directory", path)
		}
	}
	return path, func() {}, err
}

func isPlayground(entries []os.DirEntry) bool {
	for _, e := range entries {
		if e.Name() == "client.yaml" {
			return true
		}
	}
	return false
}

// role is what a peel of the playground does, by its name: web-01 is a web.
func role(id string) string {
	name, _, _ := strings.Cut(id, "-")
	return name
}
