package states

import "time"

// StateResult is the result of one state of a run.
type StateResult struct {
	ID, SLS, Function, Name string

	Outcome Outcome
	// Changes is plain data, never nil.
	Changes  map[string]any
	Comment  string
	Warnings []string
	Started  time.Time
	Duration time.Duration
	// Run is the place in the order of execution, from 1.
	Run int
	// Ran is false when requisites or conditions kept the function from running.
	Ran bool
	// Handled failures have been dealt with by onfail states with onfail_stop: false, and do not make the run fail.
	Handled bool
	// Blocked states failed only because of others: a failed requisite, a failhard, a cancelled run.
	Blocked bool
}

// Report is the outcome of a run, its states in definition order.
type Report struct {
	States   []StateResult
	Test     bool
	Started  time.Time
	Duration time.Duration
}

// Failed reports whether any state failed, and no other has dealt with that.
func (r Report) Failed() bool {
	for i := range r.States {
		if r.States[i].Outcome == Failed && !r.States[i].Handled {
			return true
		}
	}
	return false
}

// Changed reports whether any state changed something, or would.
func (r Report) Changed() bool {
	for i := range r.States {
		if len(r.States[i].Changes) > 0 || r.States[i].Outcome == WouldChange {
			return true
		}
	}
	return false
}

// Data returns the report as plain data, the form in which a job returns it. Its keys are stable:
//
//	test      bool
//	result    true, false, or nil when a test run would change something
//	started   RFC 3339 time in UTC
//	duration  milliseconds, float
//	summary   {total, succeeded, failed, blocked, changed, would_change}: whole numbers;
//	          succeeded + failed + blocked + would_change = total; changed are those that changed something
//	states    list, in definition order, of
//	  id, sls, function, name, comment  text
//	  result    true, false or nil
//	  changes   mapping; {diff: text} for file contents, {x: {old, new}} for attributes
//	  started   RFC 3339 time in UTC
//	  duration  milliseconds, float
//	  run       place in the order of execution, from 1
//	  ran       bool: whether the function was run at all
//	  blocked   bool: failed only because of another state
//	  handled   true for a failure that an onfail state with onfail_stop: false has dealt with, else left out
//	  warnings  list of text, left out when there are none
//
// Fit adds omitted, the number of states that are left out of the list.
func (r Report) Data() map[string]any {
	list := make([]any, len(r.States))
	var succeeded, failed, blocked, changed, would int64
	for i := range r.States {
		s := &r.States[i]
		switch {
		case s.Blocked:
			blocked++
		case s.Outcome == Failed:
			failed++
		case s.Outcome == WouldChange:
			would++
		default:
			succeeded++
		}
		if len(s.Changes) > 0 && s.Outcome != WouldChange {
			changed++
		}
		list[i] = s.Data()
	}
	var result any = true
	if r.Failed() {
		result = false
	} else if would > 0 {
		result = nil
	}
	return map[string]any{
		"test": r.Test, "result": result, "started": stamp(r.Started), "duration": milliseconds(r.Duration), "states": list,
		"summary": map[string]any{
			"total": int64(len(list)), "succeeded": succeeded, "failed": failed, "blocked": blocked,
			"changed": changed, "would_change": would,
		},
	}
}

// Data returns the result as plain data, one element of Report.Data's states.
func (s *StateResult) Data() map[string]any {
	changes := s.Changes
	if changes == nil {
		changes = map[string]any{}
	}
	data := map[string]any{
		"id": s.ID, "sls": s.SLS, "function": s.Function, "name": s.Name,
		"result": s.Outcome.Data(), "changes": changes, "comment": s.Comment,
		"started": stamp(s.Started), "duration": milliseconds(s.Duration),
		"run": int64(s.Run), "ran": s.Ran, "blocked": s.Blocked,
	}
	if s.Handled {
		data["handled"] = true
	}
	if len(s.Warnings) > 0 {
		warnings := make([]any, len(s.Warnings))
		for i, w := range s.Warnings {
			warnings[i] = w
		}
		data["warnings"] = warnings
	}
	return data
}

// saltData is the result as Salt has it in the events of a run.
func (s *StateResult) saltData() map[string]any {
	return map[string]any{
		"__id__": s.ID, "__sls__": s.SLS, "__run_num__": int64(s.Run - 1), "name": s.Name, "result": s.Outcome.Data(), "changes": s.Changes,
		"comment": s.Comment, "start_time": s.Started.Format("15:04:05.000000"), "duration": milliseconds(s.Duration),
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
