package observe

import (
	"context"
	"fmt"
	"time"
)

// CheckTimeout is how long one check may take.
const CheckTimeout = 2 * time.Second

// Check tells whether a part of the program can do its work: nil, or the reason why not. It must give up when ctx ends.
type Check func(ctx context.Context) error

// Report is the answer of /readyz.
type Report struct {
	Ready  bool              `json:"ready"`
	Checks map[string]Result `json:"checks"`
}

// Result is the outcome of one check.
type Result struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Check adds a check under a name such as "nats", or replaces the one of that name.
func (s *Server) Check(name string, check Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[name] = check
}

// Ready runs all checks and reports on each. It returns when the last has answered or used up its CheckTimeout.
func (s *Server) Ready(ctx context.Context) Report {
	type answer struct {
		name string
		err  error
	}
	s.mu.Lock()
	answers := make(chan answer, len(s.checks))
	asked, limit := len(s.checks), s.limit
	for name, check := range s.checks {
		go func() { answers <- answer{name, run(ctx, limit, check)} }()
	}
	s.mu.Unlock()

	report := Report{Ready: true, Checks: map[string]Result{}}
	for range asked {
		got := <-answers
		if got.err != nil {
			report.Ready = false
			report.Checks[got.name] = Result{Error: got.err.Error()}
			continue
		}
		report.Checks[got.name] = Result{OK: true}
	}
	return report
}

// run does not wait for a check that ignores its context.
func run(ctx context.Context, limit time.Duration, check Check) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- check(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
