//go:build faults

package playground_test

import (
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// noRoom leaves a peel no room for its state: before the job, so that it cannot be recorded and
// must not run, or while it runs, so that the return has only memory to wait in.
func noRoom(fill func(w *world, peel string) (undo func())) func(w *world, i int) verdict {
	return func(w *world, i int) (v verdict) {
		victim := w.ids[i%len(w.ids)]
		var right expected
		var j *job
		var undo func()
		if before := i%2 == 0; before {
			right = expected{victim: {failed}}
			undo = w.exhaust(fill, victim, "cmd.run", "true")
			j = w.submit(long, 200*time.Millisecond)
		} else {
			j = w.submit(long, 2*time.Second)
			w.until(time.Minute, "the function to start", func() bool { return w.runs(j.tag, "start")[victim] > 0 })
			undo = w.exhaust(fill, victim, "test.ping")
		}
		v.add(w.judge(j, right))
		if n := w.runs(j.tag, "start")[victim]; right != nil && n != 0 {
			v.losing("%s ran what it could not record", victim)
		}
		if i%4 == 1 { // all that its disk says is that the job had begun
			w.peel[victim].kill()
			w.peel[victim].restart()
		}
		undo()
		w.repair()
		return v
	}
}

// exhaust fills up, and has the peel use what is left, such as the last page of its journal,
// with a call whose record is as long as the job's. What the peel frees meanwhile is filled again.
func (w *world) exhaust(fill func(w *world, peel string) (undo func()), peel string, call ...string) (undo func()) {
	refusals := 0
	w.until(time.Minute, "the journal to be full", func() bool {
		undo = fill(w, peel)
		out := w.run(append([]string{"--format=json", "--timeout=5s", peel}, call...)...)
		if strings.Contains(out, "cannot record") {
			refusals++
		} else {
			refusals = 0
		}
		return refusals == 3
	})
	return undo
}

// smallDisk is a state directory with little room: a file system of its own.
func smallDisk(w *world, peel string) string {
	dir := w.path("small-" + peel)
	w.must(os.MkdirAll(dir, 0o700))
	if os.Geteuid() != 0 {
		return dir
	}
	w.must(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
	w.t.Cleanup(func() { w.must(syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fillDisk writes until there is no room. Only root can mount a small disk; for others it is the
// limit again.
func fillDisk(w *world, peel string) (undo func()) {
	if os.Geteuid() != 0 {
		return limitFiles(w, peel)
	}
	path := w.path("small-"+peel, "fill")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	w.must(err)
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() { w.must(os.Remove(path)) }
}

// limitFiles lets the running peel write to no file at all.
func limitFiles(w *world, peel string) (undo func()) {
	pid := w.peel[peel].cmd.Process.Pid
	limit := func(bytes uint64) {
		w.must(unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil))
	}
	limit(0)
	return func() {
		if w.peel[peel].cmd.Process.Pid == pid { // else it died with its limit
			limit(unix.RLIM_INFINITY)
		}
	}
}
