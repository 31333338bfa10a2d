// Zester manages fleets of machines over NATS JetStream. This file only says which
// personality a name stands for; each is a package below personalities.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/personalities/bench"
	"github.com/ptorbus/zester/personalities/bootstrap"
	"github.com/ptorbus/zester/personalities/client"
	"github.com/ptorbus/zester/personalities/master"
	"github.com/ptorbus/zester/personalities/nats"
	"github.com/ptorbus/zester/personalities/peel"
	"github.com/ptorbus/zester/personalities/playground"
)

// version is set when the binary is linked.
var version = "dev"

// run is a personality's entry: its arguments without the program's name, the environment and
// the streams; it returns the exit code.
type run func(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int

// personality is a program inside the binary: "zester NAME", and those with a link also a
// program of that name.
type personality struct {
	name, link, summary string
	run                 run
}

func personalities() []personality {
	return []personality{
		{"master", "zester-master", "Run a master: enrollment, settings, trees and jobs.", master.Run},
		{"peel", "zester-peel", "Run the agent of this host.", peel.Run},
		{"nats", "", "Run the built-in NATS server under a configuration file.", nats.Run},
		{"bootstrap", "", "Create the keys and credentials of a new cluster.", bootstrap.Run},
		{"playground", "", "Run a whole fleet on this host, to try things out.", playground.Run},
		{"playground-init", "playground-init", "Write all that a playground of containers needs.", bootstrap.RunInit},
		{"bench", "", "Measure what jobs cost beside what NATS alone costs.", bench.Run},
		{peel.Supervise, "", "", peel.RunSupervisor}, // by peels, not by people: without a summary it is not listed
		{"install", "", "Lay the symlinks of the other programs.", install},
	}
}

func install(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var links []string
	for _, q := range personalities() {
		if q.link != "" {
			links = append(links, q.link)
		}
	}
	return bootstrap.Install(links)(ctx, p, args, environ, stdio)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	stdio := config.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	code := dispatch(ctx, os.Args, os.Environ(), stdio)
	stop()
	os.Exit(code)
}

// dispatch finds the personality by the program's name, else by the first argument; anything
// else is the client's.
func dispatch(ctx context.Context, args, environ []string, stdio config.Stdio) int {
	name, rest := filepath.Base(args[0]), args[1:]
	for _, p := range personalities() {
		if p.link != "" && p.link == name {
			return p.run(ctx, config.Program{Name: name, Description: p.summary, Version: version}, rest, environ, stdio)
		}
	}
	rest = asFlags(rest)
	if len(rest) > 0 {
		for _, p := range personalities() {
			if p.name == rest[0] {
				program := config.Program{Name: "zester " + p.name, Description: p.summary, Version: version, Hint: client.NotAsTarget(p.name)}
				return p.run(ctx, program, rest[1:], environ, stdio)
			}
		}
	}
	program := config.Program{Name: "zester", Usage: usage, Description: description, Notes: programs(), Siblings: listed(), Version: version}
	return client.Run(ctx, program, rest, environ, stdio)
}

// asFlags reads "zester help [COMMAND]" and "zester version" as what they mean.
func asFlags(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(args[1:], "--help")
	case len(args) == 1 && args[0] == "version":
		return []string{"--version"}
	}
	return args
}

const usage = `zester TARGET MODULE.FUNCTION [ARG | KEY=VALUE]... [flags]
       zester COMMAND [ARG]... [flags]`

const description = `Run functions on a fleet, keep its hosts in a declared state, share data between them.

  zester '*' test.ping                            everyone
  zester 'web-* and G@os:debian' cmd.run uptime   by id and by fact
  zester lb-01 state.apply haproxy test=True      what a state would change
  zester basket get role:web network.ip_addrs     what web servers share
  zester enroll approve --all                     let new peels in

Targets are globs of ids, L@a,b lists, E@ regular expressions, G@fact:glob (or fact:glob),
P@fact:regexp, I@setting:glob, J@setting:regexp, S@cidr and N@group, with and, or, not and
parentheses. A peel that has the name of a command is L@name.`

// listed are the names of the other personalities that people use.
func listed() (names []string) {
	for _, p := range personalities() {
		if p.summary != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// programs lists the other personalities for the end of --help.
func programs() string {
	var b strings.Builder
	b.WriteString("Other programs in this binary (zester NAME --help):")
	for _, p := range personalities() {
		if p.summary != "" {
			fmt.Fprintf(&b, "\n  %-16s %s", p.name, p.summary)
		}
	}
	return b.String()
}
