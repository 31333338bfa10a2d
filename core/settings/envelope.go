package settings

import (
	"crypto/sha256"
	"fmt"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// Account is the masters' key, as far as settings need it; *keys.Account is one.
type Account interface {
	Sign(data []byte) ([]byte, error)
	Seal(peelCurve, context string, plaintext []byte) ([]byte, error)
	DecryptValue(text string) ([]byte, error)
}

var _ Account = (*keys.Account)(nil)

// envelope is what the bucket holds for a peel. What is outside Sealed is for masters: whoever cannot compute the
// digests cannot make them believe it, and a peel does not look at it.
type envelope struct {
	Sealed      []byte `msgpack:"sealed"`
	Serial      int64  `msgpack:"serial"`
	Mark        []byte `msgpack:"mark"`        // serialMark
	Fingerprint []byte `msgpack:"fingerprint"` // of everything
}

// content is what is sealed. The serial is the time of sealing in Unix nanoseconds, and always more than that of the set before.
type content struct {
	Serial int64          `msgpack:"serial"`
	Data   map[string]any `msgpack:"data"`
}

func sealContext(id string) string { return "settings:" + id }

func seal(a Account, id, curve string, c content) ([]byte, error) {
	plain, err := bus.Marshal(c)
	if err != nil {
		return nil, err
	}
	return a.Seal(curve, sealContext(id), plain)
}

// open reads an envelope as the peel it was made for.
func open(identity *keys.Identity, account, id string, data []byte) (content, error) {
	var e envelope
	if err := bus.Unmarshal(data, &e); err != nil {
		return content{}, err
	}
	plain, err := identity.Open(account, sealContext(id), e.Sealed)
	if err != nil {
		return content{}, err
	}
	var c content
	if err := bus.Unmarshal(plain, &c); err != nil {
		return content{}, err
	}
	for k, v := range c.Data {
		c.Data[k] = bus.Plain(v)
	}
	if c.Data == nil {
		c.Data = map[string]any{}
	}
	return c, nil
}

// fingerprintKey derives the masters' key for fingerprints: the account's signature, which is the same each time, of a text
// that is signed for nothing else.
func fingerprintKey(a Account) ([]byte, error) {
	sig, err := a.Sign([]byte("zester settings fingerprint key v1\x00"))
	if err != nil {
		return nil, fmt.Errorf("derive the fingerprint key: %w", err)
	}
	key := sha256.Sum256(sig)
	return key[:], nil
}
