package jobs_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/jobs"
)

func TestJob(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"db-01", "web-01", "web-02"}
	f.peels(t, ids...)
	f.master(t, append(ids, "old-01"))
	c := f.client(t)

	tests := []struct {
		request  jobs.Request
		exit     int
		returned int
		check    func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return)
	}{
		{request: jobs.Request{Target: "web-* or db-01", Function: "test.ping"}, exit: jobs.ExitOK, returned: 3,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				if got := r["web-02"]; got.Value != true || !got.Success || got.Retcode != 0 || got.Function != "test.ping" || got.Started.IsZero() {
					t.Errorf("return: %+v", got)
				}
			}},
		{request: jobs.Request{Target: "db-01", Function: "test.echo", Args: []any{"a", int64(7), []any{1.5}}, Kwargs: map[string]any{"k": map[string]any{"x": nil}}}, exit: jobs.ExitOK, returned: 1,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				want := map[string]any{"args": []any{"a", int64(7), []any{1.5}}, "kwargs": map[string]any{"k": map[string]any{"x": nil}}, "operator": "alice"}
				if got := r["db-01"].Value; !reflect.DeepEqual(got, want) {
					t.Errorf("value %#v, want %#v", got, want)
				}
			}},
		{request: jobs.Request{Target: "*", Function: "test.fail"}, exit: jobs.ExitPartial, returned: 3,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				if got := r["web-01"]; got.Success || got.Retcode != 3 || got.Error != "it broke" || got.Value != "half of it" {
					t.Errorf("return: %+v", got)
				}
				if want := []string{"old-01"}; !reflect.DeepEqual(s.Offline, want) {
					t.Errorf("offline %q, want %q", s.Offline, want)
				}
			}},
		{request: jobs.Request{Target: "web-01", Function: "test.false"}, exit: jobs.ExitFailed, returned: 1},
		{request: jobs.Request{Target: "web-01", Function: "test.pong"}, exit: jobs.ExitFailed, returned: 1},
		{request: jobs.Request{Target: "web-01", Function: "test.panic"}, exit: jobs.ExitFailed, returned: 1,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				if got := r["web-01"]; got.Error != "test.panic: fault in the function: out of cheese" || got.Reason != jobs.ReasonPanic {
					t.Errorf("return: %+v", got)
				}
			}},
		{request: jobs.Request{Target: "web-01", Function: "test.large"}, exit: jobs.ExitOK, returned: 1,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				got := r["web-01"]
				if value, _ := got.Value.(string); got.Cut || got.Error != "" || len(value) < 20<<20-7 || strings.Count(value, "zester ") != 20<<20/7 {
					t.Errorf("return: %d bytes, %s", len(value), got.Error)
				}
			}},
		{request: jobs.Request{Target: "web-01", Function: "test.chan"}, exit: jobs.ExitFailed, returned: 1,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				if got := r["web-01"]; !got.Cut || !strings.HasPrefix(got.Error, "the value cannot be returned: ") {
					t.Errorf("return: %+v", got)
				}
			}},
		{request: jobs.Request{Target: "L@web-01,web-9", Function: "test.ping"}, exit: jobs.ExitSilent, returned: 1,
			check: func(t *testing.T, s *jobs.Summary, r map[string]jobs.Return) {
				if want := []string{"web-9"}; !reflect.DeepEqual(s.Missing, want) {
					t.Errorf("missing %q, want %q", s.Missing, want)
				}
			}},
		{request: jobs.Request{Target: "old-01", Function: "test.ping"}, exit: jobs.ExitSilent},
	}
	for _, test := range tests {
		t.Run(test.request.Target+" "+test.request.Function, func(t *testing.T) {
			s, returns := run(t, c, test.request)
			if s.ExitCode() != test.exit || s.Returned != test.returned || s.Err != nil {
				t.Errorf("exit %d, %d returned, want %d and %d: %+v", s.ExitCode(), s.Returned, test.exit, test.returned, s)
			}
			if test.check != nil {
				test.check(t, s, returns)
			}
		})
	}
}

// What runs when the job's time is up is stopped, and the return says so.
func TestTimeUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	f.master(t, []string{"web-01"})
	c := f.client(t)
	inTime(t, 300*time.Millisecond, func(timeout time.Duration) bool {
		s, returns := run(t, c, jobs.Request{Target: "web-01", Function: "test.wait", Timeout: timeout})
		r := returns["web-01"]
		if s.Returned != 1 || r.Started.IsZero() {
			t.Logf("%+v, %+v", s, r)
			return false
		}
		if s.ExitCode() != jobs.ExitFailed || s.Err != nil || r.Reason != jobs.ReasonTimeout || r.Error != "stopped when the job's time was up: context deadline exceeded" {
			t.Errorf("%+v, return %+v", s, r)
		}
		return true
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.peel(t, "web-01")
	f.master(t, []string{"web-01"})
	c := f.client(t)
	tests := []struct{ target, want string }{
		{"wbe-01", `there is no peel "wbe-01" (did you mean "web-01"?)`},
		{"db-*", `no peel matches target "db-*"`},
		{"L@web-1,x9", `no peel matches target "L@web-1,x9": there are no peels "web-1" (did you mean "web-01"?), "x9"`},
		{"web-01 and", `target "web-01 and": character 11: `},
	}
	for _, test := range tests {
		s, _ := run(t, c, jobs.Request{Target: test.target, Function: "test.ping"})
		if !strings.HasPrefix(s.Refused, test.want) || s.ExitCode() != jobs.ExitError {
			t.Errorf("%q: %q, exit %d; want %q", test.target, s.Refused, s.ExitCode(), test.want)
		}
	}
}

func TestSubmitChecks(t *testing.T) {
	t.Parallel()
	c := &jobs.Client{Operator: "alice"}
	tests := []struct {
		request jobs.Request
		want    string
	}{
		{jobs.Request{Target: " ", Function: "test.ping"}, "the target is empty: name peels, e.g. '*'"},
		{jobs.Request{Target: "*", Function: "ping"}, `function "ping": want <module>.<function>, like test.ping`},
		{jobs.Request{Target: "*", Function: "test.ping", Timeout: -1}, "timeout -1ns: use more than 0 and at most 24h0m0s"},
		{jobs.Request{Target: "*", Function: "test.ping", JID: "7"}, `job id "7": want 20 digits, '-' and 8 hex digits, like 20260131120000123456-0a1b2c3d`},
		{jobs.Request{Target: "*", Function: "test.ping", Args: []any{string(make([]byte, 600<<10))}}, "the request has 614"},
	}
	for _, test := range tests {
		if _, err := c.Submit(t.Context(), test.request); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}
