package bus

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Many answers may take their time, as long as they come.
func TestBoundedSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, heard, cancel := boundedSilence(t.Context())
		defer cancel()
		for range 5 {
			time.Sleep(answerWait - time.Second)
			heard()
		}
		if ctx.Err() != nil {
			t.Errorf("ended although answers came: %v", context.Cause(ctx))
		}
		start := time.Now()
		<-ctx.Done()
		if err := context.Cause(ctx); time.Since(start) != answerWait || !errors.Is(err, context.DeadlineExceeded) ||
			err.Error() != "no answer in 10s: context deadline exceeded" {
			t.Errorf("after %s: %v", time.Since(start), err)
		}

		limited, end := context.WithTimeout(t.Context(), 2*answerWait)
		defer end()
		ctx, _, cancel = boundedSilence(limited)
		defer cancel()
		time.Sleep(answerWait + time.Second)
		if ctx.Err() != nil {
			t.Error("the caller's own limit does not count")
		}
	})
}
