// Package files carries directory trees (states, reactor) from the masters to the peels.
//
// A tree is content-addressed: files are cut into chunks of at most 256 KiB, stored under their SHA-256; a manifest lists
// path, size, executable bit and digests of every file and is itself stored as chunks; a pointer, signed with the account
// key, names the manifest. Publishing uploads what is missing and then swaps the pointer by compare-and-set, so that a
// reader sees the old tree or the new one and nothing between, and nothing is sent twice to a bucket or a peel that has it.
//
// A Publisher works for a master and holds a record of what it has uploaded in memory only. A Tree is a peel's side: it asks the
// bus when a hint has told of a change and otherwise answers from its cache on disk; a Snapshot is one revision of it, fixed while
// the tree moves on. Files are streamed on both sides, in a few MiB of memory whatever their size. Dir gives a directory the same
// face as a Snapshot.
//
// A peel trusts the account key and nothing else: what the bus delivers must be signed or hash to what was signed, the only names it
// writes on disk are digests below its cache directory, and a pointer older than the one it has is not taken.
//
// A tree has environments, as Salt's file_roots have: what stands below @NAME at its root is environment NAME, everything else is
// base. They are published together, so that a run sees one state of all. A context says which one a Tree or Directory shows.
//
// Only content and the executable bit travel: no owners, other modes, times or empty directories.
package files
