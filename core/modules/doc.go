// Package modules holds what a peel can do: execution functions (cmd.run, facts.get, state.apply) and state functions
// (file.managed, pkg.installed, service.running), a file per family, and the variables that templates see. Packages are
// APT's and services systemd's; on other hosts their functions say so.
//
// Everything a function may use is in Env, an explicit struct; nothing is reached through globals. A Registry is safe
// for concurrent use, and so is every function: those that change the host say so (Function.Mutates), and their caller
// keeps them from running side by side. Commands run in a process group of their own, which cancellation and timeouts
// kill whole; what they printed till then is returned. Under a Keeper those of cmd functions outlive the peel, which they
// may restart; with Env.Leaves those of cmd and pkg states go on, but nobody sees how they end. State functions write files
// atomically, and have them on the disk before they replace what was there; all else that they write is there before the
// call is over, at the cost of one sync of each file system where it is much. They never follow a read error other than
// "not found" with a write, and stay below Env.Confine where that is set: what changes more than files is refused there. A
// test run takes the same path up to the write.
//
// The package does not talk to the bus: the basket, the trees and the settings come through Env.
package modules
