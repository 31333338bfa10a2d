package keys

import (
	"errors"
	"fmt"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Hierarchy is a cluster's NATS operator and its three accounts, with all private keys. Only
// bootstrap, the playground and tests hold one; a running master has the PEELS account alone.
type Hierarchy struct {
	name     string
	operator holder
	system   holder // SYS
	core     holder // CORE
	peels    *Account
}

// holder is a key pair with its public key.
type holder struct {
	pair   nkeys.KeyPair
	public string
}

// NewHierarchy makes all keys anew. The name is the operator's, shown by NATS' tools.
func NewHierarchy(name string) (*Hierarchy, error) {
	h := &Hierarchy{name: name}
	for _, k := range []struct {
		to     *holder
		create func() (nkeys.KeyPair, error)
	}{{&h.operator, nkeys.CreateOperator}, {&h.system, nkeys.CreateAccount}, {&h.core, nkeys.CreateAccount}} {
		pair, err := k.create()
		if err != nil {
			return nil, err
		}
		if *k.to, err = hold(pair); err != nil {
			return nil, err
		}
	}
	pair, err := nkeys.CreateAccount()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	h.peels, err = NewAccount(seed)
	return h, err
}

func hold(pair nkeys.KeyPair) (holder, error) {
	public, err := pair.PublicKey()
	return holder{pair, public}, err
}

// Account is the PEELS account.
func (h *Hierarchy) Account() *Account { return h.peels }

// SystemAccount is SYS' public key.
func (h *Hierarchy) SystemAccount() string { return h.system.public }

// CoreAccount is CORE's public key.
func (h *Hierarchy) CoreAccount() string { return h.core.public }

// OperatorJWT is what NATS servers trust.
func (h *Hierarchy) OperatorJWT() (string, error) {
	claims := jwt.NewOperatorClaims(h.operator.public)
	claims.Name = h.name
	claims.SystemAccount = h.system.public
	return claims.Encode(h.operator.pair)
}

// SystemJWT is the SYS account's: it gives CORE the comings and goings of the peels.
func (h *Hierarchy) SystemJWT() (string, error) {
	claims := jwt.NewAccountClaims(h.system.public)
	claims.Name = "SYS"
	for _, g := range systemGrants(h.peels.public) {
		claims.Exports.Add(g.export())
	}
	return h.encode(claims)
}

// CoreJWT is the CORE account's: masters, operators, and JetStream without a limit of its own.
func (h *Hierarchy) CoreJWT() (string, error) {
	claims := jwt.NewAccountClaims(h.core.public)
	claims.Name = "CORE"
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	for _, g := range coreGrants() {
		claims.Exports.Add(g.export())
	}
	for _, g := range systemGrants(h.peels.public) {
		claims.Imports.Add(g.imported(h.system.public))
	}
	return h.encode(claims)
}

// PeelsJWT is the PEELS account's: no JetStream, and what CORE gives.
func (h *Hierarchy) PeelsJWT() (string, error) {
	claims := jwt.NewAccountClaims(h.peels.public)
	claims.Name = "PEELS"
	for _, g := range coreGrants() {
		claims.Imports.Add(g.imported(h.core.public))
	}
	return h.encode(claims)
}

// encode refuses what a NATS server would refuse later, at a place harder to find.
func (h *Hierarchy) encode(claims *jwt.AccountClaims) (string, error) {
	var vr jwt.ValidationResults
	claims.Validate(&vr)
	if errs := vr.Errors(); len(errs) > 0 {
		return "", fmt.Errorf("account %s: %w", claims.Name, errors.Join(errs...))
	}
	return claims.Encode(h.operator.pair)
}

// MasterCreds makes a new user with a master's rights.
func (h *Hierarchy) MasterCreds(name string) (Creds, error) {
	return newUser(h.core, name, masterPermissions())
}

// OperatorCreds makes a new user with an operator's rights, under whose name its jobs run.
func (h *Hierarchy) OperatorCreds(name string) (Creds, error) {
	return newUser(h.core, name, operatorPermissions(name))
}

// SysCreds makes a new user of the system account, to push changed account JWTs with.
func (h *Hierarchy) SysCreds(name string) (Creds, error) {
	return newUser(h.system, name, systemPermissions(name))
}

func newUser(account holder, name string, rights jwt.Permissions) (Creds, error) {
	if err := checkUserName(name); err != nil {
		return Creds{}, err
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return Creds{}, err
	}
	key, err := hold(user)
	if err != nil {
		return Creds{}, err
	}
	claims, err := userClaims(name, key.public, 0)
	if err != nil {
		return Creds{}, err
	}
	claims.Permissions = rights
	token, err := claims.Encode(account.pair)
	if err != nil {
		return Creds{}, err
	}
	seed, err := user.Seed()
	return Creds{JWT: token, Seed: seed}, err
}
