package client

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
)

type peelsCommand struct {
	Target string `arg:"" optional:"" default:"*" help:"Which peels; default all of the fleet."`
}

func (c *peelsCommand) Run(s *session) error {
	list, err := s.peels(c.Target)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return c.nobody(s)
	}
	data := make([]any, len(list))
	for i, p := range list {
		record := map[string]any{"id": p.ID, "connected": p.Connected, "address": p.Address, "version": p.Version}
		if p.Connected {
			record["since"] = p.Since.UTC().Format(time.RFC3339)
		}
		data[i] = record
	}
	return s.print.answer(data, func() {
		t := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "PEEL\tCONNECTED SINCE\tVERSION\tADDRESS")
		for _, p := range list {
			since := "gone"
			if p.Connected {
				since = stamp(p.Since)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.ID, since, printable(p.Version), printable(p.Address))
		}
		t.Flush()
	})
}

// nobody says that nothing was found, and for a mistyped id what may have been meant.
func (c *peelsCommand) nobody(s *session) error {
	if c.Target == "*" {
		return errors.New("there are no peels yet: those that wait to be let in are in \"zester enroll list\"")
	}
	if bus.CheckPeelID(c.Target) != nil {
		return fmt.Errorf("no peel matches %q", c.Target)
	}
	return fmt.Errorf("there is no peel %q%s", c.Target, config.DidYouMean(c.Target, s.known()))
}

// known are the ids of all peels, for hints; none if nobody answers.
func (s *session) known() []string {
	list, err := s.peels("*")
	if err != nil {
		return nil
	}
	ids := make([]string, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	return ids
}

// peelsTimeout bounds the wait for a master's list.
const peelsTimeout = 10 * time.Second

func (s *session) peels(target string) ([]jobs.Status, error) {
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, peelsTimeout)
	defer cancel()
	return jobs.ListPeels(ctx, conn, s.operator, target)
}
