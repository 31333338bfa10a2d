package states_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// TestFit: a report that is too large loses what is least missed first, never its summary or a failure before others.
func TestFit(t *testing.T) {
	build := func(clean, changed, failed, diff int) states.Report {
		r := states.Report{Started: time.Unix(0, 0)}
		add := func(n int, id string, outcome states.Outcome, changes map[string]any) {
			for i := range n {
				r.States = append(r.States, states.StateResult{ID: fmt.Sprintf("%s%d", id, i), Function: "file.managed", Name: "/etc/x",
					Outcome: outcome, Changes: changes, Comment: "as it is", Ran: true, Started: time.Unix(0, 0)})
			}
		}
		add(clean, "clean", states.Succeeded, nil)
		add(changed, "changed", states.Succeeded, map[string]any{"diff": strings.Repeat("+ a line of it\n", diff/15)})
		add(failed, "failed", states.Failed, nil)
		return r
	}
	tests := []struct {
		name                         string
		report                       states.Report
		limit                        int
		states, omitted, longestDiff int
	}{
		{"fits", build(10, 2, 1, 1000), 1 << 20, 13, 0, 1000},
		{"no limit", build(10, 2, 1, 10_000_000), 0, 13, 0, 10_000_000},
		{"long diffs", build(10, 20, 1, 250_000), 1 << 20, 31, 0, 8<<10 + 40},
		{"clean states", build(5000, 3, 2, 1000), 200 << 10, 5, 5000, 1000},
		{"changed states", build(5000, 600, 2, 100_000), 200 << 10, 602, 5000, 40},
		{"all of them", build(50, 50, 1000, 100), 100 << 10, -1, -1, 40},
	}
	for _, tt := range tests {
		data := tt.report.Fit(tt.limit)
		encoded, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		// JSON spends some more on numbers and escapes than the bus does.
		if tt.limit > 0 && len(encoded) > tt.limit+tt.limit/8 {
			t.Errorf("%s: %d bytes, the limit is %d", tt.name, len(encoded), tt.limit)
		}
		list := data["states"].([]any)
		omitted, _ := data["omitted"].(int64)
		longest, failed := 0, 0
		for _, item := range list {
			s := item.(map[string]any)
			if s["result"] == false {
				failed++
			}
			for _, text := range s["changes"].(map[string]any) {
				longest = max(longest, len(text.(string)))
			}
		}
		if tt.states < 0 {
			if failed != len(list) || int64(len(list))+omitted != int64(len(tt.report.States)) {
				t.Errorf("%s: %d states, %d of them failed, %d left out", tt.name, len(list), failed, omitted)
			}
			continue
		}
		if len(list) != tt.states || omitted != int64(tt.omitted) || longest > tt.longestDiff {
			t.Errorf("%s: %d states, %d left out, the longest diff has %d bytes", tt.name, len(list), omitted, longest)
		}
		if total := data["summary"].(map[string]any)["total"]; total != int64(len(tt.report.States)) {
			t.Errorf("%s: a total of %v", tt.name, total)
		}
	}
}
