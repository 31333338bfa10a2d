// Package basket lets peels share values with each other: what a peel's functions publish, any
// peel, template or operator can read, by target and function.
//
// Entries live in the bucket "basket" under <peel>.<function>, the latest value only, as
// MessagePack. A value is written when it changes, not at each interval, so that a quiet fleet
// is silent on the bus; a value with a time to live is written again in time. What a peel no
// longer publishes it removes when it starts or is configured anew.
//
// A peel writes under its own id only, and what it writes is its own word: whoever must not be
// misled targets by id. Facts are the peels' word as well, so that a target such as role:web means
// every peel that says so. While the bucket has room a peel may use it; from half full on, a Warden
// removes everything of the peels that hold more than their allowance. How many questions one peel
// may ask of the masters is bounded, and none may be about settings.
//
// Reading goes straight to the stored entries. Only targets that ask for facts, and live
// queries, need a master to say which peels are meant. All types are safe for concurrent use.
package basket
