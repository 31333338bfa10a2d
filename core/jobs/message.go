package jobs

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ptorbus/zester/core/bus"
)

// Limits of what may be asked.
const (
	// DefaultTimeout is a job's time where the request names none; MaxTimeout is the most.
	DefaultTimeout = time.Minute
	MaxTimeout     = 24 * time.Hour
	// DefaultExpires is how long a job waits for peels that are not connected where the request
	// says that it does, and not how long; MaxExpires is the most: as long as records are kept.
	DefaultExpires = 24 * time.Hour
	MaxExpires     = 7 * 24 * time.Hour

	maxRequest  = 512 << 10 // encoded; leaves room for signature and proof under max_payload
	maxTarget   = 64 << 10
	maxFunction = 128
	maxComment  = 1 << 10
)

// Request is what an operator asks for.
type Request struct {
	JID      string         `msgpack:"jid"` // Submit sets it where it is empty
	Target   string         `msgpack:"target"`
	Function string         `msgpack:"function"`
	Args     []any          `msgpack:"args"`
	Kwargs   map[string]any `msgpack:"kwargs"`
	// Timeout covers the whole job: waiting for a master, delivery, the peel's queue, the function.
	Timeout time.Duration `msgpack:"timeout"`
	Comment string        `msgpack:"comment"`
	// Wait gives the job to peels that are not connected when they connect, until Expires after
	// its submission. Timeout is then what each peel has from the moment it is given the job.
	Wait    bool          `msgpack:"wait"`
	Expires time.Duration `msgpack:"expires"`
	// ByDefault has the masters' Defaults for the operator decide over Wait, and over Expires
	// where that is 0.
	ByDefault bool `msgpack:"by_default"`
	// NoQueue has a busy peel refuse the job rather than let it wait for its turn.
	NoQueue bool `msgpack:"no_queue"`
	// Stream asks the peels to show what commands print while they run, for those who follow the job: as Output.
	Stream bool `msgpack:"stream,omitempty"`
	// Batch releases the job bit by bit. Timeout is then what each peel has from its release.
	Batch Batch `msgpack:"batch"`
}

// Check says what is wrong with a request, the job id apart. Zero Timeout is right: it means DefaultTimeout.
func (r *Request) Check() error {
	switch {
	case strings.TrimSpace(r.Target) == "":
		return fmt.Errorf("the target is empty: name peels, e.g. '*'")
	case len(r.Target) > maxTarget:
		return fmt.Errorf("the target has %d bytes: at most %d are allowed; use a group or facts", len(r.Target), maxTarget)
	case !utf8.ValidString(r.Target):
		return fmt.Errorf("the target is not UTF-8")
	case len(r.Comment) > maxComment:
		return fmt.Errorf("the comment has %d bytes: at most %d are allowed", len(r.Comment), maxComment)
	case r.Timeout < 0 || r.Timeout > MaxTimeout:
		return fmt.Errorf("timeout %s: use more than 0 and at most %s", r.Timeout, MaxTimeout)
	case r.Expires < 0 || r.Expires > MaxExpires:
		return fmt.Errorf("expires %s: use more than 0 and at most %s", r.Expires, MaxExpires)
	case r.Expires != 0 && !r.Wait && !r.ByDefault:
		return fmt.Errorf("expires %s: only a job that waits for peels to connect expires: ask for that with --when-offline wait", r.Expires)
	}
	if err := r.Batch.check(); err != nil {
		return err
	}
	return checkFunction(r.Function)
}

func checkFunction(name string) error {
	module, function, ok := strings.Cut(name, ".")
	if !ok || module == "" || function == "" || len(name) > maxFunction || strings.Trim(name, functionChars) != "" {
		return fmt.Errorf("function %.60q: want <module>.<function>, like test.ping", name)
	}
	return nil
}

const functionChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// decodeRequest reads what an operator sent: any bytes at all.
func decodeRequest(data []byte) (Request, error) {
	if len(data) > maxRequest {
		return Request{}, fmt.Errorf("the request has %d bytes: at most %d are allowed; publish large contents as a file of the tree", len(data), maxRequest)
	}
	var r Request
	if err := bus.Unmarshal(data, &r); err != nil {
		return Request{}, fmt.Errorf("the request cannot be read: %w", err)
	}
	r.plain()
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if r.Wait && !r.ByDefault && r.Expires == 0 {
		r.Expires = DefaultExpires
	}
	return r, nil
}

// Defaults are what holds for an operator's jobs that say nothing of it themselves.
type Defaults struct {
	Wait    bool
	Expires time.Duration // 0 is DefaultExpires
}

// settle makes a request say itself what is left to the defaults.
func (r *Request) settle(d Defaults) {
	if !r.ByDefault {
		return
	}
	r.ByDefault, r.Wait = false, d.Wait
	if d.Wait && r.Expires == 0 {
		r.Expires = cmp.Or(d.Expires, DefaultExpires)
	}
}

// requestID reads no more of a request than its job's id; empty if there is none.
func requestID(data []byte) string {
	var r struct {
		JID string `msgpack:"jid"`
	}
	if len(data) > maxRequest || bus.Unmarshal(data, &r) != nil {
		return ""
	}
	return r.JID
}

func (r *Request) plain() {
	for i := range r.Args {
		r.Args[i] = bus.Plain(r.Args[i])
	}
	for k := range r.Kwargs {
		r.Kwargs[k] = bus.Plain(r.Kwargs[k])
	}
}

// Note is what a master tells the submitter of a job, and whoever else follows it.
type Note struct {
	Error   string   `msgpack:"error"`   // the request was refused, and why
	Targets []string `msgpack:"targets"` // who is waited for
	Offline []string `msgpack:"offline"` // matched, but not connected
	Missing []string `msgpack:"missing"` // named in full, but unknown
	Stored  bool     `msgpack:"stored"`  // the lists are too long for a note: read the record
	// Until is when a job ends that Offline get when they connect; zero if they do not.
	Until time.Time `msgpack:"until"`
}

// Return is a peel's result of a job.
type Return struct {
	JID      string `msgpack:"jid"`
	Peel     string `msgpack:"peel"`
	Function string `msgpack:"function"`
	// Success is the function's own verdict; Retcode is 0 then, else what a shell would show.
	Success bool   `msgpack:"success"`
	Retcode int    `msgpack:"retcode"`
	Value   any    `msgpack:"value"` // plain data
	Error   string `msgpack:"error"`
	// A value too large for one message comes in Parts messages of its own, with Size bytes and
	// this SHA-256 together; Value is nil until they are read.
	Parts  int    `msgpack:"parts,omitempty"`
	Size   int    `msgpack:"size,omitempty"`
	Digest []byte `msgpack:"digest,omitempty"`
	// Cut says that the value was too large to be returned and Error tells of it.
	Cut bool `msgpack:"cut"`
	// Reason says why the function did not come to its own end; empty if it did.
	Reason   Reason        `msgpack:"reason"`
	Started  time.Time     `msgpack:"started"` // by the peel's clock; zero if it never started
	Duration time.Duration `msgpack:"duration"`
}

// Reason says why a function did not come to its own end.
type Reason string

const (
	ReasonBusy        Reason = "busy"        // the peel's queue was full: it never started
	ReasonTimeout     Reason = "timeout"     // the job's time was up, before it started or while it ran
	ReasonInterrupted Reason = "interrupted" // the peel stopped or crashed while it ran; it is not run again
	ReasonCancelled   Reason = "cancelled"   // an operator cancelled the job, before it started or while it ran
	ReasonPanic       Reason = "panic"       // a fault in the function itself
	ReasonNotRecorded Reason = "unrecorded"  // the peel could not write its journal: it never started
)

// Failed says whether the return counts as a failure: the function's, or that of returning its value.
func (r *Return) Failed() bool { return !r.Success || r.Cut }

// DecodeReturn reads a return from its subject and bytes. Job and peel are the subject's, which
// NATS vouches for; the rest is the peel's word.
func DecodeReturn(subject string, data []byte) (Return, error) {
	jid, kind, peel, ok := bus.ParseJobSubject(subject)
	if !ok || kind != "return" {
		return Return{}, fmt.Errorf("%q is not the subject of a return", subject)
	}
	var r Return
	if err := bus.Unmarshal(data, &r); err != nil {
		return Return{}, fmt.Errorf("the return of %q cannot be read: %w", peel, err)
	}
	r.JID, r.Peel, r.Value = jid, peel, bus.Plain(r.Value)
	return r, nil
}
