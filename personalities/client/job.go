package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/states"
)

type jobCommand struct {
	Target   string        `arg:"" help:"Which peels: '*', web-*, L@a,b, G@os:debian, role:web, ... with and, or, not."`
	Function string        `arg:"" help:"What to run, e.g. test.ping."`
	Args     []string      `arg:"" optional:"" help:"Arguments, by position or KEY=VALUE. Write -- before one that begins with a dash."`
	Timeout  time.Duration `short:"t" default:"1m" help:"How long to wait for the peels."`
	Comment  string        `help:"Kept with the job."`
	Async    bool          `help:"Print the job id and do not wait."`
	Verbose  bool          `short:"v" help:"Print the job id first."`
}

func (c *jobCommand) Run(s *session) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	args, kwargs := parseArgs(c.Args)
	client := jobs.Client{Conn: conn, Operator: s.operator, Log: s.log}
	job, err := client.Submit(s.ctx, jobs.Request{
		Target: c.Target, Function: c.Function, Args: args, Kwargs: kwargs, Timeout: c.Timeout, Comment: c.Comment,
	})
	if err != nil {
		return err
	}
	if c.Async {
		return s.print.answer(map[string]any{"jid": job.ID}, func() { fmt.Fprintln(s.stdio.Out, job.ID) })
	}
	if c.Verbose {
		fmt.Fprintf(s.stdio.Err, "job %s\n", job.ID)
	}
	progress := newProgress(s.stdio.Err, s.print)
	sum := job.Wait(func(e jobs.Event) {
		progress.clear()
		s.event(c, job, e)
		progress.event(e)
	})
	progress.clear()
	return s.conclude(c, sum)
}

func (s *session) event(c *jobCommand, job *jobs.Job, e jobs.Event) {
	switch e := e.(type) {
	case jobs.Queued:
		fmt.Fprintf(s.stdio.Err, "job %s is queued: no master has taken it yet\n", job.ID)
	case jobs.Addressed:
		for _, id := range e.Missing {
			s.print.problem(id, "there is no such peel"+config.DidYouMean(id, append(e.Targets, e.Offline...)))
		}
		for _, id := range e.Offline {
			s.print.problem(id, "not connected")
		}
	case jobs.Cancelled:
		fmt.Fprintf(s.stdio.Err, "job %s is cancelled by %s\n", job.ID, e.By)
	case jobs.Return:
		s.print.result(e)
	}
}

// conclude tells who did not answer, and turns the outcome into an exit code.
func (s *session) conclude(c *jobCommand, sum *jobs.Summary) error {
	switch {
	case errors.Is(sum.Err, s.ctx.Err()) && s.ctx.Err() != nil:
		fmt.Fprintf(s.stdio.Err, "zester: stopped watching; job %s goes on: see it with \"zester job follow %s\", end it with \"zester job kill %s\"\n", sum.JID, sum.JID, sum.JID)
		return config.Exit(jobs.ExitError)
	case sum.Err != nil:
		return sum.Err
	case sum.Refused != "":
		return errors.New(sum.Refused)
	case sum.Queued:
		fmt.Fprintf(s.stdio.Err, "zester: no master has taken job %s within %s: start one\n", sum.JID, c.Timeout)
	}
	for _, peel := range sum.Silent {
		text := fmt.Sprintf("no answer within %s", c.Timeout)
		if peel.Acked {
			text += "; it has the job and may still be at it"
		}
		s.print.problem(peel.Peel, text)
	}
	if code := sum.ExitCode(); code != 0 {
		return config.Exit(code)
	}
	return nil
}

// result prints one peel's return.
func (p *printer) result(r jobs.Return) {
	if p.format != "text" {
		p.line(map[string]any{
			"peel": r.Peel, "success": r.Success && !r.Cut, "retcode": r.Retcode, "value": r.Value, "error": r.Error,
			"duration": r.Duration.Seconds(), "jid": r.JID,
		})
		return
	}
	color := green
	if r.Failed() {
		color = red
	}
	fmt.Fprintf(p.out, "%s\n", p.paint(color, r.Peel+":"))
	if states.IsReport(r.Value) {
		states.WriteReport(p.out, r.Peel, r.Value.(map[string]any), states.TextOptions{Output: p.states, Color: p.color})
		return
	}
	if r.Value != nil || r.Error == "" {
		p.nested(r.Value, 4)
	}
	if r.Error != "" {
		fmt.Fprint(p.out, p.paint(red, indented("ERROR: "+r.Error, "    ")), "\n")
	}
}

// problem prints why there is no return of a peel.
func (p *printer) problem(peel, text string) {
	if p.format != "text" {
		p.line(map[string]any{"peel": peel, "success": false, "error": text})
		return
	}
	fmt.Fprintf(p.out, "%s\n    %s\n", p.paint(red, peel+":"), p.paint(red, text))
}
