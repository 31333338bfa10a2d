package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/nats-io/nkeys"
)

// What a curve key is derived for, so that one seed never gives the same key for two uses.
const (
	accountCurve = "zester account curve v1"
	peelCurve    = "zester peel curve v1"
)

// deriveCurve makes the X25519 pair that belongs to an Ed25519 seed.
func deriveCurve(seed []byte, use string) (nkeys.KeyPair, error) {
	_, raw, err := nkeys.DecodeSeed(seed)
	if err != nil {
		return nil, err
	}
	secret, err := hkdf.Key(sha256.New, raw, nil, use, 32)
	if err != nil {
		return nil, err
	}
	encoded, err := nkeys.EncodeSeed(nkeys.PrefixByteCurve, secret)
	if err != nil {
		return nil, err
	}
	return nkeys.FromCurveSeed(encoded)
}

// curveKeyLen is the length of a curve key in text.
const curveKeyLen = 56

// sealTo encrypts to a curve key from a pair made for this one message, whose public half is
// put in front: the receiver needs to know nobody, and who wrote it is for a signature to say.
func sealTo(curve string, plaintext []byte) ([]byte, error) {
	once, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, err
	}
	from, err := once.PublicKey()
	if err != nil {
		return nil, err
	}
	box, err := once.Seal(plaintext, curve)
	if err != nil {
		return nil, fmt.Errorf("curve key %q: %w", curve, err)
	}
	return append([]byte(from), box...), nil
}

// openFrom undoes sealTo.
func openFrom(key nkeys.KeyPair, sealed []byte) ([]byte, error) {
	if len(sealed) < curveKeyLen {
		return nil, nkeys.ErrInvalidEncrypted
	}
	return key.Open(sealed[curveKeyLen:], string(sealed[:curveKeyLen]))
}
