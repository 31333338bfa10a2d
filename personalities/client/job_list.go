package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ptorbus/zester/core/jobs"
)

type jobList struct {
	Target   string        `placeholder:"GLOB" help:"Only jobs for this target, or that named this peel."`
	Function string        `placeholder:"GLOB" help:"Only jobs that ran this function."`
	User     string        `placeholder:"NAME" help:"Only this operator's jobs."`
	State    string        `placeholder:"STATE" help:"Only jobs that are running, paused, done, incomplete, aborted, cancelled or refused."`
	Age      time.Duration `type:"seconds" placeholder:"DURATION" help:"Only jobs submitted no longer ago, e.g. 1h30m or 7d."`
	Limit    int           `short:"n" default:"20" help:"Only the newest so many."`
}

func (c *jobList) Run(s *session) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return fmt.Errorf("--limit: want a number from 1, got %d", c.Limit)
	}
	list, err := jobs.List(s.ctx, conn, jobs.Filter{
		Target: c.Target, Function: c.Function, Operator: c.User, Stage: jobs.Stage(c.State), Age: c.Age, Limit: c.Limit,
	})
	if err != nil {
		return err
	}
	return s.jobTable(list)
}

type jobActive struct{}

func (c *jobActive) Run(s *session) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	list, err := jobs.Active(s.ctx, conn)
	if err != nil {
		return err
	}
	return s.jobTable(list)
}

func (s *session) jobTable(list []*jobs.Record) error {
	data := make([]any, len(list))
	for i, r := range list {
		data[i] = jobFields(r)
	}
	return s.print.answer(data, func() {
		if len(list) == 0 {
			fmt.Fprintln(s.stdio.Out, "no jobs")
			return
		}
		t := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "JOB\tSTATE\tSUBMITTED\tBY\tTARGET\tFUNCTION")
		for _, r := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.JID, r.Stage(), stamp(r.Created), r.Operator, short(r.Target, 30), short(callText(r), 50))
		}
		t.Flush()
	})
}

// jobFields is a job in the formats for programs.
func jobFields(r *jobs.Record) map[string]any {
	data := map[string]any{
		"jid": r.JID, "state": string(r.Stage()), "operator": r.Operator, "target": r.Target, "function": r.Function,
		"args": listOf(r.Args), "kwargs": mapOf(r.Kwargs), "comment": r.Comment, "created": r.Created.UTC().Format(time.RFC3339Nano),
		"deadline": r.Deadline.UTC().Format(time.RFC3339Nano), "addressed": r.Addressed,
	}
	if r.State == jobs.StateClosed || !r.Closed.IsZero() {
		data["returned"] = r.Returned
	}
	if !r.Closed.IsZero() {
		data["closed"] = r.Closed.UTC().Format(time.RFC3339Nano)
	}
	if r.Error != "" {
		data["error"] = r.Error
	}
	if r.Paused != "" {
		data["paused"] = r.Paused
	}
	if r.Stopped != "" {
		data["stopped"] = r.Stopped
	}
	if r.CancelledBy != "" {
		data["cancelled_by"] = r.CancelledBy
	}
	return data
}

func listOf(l []any) []any {
	if l == nil {
		return []any{}
	}
	return l
}

func mapOf(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// callText is a job's function with its arguments as they are written on the command line.
func callText(r *jobs.Record) string {
	words := []string{r.Function}
	for _, a := range r.Args {
		words = append(words, argText(a))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Kwargs)) {
		words = append(words, k+"="+argText(r.Kwargs[k]))
	}
	return strings.Join(words, " ")
}

func argText(v any) string {
	text := scalar(v)
	if text == "" || strings.ContainsAny(text, " \t\n'\"") {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// short keeps the beginning of a text, on one line.
func short(text string, n int) string {
	runes := []rune(strings.ReplaceAll(printable(text), "\n", " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
