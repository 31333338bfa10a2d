// Package server is the NATS server inside this binary, for small installations ("zester nats"),
// the playground and tests. It is the only importer of nats-server.
//
// Run serves a configuration file as nats-server would; Start serves a hierarchy made by
// core/keys from memory. Both log through slog, end when told to and never end the process.
// A server handles no signals, and is as concurrent as NATS is. StartTest and StartCluster, for
// tests, add the connections that tests want.
package server
