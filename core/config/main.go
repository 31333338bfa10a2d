package config

import (
	"errors"
	"fmt"
	"strings"
)

// Exit is an error that says nothing more and fixes the exit code: what was wrong has been
// printed already, or is the answer itself.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Main runs a program: it parses the command line into dst as Parse does and calls run. It
// returns the exit code: 0, an Exit's own, or 1 after printing the error in one line.
func (p Program) Main(dst any, args, environ []string, stdio Stdio, run func(*Invocation) error) int {
	invocation, err := Parse(p, dst, args, environ, stdio)
	if errors.Is(err, ErrDone) {
		return 0
	}
	if err == nil {
		err = run(invocation)
		if err != nil {
			err = invocation.Locate(err)
		}
	}
	var exit Exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintf(stdio.Err, "%s: %s\n", p.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
	return 1
}
