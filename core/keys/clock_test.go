package keys_test

import (
	"errors"
	"testing"

	"github.com/ptorbus/zester/core/keys"
)

func TestTime(t *testing.T) {
	a, other := newAccount(t), newAccount(t)
	v, err := keys.NewVerifier(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	nonce := keys.TimeNonce()
	answer, err := a.SignTime("web-01", nonce, issued)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.VerifyTime("web-01", nonce, answer); err != nil || !got.Equal(issued) {
		t.Errorf("%s, %v", got, err)
	}
	foreign, err := other.SignTime("web-01", nonce, issued)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		peel          string
		nonce, answer []byte
		want          error
	}{
		"another peel's":                   {"web-02", nonce, answer, keys.ErrSignature},
		"another question's":               {"web-01", keys.TimeNonce(), answer, keys.ErrSignature},
		"another account's":                {"web-01", nonce, foreign, keys.ErrSignature},
		"cut":                              {"web-01", nonce, answer[:70], keys.ErrTime},
		"empty":                            {"web-01", nonce, nil, keys.ErrTime},
		"a nonce that moves into the name": {"1web-01", nonce[:15], answer, keys.ErrTime},
	} {
		if got, err := v.VerifyTime(test.peel, test.nonce, test.answer); !errors.Is(err, test.want) || !got.IsZero() {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for i := range answer {
		bad := append([]byte(nil), answer...)
		bad[i] ^= 1
		if _, err := v.VerifyTime("web-01", nonce, bad); err == nil {
			t.Errorf("byte %d changed, and nobody noticed", i)
		}
	}
	if _, err := a.SignTime("web-01", nonce[:3], issued); err == nil || err.Error() != "a question of 3 bytes for the time: want 16" {
		t.Error(err)
	}
	// What is signed as a time is no command.
	if _, err := v.Verify("web-01", issued, answer); err == nil {
		t.Error("a time is taken as a command")
	}
}
