package bus

import (
	"context"
	"fmt"
	"time"
)

// LeastRetention is the least that Retain takes: jobs that are under way live as long as a day.
const LeastRetention = 25 * time.Hour

// Retain sets how long jobs and their returns are kept, in all of the fleet. Setup keeps what was
// set. Requests that no master has finished with are kept a day longer. CORE only.
func (c *Conn) Retain(ctx context.Context, age time.Duration) error {
	if age < LeastRetention {
		return fmt.Errorf("jobs cannot be kept for %s: use at least %s", age, LeastRetention)
	}
	for name, age := range map[string]time.Duration{
		StreamReturns: age, StreamOf(BucketJobs): age, StreamSubmissions: age + 24*time.Hour,
	} {
		s, err := c.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		config := s.CachedInfo().Config
		if config.MaxAge == age {
			continue
		}
		config.MaxAge = age
		if _, err := c.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return nil
}

// Retention is how long a stream keeps what it has. CORE only.
func (c *Conn) Retention(ctx context.Context, stream string) (time.Duration, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	return s.CachedInfo().Config.MaxAge, nil
}
