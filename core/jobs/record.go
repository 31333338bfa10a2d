package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// ErrNoJob: there is no record of the job. No master has taken it, or it is too long ago.
var ErrNoJob = errors.New("no such job")

// State is where a job stands.
type State string

const (
	StateQueued  State = "queued"  // no master has taken it: it has no record yet
	StateOpen    State = "open"    // some master sees to it
	StateClosed  State = "closed"  // everybody returned, or the time was up
	StateRefused State = "refused" // it was never dispatched; Error says why
)

// Record is a job as the masters keep it, in the jobs bucket under its id. Who has returned is
// not in it: that is in the stream of returns.
type Record struct {
	JID      string         `msgpack:"jid"`
	Operator string         `msgpack:"operator"`
	Target   string         `msgpack:"target"`
	Function string         `msgpack:"function"`
	Args     []any          `msgpack:"args"`
	Kwargs   map[string]any `msgpack:"kwargs"`
	Comment  string         `msgpack:"comment"`
	Created  time.Time      `msgpack:"created"`  // when the queue took the request
	Timeout  time.Duration  `msgpack:"timeout"`  // as it was asked for
	Deadline time.Time      `msgpack:"deadline"` // when waiting ends
	State    State          `msgpack:"state"`
	Error    string         `msgpack:"error"`
	Closed   time.Time      `msgpack:"closed"`
	Returned int            `msgpack:"returned"` // of Targets, when it was closed
	// Addressed is how many are waited for.
	Addressed int `msgpack:"addressed"`
	// Until is the Deadline as it was at first; peels remember the job at least that long.
	Until time.Time `msgpack:"until"`

	// Wait: Offline are waited for too, until Expires, and get the job when they connect.
	Wait    bool      `msgpack:"wait"`
	Expires time.Time `msgpack:"expires"`
	NoQueue bool      `msgpack:"no_queue"`
	// Stream: what commands print is shown while they run.
	Stream bool `msgpack:"stream,omitempty"`

	// Batch releases Targets in their order. Paused and Stopped say why it does not go on, for a
	// while or for good; Confirmed that an operator has let it go on after its canaries.
	Batch     Batch  `msgpack:"batch"`
	Paused    string `msgpack:"paused"`
	Stopped   string `msgpack:"stopped"`
	Confirmed bool   `msgpack:"confirmed"`

	// CancelledBy is the operator who ended the job before its time; empty if nobody has.
	CancelledBy string    `msgpack:"cancelled_by"`
	Cancelled   time.Time `msgpack:"cancelled"`

	// Targets were connected and are waited for; Offline matched too; Missing were named in
	// full but are unknown.
	Targets []string `msgpack:"targets"`
	Offline []string `msgpack:"offline"`
	Missing []string `msgpack:"missing"`

	// A fleet too large for one entry has its lists in Parts further entries, <jid>.<Set>.<n>,
	// written before the record is.
	Set   string `msgpack:"set"`
	Parts int    `msgpack:"parts"`
}

// lists is one part of a record's lists.
type lists struct {
	Targets []string `msgpack:"targets"`
	Offline []string `msgpack:"offline"`
	Missing []string `msgpack:"missing"`
}

// maxLists is how many bytes of ids go into one entry or note.
const maxLists = 256 << 10

// maxInline is how many stay in the record itself, which lists of jobs read as well.
const maxInline = 32 << 10

func listBytes(ids ...[]string) int {
	n := 0
	for _, list := range ids {
		for _, id := range list {
			n += len(id) + 2
		}
	}
	return n
}

// createRecord stores a new record; bus.ErrExists if the job has one.
func createRecord(ctx context.Context, c *bus.Conn, r *Record) (rev uint64, err error) {
	head := *r
	if listBytes(r.Targets, r.Offline, r.Missing) > maxInline {
		parts := splitLists(lists{r.Targets, r.Offline, r.Missing})
		head.Targets, head.Offline, head.Missing = nil, nil, nil
		// Two masters may be at it at once: each writes its own set, and the record decides.
		head.Set, head.Parts = rand.Text(), len(parts)
		for i, part := range parts {
			data, err := bus.Marshal(part)
			if err != nil {
				return 0, err
			}
			if _, err := c.Put(ctx, bus.BucketJobs, partKey(&head, i), data); err != nil {
				return 0, err
			}
		}
	}
	data, err := bus.Marshal(&head)
	if err != nil {
		return 0, err
	}
	rev, err = c.Create(ctx, bus.BucketJobs, r.JID, data)
	if err == nil {
		r.Set, r.Parts = head.Set, head.Parts
	}
	return rev, err
}

// updateRecord stores what has changed of a record, its lists apart.
func updateRecord(ctx context.Context, c *bus.Conn, r *Record, rev uint64) (uint64, error) {
	head := *r
	if head.Parts > 0 {
		head.Targets, head.Offline, head.Missing = nil, nil, nil
	}
	data, err := bus.Marshal(&head)
	if err != nil {
		return 0, err
	}
	return c.Update(ctx, bus.BucketJobs, r.JID, data, rev)
}

func partKey(r *Record, i int) string { return fmt.Sprintf("%s.%s.%05d", r.JID, r.Set, i) }

func splitLists(l lists) []lists {
	var parts []lists
	var part lists
	bytes := 0
	add := func(to func() *[]string, ids []string) {
		for _, id := range ids {
			if bytes += len(id) + 2; bytes > maxLists {
				parts, part, bytes = append(parts, part), lists{}, len(id)+2
			}
			*to() = append(*to(), id)
		}
	}
	add(func() *[]string { return &part.Targets }, l.Targets)
	add(func() *[]string { return &part.Offline }, l.Offline)
	add(func() *[]string { return &part.Missing }, l.Missing)
	return append(parts, part)
}

// LoadRecord reads a job's record with its lists, and the record's revision. ErrNoJob if there
// is none. Any CORE connection may call it.
func LoadRecord(ctx context.Context, c *bus.Conn, jid string) (*Record, uint64, error) {
	if err := CheckID(jid); err != nil {
		return nil, 0, err
	}
	e, err := c.Get(ctx, bus.BucketJobs, jid)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, fmt.Errorf("job %s: %w", jid, ErrNoJob)
	}
	if err != nil {
		return nil, 0, err
	}
	r, err := decodeRecord(e)
	if err == nil && r.Parts > 0 {
		err = r.loadLists(ctx, c)
	}
	if err != nil {
		return nil, 0, err
	}
	return r, e.Revision, nil
}

// decodeRecord reads a record, whose lists may be elsewhere.
func decodeRecord(e bus.Entry) (*Record, error) {
	r := &Record{}
	if err := bus.Unmarshal(e.Value, r); err != nil {
		return nil, fmt.Errorf("job %s: %w", e.Key, err)
	}
	for i := range r.Args {
		r.Args[i] = bus.Plain(r.Args[i])
	}
	for k := range r.Kwargs {
		r.Kwargs[k] = bus.Plain(r.Kwargs[k])
	}
	return r, nil
}

// loadLists reads the lists of a record that does not hold them.
func (r *Record) loadLists(ctx context.Context, c *bus.Conn) error {
	names := make([]string, r.Parts)
	for i := range names {
		names[i] = partKey(r, i)
	}
	parts, err := c.GetMany(ctx, bus.BucketJobs, names...)
	if err != nil {
		return err
	}
	if len(parts) != r.Parts {
		return fmt.Errorf("job %s: %d of the %d parts of its list of targets are missing", r.JID, r.Parts-len(parts), r.Parts)
	}
	for _, p := range parts {
		var l lists
		if err := bus.Unmarshal(p.Value, &l); err != nil {
			return fmt.Errorf("job %s: %w", r.JID, err)
		}
		r.Targets, r.Offline, r.Missing = append(r.Targets, l.Targets...), append(r.Offline, l.Offline...), append(r.Missing, l.Missing...)
	}
	return nil
}

// note is what followers of the job are told of the record.
func (r *Record) note() Note {
	n := Note{Error: r.Error, Targets: r.Targets, Offline: r.Offline, Missing: r.Missing, Until: r.until()}
	if listBytes(r.Targets, r.Offline, r.Missing) > maxLists {
		n.Targets, n.Offline, n.Missing, n.Stored = nil, nil, nil, true
	}
	return n
}

// awaited are all peels that are to return.
func (r *Record) awaited() []string {
	if !r.Wait || len(r.Offline) == 0 {
		return r.Targets
	}
	return slices.Concat(r.Targets, r.Offline)
}

// until is when the job ends for those who have to connect first; zero if they are not waited for.
func (r *Record) until() time.Time {
	switch {
	case !r.Wait:
		return time.Time{}
	case !r.Expires.IsZero() && r.Expires.Before(r.Deadline):
		return r.Expires
	}
	return r.Deadline
}

// end is when a peel must be done that is given the job now.
func (r *Record) end(now time.Time) time.Time {
	if end := now.Add(r.Timeout); (r.Wait || r.inBatches()) && end.Before(r.Deadline) {
		return end
	}
	return r.Deadline
}
