// Package bus is Zester's whole contact with NATS: connecting, the names of all subjects,
// buckets and streams, the MessagePack codec, and one set of calls for reading and writing
// bucket entries that serves both sides of the trust boundary. Masters and operators
// (account CORE) reach JetStream itself; peels (account PEELS) have no JetStream API and reach
// the same entries through imported subjects. The caller does not see the difference, except
// that Watch, Setup, Consume and leases need CORE.
//
// A Conn is safe for concurrent use. It reconnects for ever, and everything asynchronous that
// NATS complains of is logged and counted. Reads are direct gets: one round trip, answered by
// any replica, and may therefore be a moment older than the last write.
package bus
