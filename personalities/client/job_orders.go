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
	Pause  jobPause  `cmd:"" help:"Release no more batches of a job for now."`
	Resume jobResume `cmd:"" help:"Let a paused job go on, or one whose canaries are well."`
	Abort  jobAbort  `cmd:"" help:"Release no more batches of a job; what runs goes on to its end."`
	Kill   jobKill   `cmd:"" help:"End a job on all its targets, where it runs and where it waits."`
}

// jobID is the argument of all that is about one job.
type jobID struct {
	JID string `arg:"" name:"jid" help:"The job."`
}

type (
	jobKill   struct{ jobID }
	jobPause  struct{ jobID }
	jobResume struct{ jobID }
	jobAbort  struct{ jobID }
)

func (c *jobKill) Run(s *session) error {
	return s.order(c.JID, jobs.Cancel, func(done jobs.Obeyed) string {
		if done.Silent == 0 {
			return "is cancelled: all its targets have returned"
		}
		text := "is cancelled: " + counted(done.Told, "peel is told", "peels are told")
		if left := done.Silent - done.Told; left > 0 {
			text += ", " + counted(left, "more when it connects", "more when they connect")
		}
		return text
	})
}

func (c *jobPause) Run(s *session) error {
	return s.order(c.JID, jobs.Pause, func(jobs.Obeyed) string { return "is paused" })
}

func (c *jobResume) Run(s *session) error {
	return s.order(c.JID, jobs.Resume, func(jobs.Obeyed) string { return "goes on" })
}

func (c *jobAbort) Run(s *session) error {
	return s.order(c.JID, jobs.Abort, func(jobs.Obeyed) string { return "releases no more targets" })
}

func (s *session) order(jid string, o jobs.Order, told func(jobs.Obeyed) string) error {
	client, err := s.jobs()
	if err != nil {
		return err
	}
	done, err := client.Send(s.ctx, jid, o)
	if err != nil {
		return err
	}
	return s.print.answer(map[string]any{"jid": jid, "order": string(o), "told": done.Told, "silent": done.Silent}, func() {
		fmt.Fprintf(s.stdio.Out, "job %s %s\n", jid, told(done))
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
