// Package keys holds who may do what: the operator, SYS, CORE and PEELS key pairs with their
// JWTs, every user's rights (permissions.go, and nowhere else), creds files, a peel's identity,
// data sealed to one peel, and commands signed for a set of peels.
//
// The PEELS account's seed, account.seed, is the root of it: it issues peels' JWTs, signs
// commands and sealed data, and the key for encrypted values derives from it, so that all
// masters with the same file agree without talking to each other.
//
// Everything here is pure computation on keys except the functions that take a path. All types
// are safe for concurrent use. Nothing in this package talks to NATS, and no error or log line
// of it holds a seed or a plaintext.
package keys
