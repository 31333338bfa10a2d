package states_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/states"
)

func TestWriteReport(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 6000, time.Local)
	report := states.Report{Test: true, Started: at, Duration: 1500 * time.Millisecond, States: []states.StateResult{
		{ID: "clean", Function: "test.nop", Name: "clean", Outcome: states.Succeeded, Ran: true, Started: at, Comment: "Success!"},
		{ID: "conf", Function: "file.managed", Name: "/etc/conf", Outcome: states.WouldChange, Ran: true, Started: at, Duration: 1234 * time.Microsecond,
			Comment: "The file is set to be changed", Changes: map[string]any{
				"diff": "--- a\n+++ b\n", "mode": map[string]any{"old": "0600", "new": "0644"}}},
		{ID: "bad", Function: "cmd.run", Name: "false", Outcome: states.Failed, Ran: true, Started: at, Comment: "two\nlines\x1b[2J",
			Warnings: []string{"careful"}, Changes: map[string]any{"list": []any{"a", true}, "none": nil}},
		{ID: "after", Function: "test.nop", Name: "after", Outcome: states.Failed, Blocked: true, Started: at, Comment: "one or more requisites failed: x.bad"},
	}}
	data := report.Data()
	if !states.IsReport(data) || states.IsReport(map[string]any{"states": 1}) || states.IsReport("text") {
		t.Error("IsReport is wrong")
	}
	full := `----------
          ID: clean
    Function: test.nop
      Result: True
     Comment: Success!
     Started: 03:04:05.000006
    Duration: 0.000 ms
     Changes:
----------
          ID: conf
    Function: file.managed
        Name: /etc/conf
      Result: None
     Comment: The file is set to be changed
     Started: 03:04:05.000006
    Duration: 1.234 ms
     Changes:
              ----------
              diff:
                  --- a
                  +++ b
              mode:
                  ----------
                  new:
                      0644
                  old:
                      0600
----------
          ID: bad
    Function: cmd.run
        Name: false
      Result: False
     Comment: two
              lines�[2J
     Started: 03:04:05.000006
    Duration: 0.000 ms
     Warning: careful
     Changes:
              ----------
              list:
                  - a
                  - true
              none:
                  None
----------
          ID: after
    Function: test.nop
      Result: False (not run)
     Comment: one or more requisites failed: x.bad
     Started: 03:04:05.000006
    Duration: 0.000 ms
     Changes:
`
	summary := `
Summary for web-01
------------------
Succeeded: 2 (unchanged=1, changed=2)
Failed:    1
Not run:   1 (because of what failed)
------------------
Total states run:     4
Total run time:   1.500 s
`
	terse := []string{
		"  Name: clean - Function: test.nop - Result: Clean - Started: 03:04:05.000006 - Duration: 0.000 ms\n",
		"  Name: /etc/conf - Function: file.managed - Result: Differs - Started: 03:04:05.000006 - Duration: 1.234 ms\n",
		"  Name: false - Function: cmd.run - Result: Failed - Started: 03:04:05.000006 - Duration: 0.000 ms\n",
		"  Name: after - Function: test.nop - Result: Not run - Started: 03:04:05.000006 - Duration: 0.000 ms\n",
	}
	const head = "----------\n          ID:"
	blocks := strings.Split(full, head)[1:]
	for i := range blocks {
		blocks[i] = head + blocks[i]
	}
	tests := map[string]string{
		"":        full,
		"full":    full,
		"terse":   strings.Join(terse, ""),
		"changes": terse[0] + blocks[1] + blocks[2] + blocks[3],
		"mixed":   terse[0] + terse[1] + blocks[2] + blocks[3],
	}
	for output, want := range tests {
		var got strings.Builder
		if err := states.WriteReport(&got, "web-01", data, states.TextOptions{Output: output}); err != nil {
			t.Fatal(err)
		}
		if got.String() != want+summary {
			t.Errorf("%q:\n%s\nwant:\n%s", output, got.String(), want+summary)
		}
	}
	var colored strings.Builder
	if err := states.WriteReport(&colored, "web-01", data, states.TextOptions{Output: "terse", Color: true}); err != nil {
		t.Fatal(err)
	}
	for i, color := range []string{"\x1b[0;32m", "\x1b[0;33m", "\x1b[0;31m", "\x1b[0;31m"} {
		if line := strings.Split(colored.String(), "\n")[i]; !strings.HasPrefix(line, color) || !strings.HasSuffix(line, "\x1b[0m") {
			t.Errorf("line %q is not in colour %q", line, color)
		}
	}
}
