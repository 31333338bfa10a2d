// Package basket lets peels share values with each other: what a peel's functions publish, any
// peel, template or operator can read, by target and function.
//
// Entries live in the bucket "basket" under <peel>.<function>, the latest value only, as
// MessagePack. A value is written when it changes, not at each interval, so that a quiet fleet
// is silent on the bus; a value with a time to live is written again in time. What a peel no
// longer publishes it removes when it starts or is configured anew.
//
// Reading goes straight to the stored entries. Only targets that ask for facts, and live
// queries, need a master to say which peels are meant. All types are safe for concurrent use.
package basket
