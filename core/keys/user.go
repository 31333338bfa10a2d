package keys

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
)

// User is what a user's JWT says about it.
type User struct {
	Name    string    // peel id, or a master's or operator's name
	Public  string    // the user's public key
	Account string    // the account's public key
	Expires time.Time // zero: never
}

// ParseUser reads a user JWT and checks that the account in it has signed it. Whether that is
// the right account, and whether the JWT has expired, is for the caller to say.
func ParseUser(token string) (User, error) {
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return User{}, fmt.Errorf("not a user's JWT: %w", err)
	}
	u := User{Name: claims.Name, Public: claims.Subject, Account: claims.Issuer}
	if claims.IssuerAccount != "" {
		u.Account = claims.IssuerAccount
	}
	if claims.Expires > 0 {
		u.Expires = time.Unix(claims.Expires, 0)
	}
	return u, nil
}

// PeelJWT issues a peel's JWT with the rights of that peel and no other. A ttl of 0 never ends.
func PeelJWT(account *Account, id, userPublic string, ttl time.Duration) (string, error) {
	if err := bus.CheckPeelID(id); err != nil {
		return "", err
	}
	claims, err := userClaims(id, userPublic, ttl)
	if err != nil {
		return "", err
	}
	claims.Permissions = peelPermissions(id)
	claims.Limits.Subs = peelSubscriptions
	return claims.Encode(account.pair)
}

func userClaims(name, public string, ttl time.Duration) (*jwt.UserClaims, error) {
	if !nkeys.IsValidPublicUserKey(public) {
		return nil, fmt.Errorf("%.60q is not a user's public key (\"U...\")", public)
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = name
	switch {
	case ttl < 0:
		return nil, errors.New("a JWT's time to live is negative")
	case ttl > 0:
		claims.Expires = time.Now().Add(ttl).Unix()
	}
	return claims, nil
}

// checkUserName holds masters' and operators' names to a peel id's characters: the name is a
// subject's token.
func checkUserName(name string) error {
	if bus.CheckPeelID(name) != nil {
		return fmt.Errorf("user name %.40q: use 1 to 128 of letters, digits, '.', '_' and '-'", name)
	}
	return nil
}
