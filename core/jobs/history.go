package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Filter chooses among jobs; what is empty chooses all.
type Filter struct {
	Target   string // a glob for the target as it was written, or for the id of a peel that it named
	Function string // a glob
	Operator string
	Stage    Stage
	Age      time.Duration // submitted no longer ago
	Limit    int           // the newest so many; 0 means 20
}

const (
	defaultLimit = 20
	leastWindow  = 256
)

// Check says what is wrong with a filter.
func (f *Filter) Check() error {
	for _, glob := range []string{f.Target, f.Function} {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("%q is not a glob: %w", glob, err)
		}
	}
	if f.Stage != "" && !slices.Contains(Stages, f.Stage) {
		return fmt.Errorf("there is no state %q: use %s", f.Stage, stageNames())
	}
	return nil
}

// stageNames lists the states as a sentence does.
func stageNames() string {
	names := make([]string, len(Stages))
	for i, s := range Stages {
		names[i] = string(s)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func (f *Filter) match(r *Record, now time.Time) bool {
	if f.Age > 0 && now.Sub(r.Created) > f.Age || f.Operator != "" && f.Operator != r.Operator || f.Stage != "" && f.Stage != r.Stage() {
		return false
	}
	if f.Function != "" && !globbed(f.Function, r.Function) {
		return false
	}
	names := func(id string) bool { return globbed(f.Target, id) }
	return f.Target == "" || names(r.Target) || slices.ContainsFunc(r.Targets, names) ||
		slices.ContainsFunc(r.Offline, names) || slices.ContainsFunc(r.Missing, names)
}

func globbed(glob, text string) bool {
	ok, _ := path.Match(glob, text) // Check has seen that it is one
	return ok || glob == text
}

// List reads the newest jobs that the filter chooses, newest first. It reads the history from its end, no further
// back than it must: for the last jobs of a long history it costs as much as for those of a short one. It needs no
// master. Jobs that no master has taken yet are not among them; Active has those. A job whose targets have all returned
// counts as closed, though its Closed may be zero still.
func List(ctx context.Context, c *bus.Conn, f Filter) ([]*Record, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	last, err := c.LastRevision(ctx, bus.BucketJobs)
	if err != nil || last == 0 {
		return nil, err
	}
	return listBack(ctx, c, f, last, uint64(max(leastWindow, 4*f.Limit)))
}

// listBack looks at the last revisions, window of them, and while that is not enough at more.
func listBack(ctx context.Context, c *bus.Conn, f Filter, last, window uint64) ([]*Record, error) {
	for ; ; window *= 4 {
		from := uint64(1)
		if last > window {
			from = last - window + 1
		}
		list, complete, err := listFrom(ctx, c, f, from)
		if err != nil || complete || from == 1 {
			for _, r := range list {
				r.judge(ctx, c)
			}
			return list, err
		}
	}
}

// listFrom lists what has changed since a revision. complete says that nothing older can belong to the list: a
// record is written when its job is submitted, so one that was not written since is of an older job.
func listFrom(ctx context.Context, c *bus.Conn, f Filter, from uint64) (list []*Record, complete bool, err error) {
	var start time.Time
	now := time.Now()
	if f.Age > 0 {
		now = fleetTime(ctx, c)
	}
	newestFirst := func(a, b *Record) int { return cmp.Compare(b.JID, a.JID) }
	err = c.EntriesFrom(ctx, bus.BucketJobs, "*", from, func(e bus.Entry) error {
		if start.IsZero() {
			start = e.Created
		}
		r, err := decodeRecord(e)
		if err != nil {
			return nil // of another version, or damaged: no reason to show none at all
		}
		if f.Target != "" && r.Parts > 0 {
			if err := r.loadLists(ctx, c); err != nil {
				return nil
			}
		}
		if f.Stage != "" {
			r.judge(ctx, c)
		}
		if f.match(r, now) {
			list = append(list, r)
		}
		if len(list) > 4*f.Limit {
			slices.SortFunc(list, newestFirst)
			list = list[:f.Limit]
		}
		return nil
	})
	slices.SortFunc(list, newestFirst)
	list = list[:min(len(list), f.Limit)]
	complete = f.Age > 0 && !start.IsZero() && now.Sub(start) > f.Age ||
		len(list) == f.Limit && list[len(list)-1].Created.After(start)
	return list, complete, err
}

// Active lists the jobs that the masters have not finished with, newest first: those with a record, and as Queued
// those that no master has taken. It reads nothing of the history, and needs no master.
func Active(ctx context.Context, c *bus.Conn) ([]*Record, error) {
	var list []*Record
	err := c.StreamMessages(ctx, bus.StreamSubmissions, bus.AllSubmissions, func(subject string, data []byte, stored time.Time) error {
		req, err := decodeRequest(data)
		if err != nil || CheckID(req.JID) != nil {
			return nil // the masters will drop it
		}
		list = append(list, &Record{
			JID: req.JID, Operator: bus.Submitter(subject), Target: req.Target, Function: req.Function, Args: req.Args, Kwargs: req.Kwargs,
			Comment: req.Comment, Created: stored, Timeout: req.Timeout, Deadline: stored.Add(req.Timeout), State: StateQueued,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.JID
	}
	entries, err := c.GetMany(ctx, bus.BucketJobs, names...)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if r, err := decodeRecord(e); err == nil {
			i := slices.IndexFunc(list, func(q *Record) bool { return q.JID == r.JID })
			r.judge(ctx, c)
			list[i] = r
		}
	}
	list = slices.DeleteFunc(list, func(r *Record) bool { return r.State != StateOpen && r.State != StateQueued })
	slices.SortFunc(list, func(a, b *Record) int { return cmp.Compare(b.JID, a.JID) })
	return list, nil
}

// Stage is what an operator is told of where a job stands: finer than its State.
type Stage string

// Stages are all there are.
var Stages = []Stage{StageQueued, StageRunning, StagePaused, StageDone, StageIncomplete, StageAborted, StageCancelled, StageRefused}

const (
	StageQueued     Stage = "queued"     // no master has taken it
	StageRunning    Stage = "running"    // returns are waited for
	StagePaused     Stage = "paused"     // no more batches are released for now
	StageDone       Stage = "done"       // all who were waited for returned
	StageIncomplete Stage = "incomplete" // the time was up before all had returned
	StageAborted    Stage = "aborted"    // its later batches are not released
	StageCancelled  Stage = "cancelled"  // it was ended before its time
	StageRefused    Stage = "refused"    // it was never dispatched
)

// Stage says where the job stands.
func (r *Record) Stage() Stage {
	switch {
	case r.State == StateQueued:
		return StageQueued
	case r.State == StateRefused:
		return StageRefused
	case r.CancelledBy != "":
		return StageCancelled
	case r.Stopped != "":
		return StageAborted
	case r.State == StateOpen && r.Paused != "":
		return StagePaused
	case r.State == StateOpen:
		return StageRunning
	case r.Returned < r.Addressed:
		return StageIncomplete
	}
	return StageDone
}

// Find reads a job's record, or what its request says while no master has taken it.
func Find(ctx context.Context, c *bus.Conn, jid string) (*Record, error) {
	r, _, err := LoadRecord(ctx, c, jid)
	if !errors.Is(err, ErrNoJob) {
		return r, err
	}
	waiting, listErr := Active(ctx, c)
	if listErr != nil {
		return nil, listErr
	}
	for _, r := range waiting {
		if r.JID == jid {
			return r, nil
		}
	}
	return nil, err
}
