package peel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// holdWait is longer than what a killed peel was about to start holds on to its lock.
const holdWait = time.Second

// hold makes the state directory, and takes it for this process until the returned function is called or the process ends,
// however it does. Two peels on one directory would be one peel to the bus and take each other's connection away.
func hold(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, config.Invalid("state_dir", "%w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, config.Invalid("state_dir", "%w", err)
	}
	for end := time.Now().Add(holdWait); ; {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		return func() { lock.Close() }, nil
	}
	lock.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, config.Invalid("state_dir", "%s is in use by another peel process: stop that one, or name another directory", dir)
	}
	return nil, config.Invalid("state_dir", "lock %s: %w", lock.Name(), err)
}
