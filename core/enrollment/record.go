package enrollment

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// State is how far an enrollment has come.
type State string

// The states of a record.
const (
	Pending  State = "pending"  // waits for an operator
	Approved State = "approved" // may fetch its credentials
	Rejected State = "rejected" // is refused until the record is removed
	Issued   State = "issued"   // has fetched its credentials
	Active   State = "active"   // has connected with them
)

// Member says whether a record in this state belongs to the fleet.
func (s State) Member() bool { return s == Approved || s == Issued || s == Active }

// Record is what is known about one peel's enrollment.
type Record struct {
	ID      string            `msgpack:"id"`
	Public  string            `msgpack:"public"`          // the user nkey, U...
	Curve   string            `msgpack:"curve"`           // the curve key that settings are sealed to, X...
	Address string            `msgpack:"address"`         // where the request came from
	Facts   map[string]string `msgpack:"facts,omitempty"` // what the peel says of itself: hostname, os, version
	State   State             `msgpack:"state"`

	Requested time.Time `msgpack:"requested"`
	Decided   time.Time `msgpack:"decided"`    // when it was approved or rejected
	DecidedBy string    `msgpack:"decided_by"` // by which operator
	IssuedAt  time.Time `msgpack:"issued"`     // when a JWT was last handed out
	Expires   time.Time `msgpack:"expires"`    // when that JWT ends
	ActiveAt  time.Time `msgpack:"active"`     // when the peel was first seen on the bus
}

// toUTC undoes the decoder's conversion to local time.
func (r *Record) toUTC() {
	for _, t := range []*time.Time{&r.Requested, &r.Decided, &r.IssuedAt, &r.Expires, &r.ActiveAt} {
		*t = t.UTC()
	}
}

// Fingerprint is the short form of the record's keys for people to compare.
func (r Record) Fingerprint() string { return Fingerprint(r.Public, r.Curve) }

// Fingerprint is a digest of a peel's two public keys. The peel logs it and the operator sees it; where they are equal,
// the pending request is that host's and nobody else's.
func Fingerprint(public, curve string) string {
	sum := sha256.Sum256(statement("fingerprint", public, curve))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// ErrUnknown: no peel of that id has asked to enroll.
var ErrUnknown = errors.New("not enrolled")

// StateError refuses a step that the record's state does not allow.
type StateError struct {
	ID    string
	State State
	By    string // the operator who decided, if one has
	step  step
}

func (e *StateError) Error() string {
	switch {
	case e.step == approve && e.State == Rejected:
		return fmt.Sprintf("peel %q was rejected by %s: to let it ask again, run `zester enroll remove %s`", e.ID, e.By, e.ID)
	case e.step == approve:
		return fmt.Sprintf("peel %q is %s already, approved by %s", e.ID, e.State, e.By)
	case e.step == reject && e.State == Rejected:
		return fmt.Sprintf("peel %q is rejected already, by %s", e.ID, e.By)
	case e.step == reject:
		return fmt.Sprintf("peel %q is %s and has its credentials: to drop it from the fleet, run `zester enroll remove %s`", e.ID, e.State, e.ID)
	}
	return fmt.Sprintf("peel %q is %s: credentials cannot be issued or used", e.ID, e.State)
}

// KeyError refuses a key other than the one that is on record.
type KeyError struct {
	ID    string // the id that was asked for
	Other string // the id that has the key already, if that is what stands in the way
}

func (e *KeyError) Error() string {
	if e.Other != "" {
		return fmt.Sprintf("this key is enrolled already as %q, so %q cannot have it: a copied machine needs a key of its own; remove the copied one from it, or run `zester enroll remove %s` if the peel was renamed", e.Other, e.ID, e.Other)
	}
	return fmt.Sprintf("peel id %q is enrolled already with another key: if this host replaces that one, run `zester enroll remove %s` first; otherwise choose another --id", e.ID, e.ID)
}

// step is something that happens to a record.
type step int

const (
	approve step = iota
	reject
	issue
	activate
)

// steps says from which states a step may be taken, and where it leads. Asking for credentials again, with the same key,
// is how a peel recovers from an answer it lost.
var steps = map[step]map[State]State{
	approve:  {Pending: Approved},
	reject:   {Pending: Rejected, Approved: Rejected},
	issue:    {Approved: Issued, Issued: Issued, Active: Active},
	activate: {Issued: Active, Active: Active},
}

// take moves the record on or returns a *StateError.
func (r *Record) take(s step) error {
	next, ok := steps[s][r.State]
	if !ok {
		return &StateError{ID: r.ID, State: r.State, By: r.DecidedBy, step: s}
	}
	r.State = next
	return nil
}
