package enrollment

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/ptorbus/zester/core/bus"
)

// challenges hands out nonces that any master takes back, each once and for the id and key it was given to. The bucket
// forgets them after five minutes.
type challenges struct{ conn *bus.Conn }

// errNonce: the peel has to ask for another nonce.
var errNonce = errors.New("the challenge is unknown, used or expired: ask for a new one")

var (
	nonceOpen = []byte{0}
	nonceUsed = []byte{1}
)

func (c challenges) issue(ctx context.Context, id, public string) (nonce string, err error) {
	nonce = rand.Text() + rand.Text()
	_, err = c.conn.Create(ctx, bus.BucketChallenges, nonceKey(id, public, nonce), nonceOpen)
	return nonce, err
}

// redeem uses a nonce up: of all who try, on all masters, one succeeds.
func (c challenges) redeem(ctx context.Context, id, public, nonce string) error {
	key := nonceKey(id, public, nonce)
	e, err := c.conn.Get(ctx, bus.BucketChallenges, key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return errNonce
	case err != nil:
		return err
	case len(e.Value) != 1 || e.Value[0] != nonceOpen[0]:
		return errNonce
	}
	_, err = c.conn.Update(ctx, bus.BucketChallenges, key, nonceUsed, e.Revision)
	if errors.Is(err, bus.ErrConflict) {
		return errNonce
	}
	return err
}

// nonceKey binds a nonce to its holder by the name it is stored under, and keeps it secret from readers of the bucket.
func nonceKey(id, public, nonce string) string {
	sum := sha256.Sum256(statement("nonce", id, public, nonce))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
