package keys

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
)

var (
	// ErrMalformed: the bytes are not a command.
	ErrMalformed = errors.New("malformed command")
	// ErrNotTarget: the command is genuine and for other peels.
	ErrNotTarget = errors.New("the command is not for this peel")
	// ErrExpired: the command is genuine and too old, or from a clock that is ahead.
	ErrExpired = errors.New("the command has expired")
)

// ClockSkew is how far a peel's clock may be behind a master's.
const ClockSkew = 2 * time.Second

// TimeError is the ErrExpired of a genuine command for this peel, and what is known of it.
type TimeError struct {
	JID             string
	Issued, Expires time.Time
	Now             time.Time // as Verify was told
}

// Early is how far in the future the command was issued; 0 if it is too late.
func (e *TimeError) Early() time.Duration { return max(0, e.Issued.Sub(e.Now)) }

// Late is how long ago the command expired; 0 if it is too early.
func (e *TimeError) Late() time.Duration { return max(0, e.Now.Sub(e.Expires)) }

func (e *TimeError) Error() string {
	if e.Early() > 0 {
		return fmt.Sprintf("%s: it was issued %s in the future: compare the clocks of this peel and its master", ErrExpired, e.Early().Round(time.Second))
	}
	return fmt.Sprintf("%s, %s ago by this peel's clock: if it has not been on its way that long, compare the clocks of this peel and its master", ErrExpired, e.Late().Round(time.Second))
}

// Is makes a TimeError an ErrExpired.
func (e *TimeError) Is(target error) bool { return target == ErrExpired }

// VerifyCommand returns the command in a delivery if the account has signed it, for this peel,
// and it has not expired; else ErrMalformed, ErrSignature, ErrNotTarget or a *TimeError, which
// is ErrExpired. That a job is run once only is for the peel's record of job ids to say.
func VerifyCommand(accountPublic, peel string, now time.Time, data []byte) (Command, error) {
	v, err := NewVerifier(accountPublic)
	if err != nil {
		return Command{}, err
	}
	return v.Verify(peel, now, data)
}

// Verifier verifies the commands of one account. It remembers the signatures it found good, so
// that many peels in one process check a job's signature once. It is safe for concurrent use.
type Verifier struct {
	key  nkeys.KeyPair
	mu   sync.Mutex
	good map[digest]struct{}
	ring [128]digest // the oldest is forgotten first
	next int
}

// NewVerifier makes a Verifier for the account with this public key.
func NewVerifier(accountPublic string) (*Verifier, error) {
	if !nkeys.IsValidPublicAccountKey(accountPublic) {
		return nil, fmt.Errorf("%.60q is not an account's public key (\"A...\")", accountPublic)
	}
	key, err := nkeys.FromPublicKey(accountPublic)
	if err != nil {
		return nil, err
	}
	return &Verifier{key: key, good: map[digest]struct{}{}}, nil
}

// Verify is VerifyCommand.
func (v *Verifier) Verify(peel string, now time.Time, data []byte) (Command, error) {
	if len(data) < deliveryHead || data[0] != deliveryVersion {
		return Command{}, ErrMalformed
	}
	sig, rest := data[1:1+signatureSize], data[1+signatureSize:]
	root, rest := digest(rest[:sha256.Size]), rest[sha256.Size:]
	index, count, rest := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:]), rest[8:]
	if index >= count {
		return Command{}, ErrMalformed
	}
	size := proofHashes(index, count) * sha256.Size
	if len(rest) < size {
		return Command{}, ErrMalformed
	}
	proof, payload := rest[:size], rest[size:]
	if !v.signed(signedPart(payload, root, count), sig) {
		return Command{}, ErrSignature
	}
	if provenRoot(leafHash(peel), index, count, proof) != root {
		return Command{}, ErrNotTarget
	}
	return decodeCommand(payload, now)
}

// decodeCommand reads a payload whose signature is good.
func decodeCommand(payload []byte, now time.Time) (Command, error) {
	var cmd Command
	if err := bus.Unmarshal(payload, &cmd); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := cmd.check(); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for i, a := range cmd.Args {
		cmd.Args[i] = bus.Plain(a)
	}
	for k, a := range cmd.Kwargs {
		cmd.Kwargs[k] = bus.Plain(a)
	}
	cmd.Issued, cmd.Expires, cmd.Until = cmd.Issued.UTC(), cmd.Expires.UTC(), cmd.Until.UTC()
	if now.After(cmd.Expires) || cmd.Issued.Sub(now) > ClockSkew {
		return Command{}, &TimeError{JID: cmd.JID, Issued: cmd.Issued, Expires: cmd.Expires, Now: now}
	}
	return cmd, nil
}

func (v *Verifier) signed(part, sig []byte) bool {
	h := sha256.New()
	h.Write(part)
	h.Write(sig)
	id := digest(h.Sum(nil))
	v.mu.Lock()
	_, known := v.good[id]
	v.mu.Unlock()
	if known {
		return true
	}
	if v.key.Verify(part, sig) != nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.good[id]; !known {
		delete(v.good, v.ring[v.next])
		v.good[id], v.ring[v.next] = struct{}{}, id
		v.next = (v.next + 1) % len(v.ring)
	}
	return true
}
