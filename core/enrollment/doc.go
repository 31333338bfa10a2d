// Package enrollment is how a new peel becomes a member of the fleet: over HTTPS it proves that it holds a key, an
// operator approves it, and it is given the JWT with which it may connect to NATS. The private key never leaves the peel.
//
//	challenge -> signed request -> pending -> approved -> issued -> active
//	                                      \-> rejected
//
// The records live in a KV bucket and change by compare-and-set only, so any number of masters may answer peels and
// operators at once: a step is taken from the states the table in record.go allows, once. A record is never overwritten
// by another key; an operator removes it first. What peels send is data to show to an operator and nothing else: only
// records in a member's state (approved, issued, active) count for anything.
//
// The HTTPS side is open to the whole network and holds bounded state for it: bodies, connections, addresses, waiting
// polls, challenges and undecided records all have limits. Whoever exhausts one keeps new peels from enrolling for a
// while; members are never affected. A waiting peel costs one connection and no KV traffic, since a Directory follows
// the bucket once per master.
//
// The package does not renew credentials over NATS and does not revoke them: removing a record leaves the JWT that was
// issued for it valid until it expires.
//
// All types are safe for concurrent use.
package enrollment
