//go:build acceptance

// Package acceptance boots Debian machines with systemd and manages them with the real binary, as the deployment guide
// says: files, users, units, reboots and upgrades are real ones. "make acceptance" runs it, as root.
//
// The machines are systemd-nspawn containers on a bridge of their own, 10.88.0.0/24, with no way out. Everything is made in
// a mount and a process namespace of the test, so that mounts, processes, network namespaces and files are gone when it
// ends, however it ends. What stays is the base tree in the cache, from which all machines start.
package acceptance
