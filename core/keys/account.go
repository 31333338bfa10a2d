package keys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"
)

// ErrSignature: a signature is not by the key that should have made it.
var ErrSignature = errors.New("the signature is not the account's")

// Account is the PEELS account with its private key, which masters hold.
type Account struct {
	pair   nkeys.KeyPair
	public string
	curve  nkeys.KeyPair
	xkey   string
}

// LoadAccount reads account.seed, which must be readable by its owner only.
func LoadAccount(path string) (*Account, error) {
	data, err := readSecret(path, `"zester bootstrap" makes one, and every master needs a copy of the same`)
	if err != nil {
		return nil, err
	}
	a, err := NewAccount(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it must be the seed of the PEELS account, as made by \"zester bootstrap\"", path, err)
	}
	return a, nil
}

// NewAccount makes an Account of its seed, "SA..." with white space around it or not.
func NewAccount(seed []byte) (*Account, error) {
	seed = []byte(strings.TrimSpace(string(seed)))
	prefix, _, err := nkeys.DecodeSeed(seed)
	switch {
	case err != nil:
		return nil, errors.New("not a seed")
	case prefix != nkeys.PrefixByteAccount:
		return nil, fmt.Errorf("%s instead of an account seed (\"SA...\")", seedKind(prefix))
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, err
	}
	curve, err := deriveCurve(seed, accountCurve)
	if err != nil {
		return nil, err
	}
	a := &Account{pair: pair, curve: curve}
	if a.public, err = pair.PublicKey(); err != nil {
		return nil, err
	}
	if a.xkey, err = curve.PublicKey(); err != nil {
		return nil, err
	}
	return a, nil
}

// seedKind names a kind of seed, with its article.
func seedKind(prefix nkeys.PrefixByte) string {
	switch prefix {
	case nkeys.PrefixByteAccount, nkeys.PrefixByteOperator:
		return "an " + prefix.String() + " seed"
	}
	return "a " + prefix.String() + " seed"
}

// Public is the account's public key, "A...": the issuer of every peel's JWT.
func (a *Account) Public() string { return a.public }

// Curve is the public key, "X...", to which EncryptValue encrypts.
func (a *Account) Curve() string { return a.xkey }

// Sign signs with the account's key.
func (a *Account) Sign(data []byte) ([]byte, error) { return a.pair.Sign(data) }

// Verify returns ErrSignature unless sig is public's signature of data.
func Verify(public string, data, sig []byte) error {
	key, err := nkeys.FromPublicKey(public)
	if err != nil {
		return fmt.Errorf("public key %q: %w", public, err)
	}
	if key.Verify(data, sig) != nil {
		return ErrSignature
	}
	return nil
}

// valueArmor begins every encrypted value.
const valueArmor = "zester:v1:"

// EncryptValue encrypts a secret for the settings tree with an account's Curve key alone, so
// that whoever writes settings need not hold what reads them. The result is one word.
func EncryptValue(curve string, plaintext []byte) (string, error) {
	sealed, err := sealTo(curve, plaintext)
	if err != nil {
		return "", err
	}
	return valueArmor + base64.StdEncoding.EncodeToString(sealed), nil
}

// DecryptValue undoes EncryptValue. White space in the text, as YAML folding leaves it, is ignored.
func (a *Account) DecryptValue(text string) ([]byte, error) {
	text, ok := strings.CutPrefix(strings.Join(strings.Fields(text), ""), valueArmor)
	if !ok {
		return nil, fmt.Errorf("not an encrypted value: those begin with %q; make one with \"zester settings encrypt\"", valueArmor)
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the encrypted value is damaged: it is not base64")
	}
	plaintext, err := openFrom(a.curve, sealed)
	if err != nil {
		return nil, errors.New("the encrypted value was made for another account.seed, or is damaged")
	}
	return plaintext, nil
}
