package client

import (
	"fmt"

	"github.com/ptorbus/zester/core/jobs"
)

type jobCommands struct {
	List   jobList   `cmd:"" help:"List jobs, the newest first."`
	Active jobActive `cmd:"" help:"List the jobs that are not over."`
	Show   jobShow   `cmd:"" help:"Print all that is known of a job."`
	Follow jobFollow `cmd:"" help:"Print the returns of a job, and wait for those to come."`
	Rerun  jobRerun  `cmd:"" help:"Submit a job once more, for all its targets or those that failed or are missing."`
	Kill   jobKill   `cmd:"" help:"End a job on all its targets, where it runs and where it waits."`
}

// jobID is the argument of all that is about one job.
type jobID struct {
	JID string `arg:"" name:"jid" help:"The job."`
}

type jobKill struct{ jobID }

func (c *jobKill) Run(s *session) error {
	client, err := s.jobs()
	if err != nil {
		return err
	}
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
