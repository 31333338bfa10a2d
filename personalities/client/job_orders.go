package client

import (
	"fmt"

	"github.com/ptorbus/zester/core/jobs"
)

type jobCommands struct {
	Kill jobKill `cmd:"" help:"End a job on all its targets, where it runs and where it waits."`
}

type jobKill struct {
	JID string `arg:"" name:"jid" help:"The job."`
}

func (c *jobKill) Run(s *session) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	client := jobs.Client{Conn: conn, Operator: s.operator, Log: s.log}
	done, err := client.Send(s.ctx, c.JID, jobs.Cancel)
	if err != nil {
		return err
	}
	return s.print.answer(map[string]any{"jid": c.JID, "order": string(jobs.Cancel), "told": done.Told, "silent": done.Silent}, func() {
		fmt.Fprintf(s.stdio.Out, "job %s is cancelled: %s", c.JID, counted(done.Told, "peel is told", "peels are told"))
		if left := done.Silent - done.Told; left > 0 {
			fmt.Fprintf(s.stdio.Out, ", %s when it connects", counted(left, "more", "more"))
		}
		fmt.Fprintln(s.stdio.Out)
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
