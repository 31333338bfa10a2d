// Package nats is "zester nats -c FILE": the linked NATS server under a nats-server
// configuration, so that a small installation needs nothing but this binary.
package nats

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/observe"
	"github.com/ptorbus/zester/core/server"
)

type settings struct {
	Conf      string `config:"-" name:"conf" short:"c" required:"" placeholder:"FILE" help:"nats-server configuration file."`
	LogLevel  string `default:"info" help:"debug, info, warn or error."`
	LogFormat string `default:"json" help:"json or text."`
}

// Run runs the server until ctx ends.
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var s settings
	return p.Main(&s, args, environ, stdio, func(*config.Invocation) error {
		log, err := observe.Logger(s.LogLevel, s.LogFormat, stdio.Err)
		if err != nil {
			return err
		}
		if _, err := os.Stat(s.Conf); errors.Is(err, fs.ErrNotExist) {
			return config.Invalid("conf", "%s: no such file (\"zester bootstrap\" or \"playground-init\" writes one)", s.Conf)
		}
		return server.Run(ctx, s.Conf, log)
	})
}
