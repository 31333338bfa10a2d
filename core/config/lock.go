package config

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLocked is the error of Lock where another holds the lock.
var ErrLocked = errors.New("locked")

// Lock makes the file, if need be, with mode 0600 and locks it for the caller alone until it is closed or the process ends,
// however it does. It does not wait: if another has locked it, in this process or elsewhere on the host, the error is
// ErrLocked.
func Lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	} else {
		err = fmt.Errorf("the file system cannot lock %s: %w", path, err)
	}
	return nil, errors.Join(err, file.Close())
}
