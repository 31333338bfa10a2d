// Package bench measures what Zester costs over what its messages cost alone. "zester bench fanout" runs a NATS server in
// operator mode, a master's dispatcher and a swarm of real peels without their modules, all in this process, and prints how
// long asking all of them takes beside the same scatter and gather with nothing but NATS messages: on the same server, in the
// same run, by turns. What it prints are ratios; the times are this host's, whose cores server, master and peels share.
// "zester bench idle" has a master and a peel run as processes of their own beside the swarm, and watches for a while what
// they write to JetStream, which should be nothing, and how much memory they take.
package bench

import (
	"context"
	"fmt"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/observe"
)

type commandLine struct {
	LogLevel string `default:"warn" help:"debug, info, warn or error."`

	Idle   idleCommand   `cmd:"" help:"Watch a fleet that has nothing to do: what it writes, and how large its processes are."`
	Fanout fanoutCommand `cmd:"" help:"Ask all peels at once, through Zester and with NATS alone."`
}

type fanoutCommand struct {
	Peels      []int  `default:"1000" help:"How many peels; several numbers, with commas, show how the time grows."`
	Rounds     int    `default:"5" help:"How often each is measured; the median counts."`
	CPUProfile string `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of further jobs, each verified once, with the last number of peels."`
}

// Validate checks what numbers there are.
func (c *fanoutCommand) Validate() error {
	for _, n := range c.Peels {
		if n < 1 || n > maxPeels {
			return fmt.Errorf("--peels %d: want 1 to %d", n, maxPeels)
		}
	}
	if c.Rounds < 1 {
		return fmt.Errorf("--rounds %d: want 1 or more", c.Rounds)
	}
	return nil
}

const maxPeels = 20_000

// Run is "zester bench".
func Run(ctx context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var c commandLine
	return p.Main(&c, args, environ, stdio, func(inv *config.Invocation) error {
		log, err := observe.Logger(c.LogLevel, "text", stdio.Err)
		if err != nil {
			return err
		}
		return inv.Run(&session{ctx: ctx, stdio: stdio, environ: environ, log: log})
	})
}
