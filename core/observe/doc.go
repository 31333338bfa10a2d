// Package observe lets an operator see into a running master or peel: structured logs, and a local HTTP listener with
// /healthz (the process answers), /readyz (each named check with its result) and /metrics (Prometheus text).
//
// Checks run when /readyz is asked and never otherwise, all at once, each for at most two seconds; a check that hangs
// costs its own entry and delays no other. Registering checks and serving may happen at the same time.
//
// Counters are not kept here. A package that counts takes a *metrics.Set as a parameter and names its metrics
// "zester_..."; the program creates one set, gives it to all of them and to Listen. There is no global registry.
//
// The listener has no authentication and tells no secrets; it is meant for a loopback or a monitoring network.
package observe
