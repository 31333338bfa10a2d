package peel

import (
	"context"
	"errors"
	"fmt"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/modules"
)

// Supervise is the name under which a peel starts RunSupervisor in a process of its own.
const Supervise = "supervise"

// RunSupervisor is "zester supervise DIR", which peels start for themselves: it runs one command and notes down how it
// ends, whatever becomes of the peel. See modules.Keeper.
func RunSupervisor(ctx context.Context, p config.Program, args, _ []string, stdio config.Stdio) int {
	err := errors.New("peels start this by themselves; it is not for the command line")
	if len(args) == 1 {
		err = modules.Supervise(ctx, args[0])
	}
	if err != nil {
		fmt.Fprintf(stdio.Err, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}
