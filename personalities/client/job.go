package client

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/jobs"
)

type jobCommand struct {
	saltFlags
	Target   string        `arg:"" help:"Which peels: '*', web-*, L@a,b, G@os:debian, role:web, ... with and, or, not."`
	Function string        `arg:"" help:"What to run, e.g. test.ping."`
	Args     []string      `arg:"" optional:"" help:"Arguments, by position or KEY=VALUE. Write -- before one that begins with a dash."`
	Timeout  time.Duration `short:"t" type:"seconds" default:"1m" help:"How long to wait for the peels, e.g. 30 (seconds) or 5m."`
	Comment  string        `placeholder:"TEXT" help:"Kept with the job."`
	submitFlags
}

// submitFlags are of all commands that submit a job.
type submitFlags struct {
	Expires        time.Duration `type:"seconds" placeholder:"DURATION" help:"How long the job waits for peels that are not connected, e.g. 12h or 3d; default 24h, or as the masters have it."`
	Queue          bool          `default:"true" negatable:"" help:"Let the job wait where a peel is busy; with --no-queue or --queue=false such a peel refuses it."`
	Batch          string        `short:"b" placeholder:"N|N%" help:"Run on so many, or such a share, at a time."`
	BatchWait      time.Duration `type:"seconds" placeholder:"DURATION" help:"Release whole batches, each so long after the end of the one before."`
	BatchFailLimit string        `placeholder:"N|N%" help:"Release no more once so many, or such a share of all, have failed, left or not returned in time."`
	BatchOrder     string        `default:"id" enum:"id,random" help:"Who comes first: by id, or random."`
	Canary         int           `placeholder:"N" help:"Run on so many first, and on the others when none failed and the job is resumed."`
	CanaryWait     time.Duration `type:"seconds" placeholder:"DURATION" help:"Go on by itself so long after the canaries' end."`
	Direct         bool          `help:"Refused: no command without a master."`
	Stream         bool          `help:"Show what commands print while they run, each line with its peel."`
	Async          bool          `help:"Print the job id and do not wait."`
	Verbose        bool          `short:"v" help:"Print the job id first."`
}

// Help is printed by --help.
func (*jobCommand) Help() string {
	return `Examples:

	zester '*' test.ping
	zester 'G@os:debian and not L@web-01,web-02' cmd.run 'uptime' --timeout 10s
	zester role:lb state.apply haproxy test=True
	zester web-01 sys.doc state.apply
	zester '*' pkg.upgrade --when-offline wait --expires 12h --batch 10% --batch-fail-limit 3

What an operator always wants may stand in ~/.zester/config.yaml (when_offline: wait), in ZESTER_WHEN_OFFLINE, or for each
operator in the masters' master.yaml (operators: {alice: {when_offline: wait, expires: 12h}}). In batches, a peel that is
not connected when its turn comes holds up nobody: it is skipped, or with wait has its turn when it connects.

The exit code is 0 if all succeeded, 1 if the job could not be run, 2 if a peel failed, 3 if one did not answer, 4 if both
happened.

Salt's flags for the kind of a target are understood: -G os:debian is G@os:debian, and so are -C, -E, -I, -L, -N, -P and -S.`
}

func (c *jobCommand) Run(s *session) error {
	args, kwargs := parseArgs(c.Args)
	target, err := c.saltFlags.target(c.Target)
	if err != nil {
		return err
	}
	if !strings.Contains(c.Function, ".") {
		if near := mistyped(c.Target, s.programs); near != "" && near != c.Target {
			return fmt.Errorf("there is no command %q (did you mean %q?), and function %q lacks its module: want <module>.<function>, like test.ping", c.Target, near, c.Function)
		}
	}
	if c.Timeout == 0 {
		return errors.New("--timeout: a job needs some time: use more than 0")
	}
	return s.submit(jobs.Request{
		Target: target, Function: c.Function, Args: args, Kwargs: kwargs, Timeout: c.Timeout, Comment: c.Comment,
	}, c.submitFlags)
}

func (s *session) jobs() (*jobs.Client, error) {
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	return &jobs.Client{Conn: conn, Operator: s.operator, Log: s.log}, nil
}

// errDirect is why there is no way around the masters.
var errDirect = errors.New("--direct: a peel obeys commands that are signed with the account's key alone, and only masters have it; " +
	"without a master there are the basket, facts, \"zester job list\", \"show\" and \"follow\", and on the host itself \"zester local\"")

// check names the flags that make no sense together, before anybody is asked.
func (f *submitFlags) check() error {
	switch {
	case f.CanaryWait != 0 && f.Canary == 0:
		return errors.New("--canary-wait: there are no canaries to wait for: say how many with --canary")
	case f.Batch == "" && f.Canary == 0 && (f.BatchWait != 0 || f.BatchFailLimit != "" || f.BatchOrder != "id"):
		return errors.New("--batch-wait, --batch-fail-limit and --batch-order are for a job in batches: say how many run it at a time with --batch")
	}
	for _, size := range []struct{ flag, text string }{{"--batch", f.Batch}, {"--batch-fail-limit", f.BatchFailLimit}} {
		r := jobs.Request{Target: "*", Function: "test.ping", Batch: jobs.Batch{Size: size.text}}
		if err := r.Check(); err != nil {
			return fmt.Errorf("%s: %w", size.flag, err)
		}
	}
	return nil
}

// into completes a request.
func (f *submitFlags) into(r *jobs.Request, whenOffline string) {
	if r.NoQueue = !f.Queue; r.NoQueue && stateRun(r.Function) {
		kwargs := maps.Clone(r.Kwargs)
		if kwargs == nil {
			kwargs = map[string]any{}
		}
		kwargs["queue"] = false // nor for a run that no job has started
		r.Kwargs = kwargs
	}
	r.Batch = jobs.Batch{
		Size: f.Batch, Wait: f.BatchWait, FailLimit: f.BatchFailLimit,
		Canary: f.Canary, CanaryWait: f.CanaryWait, Random: f.BatchOrder == "random",
	}
	r.Wait, r.ByDefault, r.Expires = whenOffline == "wait", whenOffline == "", f.Expires
	r.Stream = f.Stream
}

// stateRun says whether a function runs states, one run at a time.
func stateRun(function string) bool {
	switch function {
	case "state.apply", "state.highstate", "state.sls", "state.sls_id", "state.single":
		return true
	}
	return false
}

func (s *session) submit(r jobs.Request, flags submitFlags) error {
	if flags.Direct {
		return errDirect
	}
	if err := flags.check(); err != nil {
		return err
	}
	flags.into(&r, s.settings.WhenOffline)
	client, err := s.jobs()
	if err != nil {
		return err
	}
	job, err := client.Submit(s.ctx, r)
	if err != nil {
		return err
	}
	s.log.Info("job submitted", "job", job.ID, "operator", s.operator, "target", r.Target, "function", r.Function)
	if flags.Async {
		return s.print.answer(map[string]any{"jid": job.ID}, func() { fmt.Fprintln(s.stdio.Out, job.ID) })
	}
	if flags.Verbose {
		fmt.Fprintf(s.stdio.Err, "job %s\n", job.ID)
	}
	return s.watch(job, "no answer within "+r.Timeout.String())
}

// watch prints what becomes of a job; late says why there is no return of a peel.
func (s *session) watch(job *jobs.Job, late string) error {
	progress, outputs := newProgress(s.stdio, s.print), s.newOutputs()
	sum := job.Wait(func(e jobs.Event) {
		if _, ok := e.(jobs.Acked); ok { // nothing is printed, and most events of a large job are these
			return
		}
		progress.clear()
		outputs.event(e)
		s.event(job, e)
		progress.event(e)
	})
	progress.clear()
	outputs.close()
	return s.conclude(sum, late)
}

func (s *session) event(job *jobs.Job, e jobs.Event) {
	switch e := e.(type) {
	case jobs.Queued:
		fmt.Fprintf(s.stdio.Err, "job %s is queued: no master has taken it yet\n", job.ID)
	case jobs.Addressed:
		s.missing(e.Missing)
		text := "not connected"
		if !e.Until.IsZero() {
			text += ": it gets the job when it connects, until " + stamp(e.Until)
		}
		for _, id := range e.Offline {
			s.print.problem(id, text)
		}
	case jobs.Postponed:
		for _, id := range e.Peels {
			s.print.problem(id, "not connected when its turn came: it gets the job when it connects, until "+stamp(e.Until))
		}
	case jobs.Cancelled:
		fmt.Fprintf(s.stdio.Err, "job %s is cancelled by %s\n", job.ID, e.By)
	case jobs.Held:
		if e.Stopped {
			fmt.Fprintf(s.stdio.Err, "job %s releases no more targets: %s\n", job.ID, e.Why)
		} else {
			fmt.Fprintf(s.stdio.Err, "job %s is paused: %s; let it go on with \"zester job resume %s\", or end it with abort or kill\n", job.ID, e.Why, job.ID)
		}
	case jobs.Return:
		s.print.result(e)
	}
}

// missing tells of peels that were named and do not exist.
func (s *session) missing(ids []string) {
	if len(ids) == 0 {
		return
	}
	known := s.known()
	for _, id := range ids {
		s.print.problem(id, "there is no such peel"+config.DidYouMean(id, known))
	}
}

// conclude tells who did not answer, and turns the outcome into an exit code.
func (s *session) conclude(sum *jobs.Summary, late string) error {
	switch {
	case errors.Is(sum.Err, s.ctx.Err()) && s.ctx.Err() != nil:
		fmt.Fprintf(s.stdio.Err, "zester: stopped watching; job %s goes on: see it with \"zester job follow %s\", end it with \"zester job kill %s\"\n", sum.JID, sum.JID, sum.JID)
		return config.Exit(jobs.ExitError)
	case sum.Err != nil:
		return sum.Err
	case sum.Refused != "":
		return errors.New(sum.Refused)
	case sum.Queued:
		fmt.Fprintf(s.stdio.Err, "zester: no master has taken job %s yet: start one\n", sum.JID)
	}
	for _, peel := range sum.Silent {
		text := late
		switch {
		case peel.Acked:
			text += "; it has the job and may still be at it"
		case peel.Unreleased:
			text = "not released"
		case peel.Absent:
			text = "not connected"
		case peel.Declined != nil:
			text = peel.Declined.String()
		}
		s.print.problem(peel.Peel, text)
	}
	if code := sum.ExitCode(); code != 0 {
		return config.Exit(code)
	}
	return nil
}
