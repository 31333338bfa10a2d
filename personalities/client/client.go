// Package client is the operator's command line: jobs on targets, and the commands that look
// after enrollment, the basket, presence, settings and templates. A command is a value with a
// Run method; none writes to anything but the streams it was given.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/observe"
	"github.com/ptorbus/zester/personalities/master"
)

// commandLine is all that "zester" takes; the root's flags are settings.
type commandLine struct {
	NATSURL     string `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	NATSCA      string `name:"nats-ca" placeholder:"FILE" help:"CA certificate of the NATS server; naming one insists on TLS."`
	AuthDir     string `default:"/data/auth" help:"Where credentials are."`
	Creds       string `placeholder:"FILE" help:"Credentials file of the operator; default admin.creds in the auth directory."`
	Format      string `default:"text" enum:"text,json,yaml" aliases:"out,output" help:"How answers are printed: text, json or yaml."`
	StateOutput string `default:"full" enum:"full,terse,changes,mixed" help:"How state runs are printed: full, terse, changes (full for what changed or failed) or mixed (full for what failed)."`
	WhenOffline string `placeholder:"skip|wait" help:"Peels that are not connected when a job is submitted: skip them, or wait, to give them the job when they connect; default as the masters have it for this operator (operators in master.yaml), else skip."`
	LogLevel    string `default:"warn" help:"debug, info, warn or error."`
	LogFormat   string `default:"text" help:"json or text."`

	Job      jobCommand      `cmd:"" name:"run" default:"withargs" help:"Run a function on the peels a target names; the word run may be left out. Its flags, such as --batch and --async: zester run --help."`
	Jobs     jobCommands     `cmd:"" name:"job" help:"Look at jobs and steer them."`
	Enroll   enrollCommands  `cmd:"" help:"Look after enrollment."`
	Basket   basketCommands  `cmd:"" help:"Read what peels share."`
	Peels    peelsCommand    `cmd:"" help:"List peels and their connections."`
	Settings settingsCommand `cmd:"" help:"Work with settings files."`
	States   statesCommands  `cmd:"" help:"Check a states tree without a host."`
	Render   renderCommand   `cmd:"" help:"Print a rendered template."`
	Local    localCommand    `cmd:"" help:"Run a function on this host, without a bus."`
}

// Validate checks what kong's own tags cannot say: that a setting may be left out.
func (c *commandLine) Validate() error {
	switch c.WhenOffline {
	case "", "skip", "wait":
		return nil
	}
	return config.Invalid("when_offline", "want skip or wait, got %q", c.WhenOffline)
}

// configFiles are where the client's configuration may be; the last is the master's, whose other
// keys are its own.
var configFiles = []string{"~/.zester/config.yaml", "/etc/zester/master.yaml"}

// Run is the client's entry.
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	p.Files, p.Known, p.Hint = configFiles, []any{&master.Config{}}, hints(p.Siblings)
	var c commandLine
	return p.Main(&c, args, environ, stdio, func(inv *config.Invocation) error {
		out := &sink{Writer: stdio.Out}
		s := &session{
			ctx: ctx, settings: &c, stdio: config.Stdio{In: stdio.In, Out: out, Err: stdio.Err}, version: p.Version, programs: p.Siblings,
			print: newPrinter(out, c.Format, c.StateOutput, environ),
		}
		defer s.close()
		err := inv.Run(s)
		if out.err != nil {
			return out.err // whatever the answer was, nobody has it
		}
		return err
	})
}

// commands are the names of all commands but that which may be left out; groups are those that have commands of their own.
func commands() []string { return commandsOf(func(reflect.Type) bool { return true }) }

func groups() []string {
	return commandsOf(func(t reflect.Type) bool {
		return slices.ContainsFunc(reflect.VisibleFields(t), isCommand)
	})
}

func isCommand(field reflect.StructField) bool {
	_, ok := field.Tag.Lookup("cmd")
	return ok
}

func commandsOf(wanted func(reflect.Type) bool) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[commandLine]()) {
		if isCommand(field) && field.Tag.Get("default") == "" && wanted(field.Type) {
			names = append(names, cmp.Or(field.Tag.Get("name"), strings.ToLower(field.Name)))
		}
	}
	return names
}

// session is one run of the client.
type session struct {
	ctx      context.Context
	settings *commandLine
	stdio    config.Stdio
	version  string
	programs []string // that are reached as commands are
	print    *printer
	conn     *bus.Conn
	operator string
	log      *slog.Logger
}

// connect makes the connection at first use.
func (s *session) connect() (*bus.Conn, error) {
	if s.conn != nil {
		return s.conn, nil
	}
	var err error
	s.log, err = observe.Logger(s.settings.LogLevel, s.settings.LogFormat, s.stdio.Err)
	if err != nil {
		return nil, err
	}
	if err := bus.CheckURL(s.settings.NATSURL); err != nil {
		return nil, config.Invalid("nats_url", "%w", err)
	}
	path := s.settings.Creds
	if path == "" {
		path = filepath.Join(s.settings.AuthDir, "admin.creds")
	}
	creds, err := keys.ReadCreds(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no operator's credentials at %s: name the file with --creds, or its directory with --auth-dir", path)
	}
	if err != nil {
		return nil, err
	}
	o := bus.Options{URL: s.settings.NATSURL, CA: s.settings.NATSCA, Name: "zester " + creds.Name(), Log: s.log}
	creds.Fill(&o)
	if s.conn, err = bus.Connect(s.ctx, o); err != nil {
		return nil, err
	}
	s.operator = creds.Name()
	return s.conn, nil
}

func (s *session) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}
