package keys

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A peel whose clock is wrong asks the masters for the time. Their answer is signed, for that
// peel and that question, so that nobody can have it take an old command for a fresh one.

const timeDomain = "zester time v1\x00"

const nonceSize = 16

// ErrTime: the bytes do not answer the question.
var ErrTime = errors.New("not an answer to this question for the time")

// TimeNonce makes a question for the time; each is asked once.
func TimeNonce() []byte {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	return nonce
}

func timePart(peel string, nonce []byte, at []byte) []byte {
	b := append([]byte(timeDomain), nonce...)
	b = append(b, at...)
	return append(b, peel...)
}

// SignTime answers a peel's question for the time.
func (a *Account) SignTime(peel string, nonce []byte, now time.Time) ([]byte, error) {
	if len(nonce) != nonceSize {
		return nil, fmt.Errorf("a question of %d bytes for the time: want %d", len(nonce), nonceSize)
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	sig, err := a.Sign(timePart(peel, nonce, at))
	if err != nil {
		return nil, fmt.Errorf("sign the time: %w", err)
	}
	return append(at, sig...), nil
}

// VerifyTime reads the answer to a peel's question: what the masters' time was after it was
// asked. It returns ErrTime or ErrSignature for anything else.
func (v *Verifier) VerifyTime(peel string, nonce, answer []byte) (time.Time, error) {
	if len(answer) != 8+signatureSize || len(nonce) != nonceSize {
		return time.Time{}, ErrTime
	}
	at, sig := answer[:8], answer[8:]
	if v.key.Verify(timePart(peel, nonce, at), sig) != nil {
		return time.Time{}, ErrSignature
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(at))).UTC(), nil
}
