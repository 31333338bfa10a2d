package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/config"
)

// Identity is a peel's key pair. Its seed never leaves the peel.
type Identity struct {
	pair   nkeys.KeyPair
	seed   []byte
	public string
	curve  nkeys.KeyPair
	xkey   string
}

// NewIdentity makes a fresh one.
func NewIdentity() (*Identity, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	return LoadIdentity(seed)
}

// LoadIdentity makes an Identity of its seed, "SU...".
func LoadIdentity(seed []byte) (*Identity, error) {
	seed = []byte(strings.TrimSpace(string(seed)))
	prefix, _, err := nkeys.DecodeSeed(seed)
	switch {
	case err != nil:
		return nil, errors.New("not a seed")
	case prefix != nkeys.PrefixByteUser:
		return nil, fmt.Errorf("%s instead of a user seed (\"SU...\")", seedKind(prefix))
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, err
	}
	curve, err := deriveCurve(seed, peelCurve)
	if err != nil {
		return nil, err
	}
	i := &Identity{pair: pair, seed: seed, curve: curve}
	if i.public, err = pair.PublicKey(); err != nil {
		return nil, err
	}
	if i.xkey, err = curve.PublicKey(); err != nil {
		return nil, err
	}
	return i, nil
}

// LoadOrCreate reads a peel's seed file, or makes a new identity and writes it there (0600).
// A file that is there but cannot be used is an error and never replaced.
func LoadOrCreate(path string) (*Identity, error) {
	seed, err := readSecret(path, "the peel makes one when it enrolls")
	if errors.Is(err, fs.ErrNotExist) {
		i, err := NewIdentity()
		if err != nil {
			return nil, err
		}
		return i, config.WriteFile(path, append(i.Seed(), '\n'), 0o600)
	}
	if err != nil {
		return nil, err
	}
	i, err := LoadIdentity(seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: restore it, or remove it to enroll this peel anew", path, err)
	}
	return i, nil
}

// Public is the peel's public key, "U...".
func (i *Identity) Public() string { return i.public }

// Seed is a copy of the peel's seed, "SU...".
func (i *Identity) Seed() []byte { return append([]byte(nil), i.seed...) }

// Curve is the public key, "X...", to which masters seal data for this peel.
func (i *Identity) Curve() string { return i.xkey }

// Sign signs a server's nonce or an enrollment request.
func (i *Identity) Sign(data []byte) ([]byte, error) { return i.pair.Sign(data) }
