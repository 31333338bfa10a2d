package modules

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// The marks of managed lines are Salt's, so that what Salt has put into a table is found there.
const (
	cronMark = "# Lines below here are managed by Salt, do not edit\n"
	cronID   = " SALT_CRON_IDENTIFIER:"
	// cronNone is the identifier that Salt gives a job without one.
	cronNone = "NO ID SET"
)

// cronStates are the cron.* state functions.
func cronStates(env *Env) []*states.Function {
	user := Param{Name: "user", Kind: states.Text, Default: "root", Doc: "whose table it is"}
	name := Param{Name: "name", Kind: states.Text, Doc: "the command"}
	identifier := Param{Name: "identifier", Doc: "what the job is found by, its command by default; false is none"}
	time := func(name, doc string) Param { return Param{Name: name, Kind: states.Text, Default: "*", Doc: doc} }
	times := []Param{
		time("minute", "minutes, or random"), time("hour", "hours, or random"), time("daymonth", "days of the month, or random"),
		time("month", "months, or random"), time("dayweek", "days of the week, or random"),
		{Name: "special", Kind: states.Text, Doc: "@reboot, @daily and their like, in place of the times"},
	}
	function := func(name, doc string, edit func(*cronTable, *states.Call) error, params ...Param) *states.Function {
		return hostState(env, states.Function{Name: "cron." + name, Doc: doc, Mutex: "cron", Params: append(params, user)},
			func(ctx context.Context, call *states.Call) (states.Result, error) {
				return editCron(ctx, env, call, edit)
			})
	}
	return []*states.Function{
		function("present", "Make a job be in a user's table.", (*cronTable).present, append([]Param{name, identifier,
			{Name: "comment", Kind: states.Text, Doc: "comment above the job"},
			{Name: "commented", Kind: states.Bool, Doc: "the job is there and does not run"}}, times...)...),
		function("absent", "Make a job not be in a user's table.", (*cronTable).absent, append([]Param{name, identifier}, times...)...),
		function("env_present", "Set a variable in a user's table.", (*cronTable).envPresent, Param{Name: "name", Kind: states.Text, Doc: "the variable"},
			Param{Name: "value", Kind: states.Text, Doc: "its value"}),
		function("env_absent", "Remove a variable from a user's table.", (*cronTable).envAbsent, Param{Name: "name", Kind: states.Text, Doc: "the variable"}),
	}
}

// cronTable is a user's table: what others have written, and the managed jobs.
type cronTable struct {
	before  []string // lines above the mark
	jobs    []cronJob
	changes map[string]any
}

// cronJob is a managed job, or a line below the mark that is none.
type cronJob struct {
	comment, identifier, when, command string
	commented                          bool
	raw                                string
}

const cronOff = "#DISABLED#"

func editCron(ctx context.Context, env *Env, call *states.Call, edit func(*cronTable, *states.Call) error) (states.Result, error) {
	user := call.Args.Text("user")
	if !hasTool("crontab") {
		if call.Test {
			return call.Changed(map[string]any{"crontab": user}, "There is no crontab yet; once cron is installed, the table would be changed"), nil
		}
		return states.Result{}, errors.New("there is no crontab on this host: install cron, with a pkg.installed that this state requires")
	}
	out, err := env.tool(ctx, "", "crontab", "-u", user, "-l")
	if err != nil {
		return states.Result{}, err
	}
	if out.code != 0 && !strings.Contains(out.stderr, "no crontab for") {
		return states.Result{}, fmt.Errorf("crontab failed with exit code %d: %s", out.code, lastLines(out.stderr))
	}
	text := ""
	if out.stdout != "" {
		text = out.stdout + "\n"
	}
	table := parseCron(text)
	table.changes = map[string]any{}
	if err := edit(table, call); err != nil {
		return states.Result{}, err
	}
	return settle(call, table.changes, fmt.Sprintf("The crontab of %s", user), func() error {
		_, err := env.mustWith(ctx, table.text(), "crontab", "-u", user, "-")
		return err
	})
}

func parseCron(text string) *cronTable {
	t := &cronTable{}
	above, managed, found := strings.Cut(text, cronMark)
	for line := range strings.Lines(above) {
		t.before = append(t.before, line)
	}
	if !found {
		return t
	}
	var job cronJob
	for line := range strings.Lines(managed) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, cronOff) {
			comment := strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ")
			if text, id, ok := strings.Cut(" "+comment, cronID); ok {
				comment, job.identifier = strings.TrimSpace(text), strings.TrimSpace(id)
			}
			if comment != "" {
				job.comment = strings.TrimPrefix(job.comment+"\n"+comment, "\n")
			}
			continue
		}
		rest, off := strings.CutPrefix(line, cronOff)
		fields := strings.Fields(rest)
		switch {
		case strings.HasPrefix(rest, "@") && len(fields) > 1:
			job.when = fields[0]
			job.command = strings.TrimSpace(strings.TrimPrefix(rest, fields[0]))
		case len(fields) > 5:
			job.when = strings.Join(fields[:5], " ")
			job.command = afterFields(rest, 5)
		default:
			job.raw = line
		}
		job.commented = off
		t.jobs = append(t.jobs, job)
		job = cronJob{}
	}
	return t
}

// afterFields is what is left of a line after so many words.
func afterFields(line string, n int) string {
	for range n {
		line = strings.TrimLeft(line, " \t")
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			line = line[i:]
		}
	}
	return strings.TrimSpace(line)
}

func (t *cronTable) text() string {
	var out strings.Builder
	out.WriteString(strings.Join(t.before, ""))
	if len(t.jobs) > 0 {
		out.WriteString(cronMark)
	}
	for _, job := range t.jobs {
		if job.comment != "" || job.identifier != "" {
			out.WriteString("#")
			if job.comment != "" {
				out.WriteString(" " + strings.ReplaceAll(job.comment, "\n", "\n# "))
			}
			if job.identifier != "" {
				out.WriteString(cronID + job.identifier)
			}
			out.WriteString("\n")
		}
		if job.raw != "" || job.command == "" {
			out.WriteString(job.raw + "\n")
			continue
		}
		if job.commented {
			out.WriteString(cronOff)
		}
		out.WriteString(job.when + " " + job.command + "\n")
	}
	return out.String()
}

// wanted is the job that the arguments describe. Random times are drawn when a job is made.
func wantedJob(call *states.Call) (cronJob, error) {
	job := cronJob{command: call.Name, comment: call.Args.Text("comment"), commented: call.Args.Bool("commented"), identifier: call.Name}
	switch id := call.Args["identifier"].(type) {
	case nil:
	case bool:
		if !id {
			job.identifier = call.Name
		}
	default:
		job.identifier = python(id)
	}
	if strings.Contains(job.comment, strings.TrimSpace(cronMark)) || strings.Contains(job.command+job.identifier, "\n") {
		return job, fmt.Errorf("command %q or its identifier has more than one line: put it into a script", call.Name)
	}
	if job.when = call.Args.Text("special"); job.when != "" {
		if !strings.HasPrefix(job.when, "@") || strings.ContainsAny(job.when, " \t\n") {
			return job, fmt.Errorf("special %q does not begin with @, as @daily does", job.when)
		}
		return job, nil
	}
	parts := make([]string, 5)
	for i, name := range []string{"minute", "hour", "daymonth", "month", "dayweek"} {
		parts[i] = strings.ReplaceAll(call.Args.Text(name), " ", "")
		if strings.TrimLeft(parts[i], "0123456789*/,-~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || parts[i] == "" {
			return job, fmt.Errorf("%s %q is not a time of cron", name, call.Args.Text(name))
		}
	}
	job.when = strings.Join(parts, " ")
	return job, nil
}

// drawn replaces random times: by those of the job that is there, or by new ones.
func drawn(when, old string) string {
	parts, have := strings.Fields(when), strings.Fields(old)
	ranges := [5][2]int{{0, 59}, {0, 23}, {1, 28}, {1, 12}, {0, 6}}
	for i := range parts {
		if parts[i] != "random" || i >= len(ranges) {
			continue
		}
		if len(have) == len(parts) && have[i] != "*" {
			parts[i] = have[i]
		} else {
			parts[i] = strconv.Itoa(ranges[i][0] + rand.IntN(ranges[i][1]-ranges[i][0]+1))
		}
	}
	return strings.Join(parts, " ")
}

// find is the place of a job: that of its identifier, or of its command where neither has one of its own.
func (t *cronTable) find(job cronJob) int {
	for i, have := range t.jobs {
		if have.identifier == job.identifier && have.command != "" {
			return i
		}
	}
	for i, have := range t.jobs {
		if have.command == job.command && (have.identifier == "" || have.identifier == cronNone || have.identifier == have.command) {
			return i
		}
	}
	return -1
}

func (t *cronTable) present(call *states.Call) error {
	job, err := wantedJob(call)
	if err != nil {
		return err
	}
	i := t.find(job)
	if i < 0 {
		job.when = drawn(job.when, "")
		t.jobs = append(t.jobs, job)
		t.changes[call.Args.Text("user")] = map[string]any{call.Name: job.when}
		return nil
	}
	have := t.jobs[i]
	job.when = drawn(job.when, have.when)
	if job.comment == "" && !call.Args.Has("comment") {
		job.comment = have.comment
	}
	for name, pair := range map[string][2]string{"when": {have.when, job.when}, "command": {have.command, job.command}, "comment": {have.comment, job.comment}} {
		if pair[0] != pair[1] {
			t.changes[name] = was(pair[0], pair[1])
		}
	}
	if have.commented != job.commented {
		t.changes["commented"] = was(have.commented, job.commented)
	}
	t.jobs[i] = job
	return nil
}

func (t *cronTable) absent(call *states.Call) error {
	job, err := wantedJob(call)
	if err != nil {
		return err
	}
	if i := t.find(job); i >= 0 {
		t.changes[call.Args.Text("user")] = map[string]any{call.Name: "removed"}
		t.jobs = append(t.jobs[:i:i], t.jobs[i+1:]...)
	}
	return nil
}

// variable finds the line that sets a variable, above the managed jobs or among them.
func (t *cronTable) variable(name string) (line *string, value string) {
	lines := make([]*string, 0, len(t.before)+len(t.jobs))
	for i := range t.jobs {
		lines = append(lines, &t.jobs[i].raw)
	}
	for i := range t.before {
		lines = append(lines, &t.before[i])
	}
	for _, line := range lines {
		key, value, ok := strings.Cut(strings.TrimSpace(*line), "=")
		if ok && strings.TrimSpace(key) == name {
			return line, strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return nil, ""
}

func (t *cronTable) envPresent(call *states.Call) error {
	value := call.Args.Text("value")
	line, have := t.variable(call.Name)
	if line != nil && have == value {
		return nil
	}
	if strings.ContainsAny(call.Name+value, "\n\"") {
		return fmt.Errorf("variable %q: neither name nor value can have quotes or lines", call.Name)
	}
	set := call.Name + `="` + value + `"`
	switch {
	case line == nil:
		t.jobs = append([]cronJob{{raw: set}}, t.jobs...)
	case strings.HasSuffix(*line, "\n"):
		*line = set + "\n"
	default:
		*line = set
	}
	t.changes[call.Name] = was(have, value)
	return nil
}

func (t *cronTable) envAbsent(call *states.Call) error {
	line, have := t.variable(call.Name)
	if line == nil {
		return nil
	}
	*line = ""
	t.jobs = slices.DeleteFunc(t.jobs, func(job cronJob) bool { return job.raw == "" && job.command == "" })
	t.changes[call.Name] = was(have, "")
	return nil
}
