package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/jobs"
)

type jobShow struct{ jobID }

func (c *jobShow) Run(s *session) error {
	client, err := s.jobs()
	if err != nil {
		return err
	}
	job, record, err := client.Follow(s.ctx, c.JID, false)
	if err != nil {
		return err
	}
	var returns []jobs.Return
	sum := job.Wait(func(e jobs.Event) {
		if r, ok := e.(jobs.Return); ok {
			returns = append(returns, r)
		}
	})
	if sum.Err != nil {
		return sum.Err
	}
	record.Judge(sum)
	return s.print.answer(jobData(record, sum, returns), func() {
		s.jobHead(record, sum)
		for _, r := range returns {
			s.print.result(r)
		}
	})
}

func jobData(r *jobs.Record, sum *jobs.Summary, returns []jobs.Return) map[string]any {
	data := jobFields(r)
	data["targets"], data["offline"], data["missing"] = listOf(texts(r.Targets)), listOf(texts(r.Offline)), listOf(texts(r.Missing))
	data["returned"], data["failed"], data["waiting"] = sum.Returned, listOf(texts(sum.Failed)), listOf(texts(silentOf(sum)))
	data["unreleased"] = listOf(texts(silentAs(sum, unreleased)))
	all := map[string]any{}
	for _, ret := range returns {
		all[ret.Peel] = returnData(ret)
	}
	data["returns"] = all
	return data
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func silentOf(sum *jobs.Summary) []string {
	return silentAs(sum, func(jobs.Silent) bool { return true })
}

// silentAs are the targets without a return of one kind: unreleased, absent or unanswered.
func silentAs(sum *jobs.Summary, kind func(jobs.Silent) bool) []string {
	var ids []string
	for _, s := range sum.Silent {
		if kind(s) {
			ids = append(ids, s.Peel)
		}
	}
	return ids
}

func unreleased(s jobs.Silent) bool { return s.Unreleased }
func absent(s jobs.Silent) bool     { return s.Absent }
func unanswered(s jobs.Silent) bool { return !s.Unreleased && !s.Absent }

func (s *session) jobHead(r *jobs.Record, sum *jobs.Summary) {
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(s.stdio.Out, "%-11s%s\n", name+":", strings.ReplaceAll(printable(value), "\n", " "))
		}
	}
	field("job", r.JID)
	state := string(r.Stage())
	if r.CancelledBy != "" {
		state += " by " + r.CancelledBy
	}
	field("state", state)
	if r.Stopped != "" {
		field("stopped", r.Stopped)
	} else {
		field("paused", r.Paused)
	}
	field("submitted", stamp(r.Created)+" by "+r.Operator)
	switch {
	case !r.Closed.IsZero():
		field("closed", stamp(r.Closed))
	case r.State != jobs.StateClosed:
		field("open till", stamp(r.Deadline))
	}
	field("comment", r.Comment)
	field("target", r.Target)
	field("function", callText(r))
	field("error", r.Error)
	if len(sum.Targets) > 0 {
		field("returned", fmt.Sprintf("%d of %d, %d failed", sum.Returned, len(sum.Targets), len(sum.Failed)))
	}
	silent := "no return"
	if r.Closed.IsZero() {
		silent = "waits for"
	}
	field(silent, strings.Join(silentAs(sum, unanswered), ", "))
	field("held back", strings.Join(silentAs(sum, unreleased), ", "))
	field("absent", strings.Join(silentAs(sum, absent), ", "))
	field("offline", strings.Join(sum.Offline, ", "))
	field("unknown", strings.Join(r.Missing, ", "))
}

type jobFollow struct{ jobID }

func (c *jobFollow) Run(s *session) error {
	client, err := s.jobs()
	if err != nil {
		return err
	}
	job, _, err := client.Follow(s.ctx, c.JID, true)
	if err != nil {
		return err
	}
	return s.watch(job, "no answer")
}

type jobRerun struct {
	jobID
	Failed  bool          `help:"For the targets whose returns say that it failed."`
	Missing bool          `help:"For the targets that did not return or were not connected."`
	Timeout time.Duration `short:"t" type:"seconds" help:"How long to wait for the peels; default as before."`
	Comment string        `placeholder:"TEXT" help:"Kept with the job; default what it repeats."`
	submitFlags
}

func (c *jobRerun) Run(s *session) error {
	client, err := s.jobs()
	if err != nil {
		return err
	}
	job, record, err := client.Follow(s.ctx, c.JID, false)
	if err != nil {
		return err
	}
	sum := job.Wait(nil)
	if sum.Err != nil {
		return sum.Err
	}
	r := jobs.Request{
		Target: record.Target, Function: record.Function, Args: record.Args, Kwargs: record.Kwargs, Timeout: record.Timeout, Comment: c.Comment,
	}
	if c.Failed || c.Missing {
		ids := c.chosen(sum)
		if len(ids) == 0 {
			return fmt.Errorf("no target of job %s %s: none is to run it again", c.JID, c.why())
		}
		r.Target = "L@" + strings.Join(ids, ",")
	}
	if c.Timeout != 0 {
		r.Timeout = c.Timeout
	}
	if r.Comment == "" {
		r.Comment = "rerun of " + c.JID
	}
	return s.submit(r, c.submitFlags)
}

// why says of whom a job is to be run again.
func (c *jobRerun) why() string {
	switch {
	case !c.Missing:
		return "has failed"
	case !c.Failed:
		return "is missing"
	}
	return "has failed or is missing"
}

func (c *jobRerun) chosen(sum *jobs.Summary) []string {
	var ids []string
	if c.Failed {
		ids = append(ids, sum.Failed...)
	}
	if c.Missing {
		ids = append(append(ids, silentOf(sum)...), sum.Offline...)
	}
	return ids
}
