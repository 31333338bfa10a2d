package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsynced is what a call has written and the disk need not have before the call is over: waiting for each file by itself is
// dear where there are many. It is safe for concurrent use. A nil one waits at once.
type unsynced struct {
	file, system func(*os.File) error // make the disk have a file, and all of its file system

	mu    sync.Mutex
	files map[string]bool
	dirs  map[string]bool // that have got or lost a name
	many  bool            // more was written than is noted
}

func newUnsynced() *unsynced {
	return &unsynced{
		file: (*os.File).Sync, system: func(f *os.File) error { return unix.Syncfs(int(f.Fd())) },
		files: map[string]bool{}, dirs: map[string]bool{},
	}
}

// syncedAlone is how many files and directories are waited for one by one. With more, all that their file systems have not
// written yet is waited for instead, of whoever it is: a thousand new files cost 20 ms so, and 400 one by one on a fast disk.
const syncedAlone = 16

// written notes a file that is at its place.
func (u *unsynced) written(path string) error {
	return u.note(func(u *unsynced) { u.files[path], u.dirs[parent(path)] = true, true })
}

// named notes that a path has come to be there, or is no longer.
func (u *unsynced) named(path string) error {
	return u.note(func(u *unsynced) { u.dirs[parent(path)] = true })
}

// below notes that a program has written below a directory.
func (u *unsynced) below(dir string) error {
	return u.note(func(u *unsynced) { u.dirs[dir], u.many = true, true })
}

func (u *unsynced) note(what func(*unsynced)) error {
	if u == nil {
		alone := newUnsynced()
		what(alone)
		return alone.settle()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	what(u)
	return nil
}

// settle waits until the disk has all that was noted.
func (u *unsynced) settle() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() {
		clear(u.files)
		clear(u.dirs)
		u.many = false
	}()
	if u.many || len(u.files)+len(u.dirs) > syncedAlone {
		return u.settleSystems()
	}
	for path := range u.files {
		if err := syncPath(path, asFile, u.file); err != nil {
			return err
		}
	}
	for path := range u.dirs {
		if err := syncPath(path, asDirectory, u.file); err != nil {
			return err
		}
	}
	return nil
}

func (u *unsynced) settleSystems() error {
	done := map[uint64]bool{}
	for dir := range u.dirs {
		err := syncPath(dir, asDirectory, func(file *os.File) error {
			info, err := file.Stat()
			if err != nil {
				return err
			}
			device := info.Sys().(*syscall.Stat_t).Dev
			if done[device] {
				return nil
			}
			done[device] = true
			return u.system(file)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	asFile      = unix.O_NOFOLLOW | unix.O_NONBLOCK
	asDirectory = unix.O_DIRECTORY
)

// syncPath opens what is at a path for sync. What is no longer there, or has become something else, has nothing to wait for,
// and a file that may not be read cannot be.
func syncPath(path string, as int, sync func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_RDONLY|as, 0)
	for _, gone := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ELOOP, syscall.ENOTDIR, syscall.ENXIO} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	err = sync(file)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) { // nothing that a disk could have
		err = nil
	}
	return errors.Join(err, file.Close())
}

// settled is what a function that wrote something returns: a failure where the disk does not have it.
func (u *unsynced) settled(value any, err error) (any, error) {
	lost := u.settle()
	if lost == nil {
		return value, err
	}
	lost = fmt.Errorf("what was written may not outlast a power failure: %w", lost)
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return value, &Failure{Value: failure.Value, Code: failure.Code, Msg: failure.Msg + "; " + lost.Error()}
	case err != nil:
		return value, errors.Join(err, lost)
	}
	return nil, &Failure{Value: value, Code: 1, Msg: lost.Error()}
}
