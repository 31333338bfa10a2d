package jobs

import "time"

// Event is something that happened to a job: Queued, Addressed, Refused, Acked, Declined, Output or
// Return, and Cancelled, Held or Postponed.
type Event interface{ event() }

// Queued says that no master has taken the request yet. It waits safely in the queue, until
// the job's time is up.
type Queued struct{}

// Addressed says whom the masters have addressed.
type Addressed struct {
	Targets []string // connected, and waited for
	Offline []string // matched but not connected; not waited for
	Missing []string // named in full, but unknown
	// Until is when the job ends that Offline get when they connect; zero if they do not.
	Until time.Time
}

// Postponed are peels that had left when it was their turn in a job in batches. They get the job
// when they connect, until Until.
type Postponed struct {
	Peels []string
	Until time.Time
}

// Refused says that the masters have refused the request, and why.
type Refused struct{ Reason string }

// Cancelled says that an operator has ended the job before its time.
type Cancelled struct{ By string }

// Held says that a job in batches does not go on: paused for a while, or Stopped for good.
type Held struct {
	Why     string
	Stopped bool
}

// Acked says that a peel has taken the job.
type Acked struct{ Peel string }

// Declined says that a peel has not taken the job, and why. It may do so later.
type Declined struct {
	Peel string
	Decline
}

func (Queued) event()    {}
func (Addressed) event() {}
func (Postponed) event() {}
func (Refused) event()   {}
func (Cancelled) event() {}
func (Held) event()      {}
func (Acked) event()     {}
func (Declined) event()  {}
func (Return) event()    {}

// Summary is what became of a job, as far as its follower knows.
type Summary struct {
	JID       string
	Targets   []string
	Offline   []string // that have not returned, if they have connected meanwhile
	Missing   []string
	Returned  int      // of Targets
	Failed    []string // of those that returned, in the order they did
	Silent    []Silent // of Targets, those that did not return
	Queued    bool     // no master has taken it
	Refused   string   // why it was refused
	Cancelled string   // by whom it was cancelled
	Stopped   string   // why its later batches were not released
	Err       error    // the bus failed, or the follower's context ended
}

// Silent is a target that has not returned.
type Silent struct {
	Peel  string
	Acked bool // it has taken the job, and may still be at it
	// Unreleased: its turn in a job in batches had not come. Absent: it was not connected when it
	// was submitted, or its turn came, and has not been given the job.
	Unreleased, Absent bool
	// Declined is why it has not taken the job, if it said so.
	Declined *Decline
}

// Exit codes of a program that ran a job.
const (
	ExitOK      = 0 // all succeeded
	ExitError   = 1 // the client or the bus failed, or the request was refused: no peel matches, say
	ExitFailed  = 2 // some target failed
	ExitSilent  = 3 // some target did not answer: silent, not connected or unknown
	ExitPartial = 4 // both
)

// ExitCode is the exit code that tells of the job.
func (s *Summary) ExitCode() int {
	silent := len(s.Silent)+len(s.Offline)+len(s.Missing) > 0
	switch {
	case s.Err != nil || s.Refused != "":
		return ExitError
	case s.Queued:
		return ExitSilent
	case silent && len(s.Failed) > 0:
		return ExitPartial
	case silent:
		return ExitSilent
	case len(s.Failed) > 0:
		return ExitFailed
	}
	return ExitOK
}
