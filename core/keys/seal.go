package keys

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrContext: sealed data was made for another use.
	ErrContext = errors.New("sealed for another use")
	// ErrNotForPeel: sealed data was made for another peel, or is damaged.
	ErrNotForPeel = errors.New("sealed to another peel, or damaged")
)

const sealDomain = "zester sealed v1\x00"

// sealDigest is what the account signs: the use, the receiver, the time and the content.
// With the receiver in it, a peel that has opened its own data cannot pass it on as another's.
func sealDigest(context, curve string, at int64, plaintext []byte) []byte {
	h := sha256.New()
	var n [8]byte
	put := func(v uint64) { binary.BigEndian.PutUint64(n[:], v); h.Write(n[:]) }
	h.Write([]byte(sealDomain))
	put(uint64(len(context)))
	h.Write([]byte(context))
	put(uint64(len(curve)))
	h.Write([]byte(curve))
	put(uint64(at))
	h.Write(plaintext)
	return h.Sum([]byte(sealDomain))
}

// sealHead is the fixed part inside the seal: signature, time, length of the context.
const sealHead = 64 + 8 + 2

// Seal signs plaintext for one use, context, and encrypts it so that only the holder of the
// curve key can read it. The context is at most 64 KiB and should name use and receiver.
func (a *Account) Seal(peelCurve, context string, plaintext []byte) ([]byte, error) {
	if len(context) > 1<<16-1 {
		return nil, fmt.Errorf("seal: a context of %d bytes is too long", len(context))
	}
	at := time.Now().UnixNano()
	sig, err := a.Sign(sealDigest(context, peelCurve, at, plaintext))
	if err != nil {
		return nil, err
	}
	inner := make([]byte, 0, sealHead+len(context)+len(plaintext))
	inner = append(inner, sig...)
	inner = binary.BigEndian.AppendUint64(inner, uint64(at))
	inner = binary.BigEndian.AppendUint16(inner, uint16(len(context)))
	inner = append(inner, context...)
	inner = append(inner, plaintext...)
	return sealTo(peelCurve, inner)
}

// Open reads what the account sealed to this peel for the use that context names. It returns
// ErrNotForPeel, ErrSignature or ErrContext for anything else.
func (i *Identity) Open(accountPublic, context string, sealed []byte) ([]byte, error) {
	plaintext, _, err := i.OpenDated(accountPublic, context, sealed)
	return plaintext, err
}

// OpenDated is Open and tells when the data was sealed, by the sealing master's clock, for
// callers that must not go back to something older than what they have.
func (i *Identity) OpenDated(accountPublic, context string, sealed []byte) ([]byte, time.Time, error) {
	inner, err := openFrom(i.curve, sealed)
	if err != nil || len(inner) < sealHead {
		return nil, time.Time{}, ErrNotForPeel
	}
	sig, at := inner[:64], int64(binary.BigEndian.Uint64(inner[64:]))
	n, rest := int(binary.BigEndian.Uint16(inner[72:])), inner[sealHead:]
	if n > len(rest) {
		return nil, time.Time{}, ErrNotForPeel
	}
	made, plaintext := string(rest[:n]), rest[n:]
	if err := Verify(accountPublic, sealDigest(made, i.xkey, at, plaintext), sig); err != nil {
		return nil, time.Time{}, err
	}
	if made != context {
		return nil, time.Time{}, fmt.Errorf("%w: %q instead of %q", ErrContext, made, context)
	}
	return plaintext, time.Unix(0, at), nil
}
