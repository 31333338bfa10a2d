package peel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	path := filepath.Join(dir, "lock")
	lock, err := config.Lock(path)
	for end := time.Now().Add(holdWait); errors.Is(err, config.ErrLocked) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(50 * time.Millisecond)
		lock, err = config.Lock(path)
	}
	switch {
	case errors.Is(err, config.ErrLocked):
		return nil, config.Invalid("state_dir", "%s is in use by another peel process: stop that one, or name another directory", dir)
	case err != nil:
		return nil, config.Invalid("state_dir", "%w", err)
	}
	return func() { lock.Close() }, nil
}
