package bench

import (
	"fmt"
	"syscall"
	"time"
)

// raiseFiles lets this process have as many open files as n peels need: a connection seen from both ends and a journal for
// each, and another connection for the raw exchange.
func raiseFiles(n int) error {
	need := uint64(6*n + 1024)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= need {
		return nil
	}
	limit.Cur, limit.Max = need, max(need, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("--peels %d: needs %d open files: raise the limit with \"ulimit -n %d\", or take fewer: %w", n, need, need, err)
	}
	return nil
}

// processor is the time that this process has spent on all processors together.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
