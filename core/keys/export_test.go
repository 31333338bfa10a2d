package keys

import "github.com/nats-io/nkeys"

// CorePair is the CORE account's key pair, with which a test makes users of its own.
func CorePair(h *Hierarchy) nkeys.KeyPair { return h.core.pair }
