package keys

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// CommandKind says what a peel is to do with a command's job.
type CommandKind string

const (
	// Run starts the job.
	Run CommandKind = "run"
	// Cancel ends it.
	Cancel CommandKind = "cancel"
)

// Command is what a master tells peels to do. Args and Kwargs are plain data.
type Command struct {
	JID      string         `msgpack:"jid"`
	Kind     CommandKind    `msgpack:"kind"`
	Function string         `msgpack:"function"` // module.function
	Args     []any          `msgpack:"args"`
	Kwargs   map[string]any `msgpack:"kwargs"` // test=True is one of them
	Operator string         `msgpack:"operator"`
	Issued   time.Time      `msgpack:"issued"`
	Expires  time.Time      `msgpack:"expires"` // no peel begins it later
	// Until is how long commands of this job may come, each with an end of its own; a peel
	// remembers the job at least until then. Zero means Expires.
	Until time.Time `msgpack:"until"`
	// NoQueue asks the peel to refuse the job rather than to let it wait for another.
	NoQueue bool `msgpack:"no_queue"`
	// Stream asks the peel to show what commands print while they run.
	Stream bool `msgpack:"stream,omitempty"`
}

// Last is when the last command of the job will have expired.
func (c *Command) Last() time.Time {
	if c.Until.After(c.Expires) {
		return c.Until
	}
	return c.Expires
}

func (c Command) check() error {
	switch {
	case c.JID == "":
		return errors.New("no job id")
	case c.Kind != Run && c.Kind != Cancel:
		return fmt.Errorf("kind %q is neither %q nor %q", c.Kind, Run, Cancel)
	case c.Kind == Run && c.Function == "":
		return errors.New("no function")
	case !c.Expires.After(c.Issued):
		return errors.New("it expires before it is issued")
	}
	return nil
}

// A delivery is: version, signature, root, leaf index, leaf count, proof, payload. The proof's
// length follows from index and count, so there is one encoding of everything.
const (
	deliveryVersion = 1
	signatureSize   = 64
	deliveryHead    = 1 + signatureSize + sha256.Size + 4 + 4
	commandDomain   = "zester command v1\x00"
)

// Signed is a command signed for a set of peels. It is safe for concurrent use.
type Signed struct {
	targets []string
	payload []byte
	sig     []byte
	tree    tree
}

// signedPart is what the signature covers: the payload, and the whole set of targets.
func signedPart(payload []byte, root digest, count uint32) []byte {
	sum := sha256.Sum256(payload)
	b := make([]byte, 0, len(commandDomain)+2*sha256.Size+4)
	b = append(b, commandDomain...)
	b = append(b, sum[:]...)
	b = append(b, root[:]...)
	return binary.BigEndian.AppendUint32(b, count)
}

// SignCommand signs a command for the targets, which are peel ids without duplicates; their
// order is Delivery's. It costs one signature and two hashes per target.
func (a *Account) SignCommand(cmd Command, targets []string) (*Signed, error) {
	if err := cmd.check(); err != nil {
		return nil, fmt.Errorf("sign a command: %w", err)
	}
	if len(targets) == 0 || len(targets) > math.MaxInt32 {
		return nil, fmt.Errorf("sign a command: %d targets", len(targets))
	}
	cmd.Issued, cmd.Expires, cmd.Until = cmd.Issued.UTC(), cmd.Expires.UTC(), cmd.Until.UTC()
	payload, err := bus.Marshal(cmd)
	if err != nil {
		return nil, fmt.Errorf("sign a command: %w", err)
	}
	t := newTree(targets)
	sig, err := a.Sign(signedPart(payload, t.root(), uint32(len(targets))))
	if err != nil {
		return nil, fmt.Errorf("sign a command: %w", err)
	}
	return &Signed{targets: targets, payload: payload, sig: sig, tree: t}, nil
}

// Len is the number of targets.
func (s *Signed) Len() int { return len(s.targets) }

// Target is the peel that Delivery(i) is for.
func (s *Signed) Target(i int) string { return s.targets[i] }

// Delivery is what to send to target i: the command and about 105 bytes, with 32 more for
// each doubling of the number of targets.
func (s *Signed) Delivery(i int) []byte {
	n := uint32(len(s.targets))
	proof := proofHashes(uint32(i), n) * sha256.Size
	b := make([]byte, 0, deliveryHead+proof+len(s.payload))
	root := s.tree.root()
	b = append(b, deliveryVersion)
	b = append(b, s.sig...)
	b = append(b, root[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(i))
	b = binary.BigEndian.AppendUint32(b, n)
	b = s.tree.appendProof(b, i)
	return append(b, s.payload...)
}
