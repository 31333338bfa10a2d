package modules_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestReadLate: what a command has printed before it ended is not lost on a peel that comes to read it much later.
func TestReadLate(t *testing.T) {
	t.Parallel()
	env, root := newEnv(t, nil)
	stalled := false
	env.Output = func(bool, []byte) {
		if stalled {
			return
		}
		stalled = true
		data, err := os.ReadFile(root + "/pid")
		pid, bad := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil || bad != nil {
			t.Errorf("%v, %v", err, bad)
			return
		}
		if err := os.WriteFile(root+"/go", nil, 0o600); err != nil {
			t.Error(err)
			return
		}
		until(t, "the command to end", func() bool { return !alive(pid) })
		time.Sleep(3 * time.Second) // a machine that stands still
	}
	got, err := call(t, env, "cmd.run", []any{"echo $$ > pid; echo one; until test -e go; do sleep 0.02; done; echo two"}, map[string]any{"cwd": root})
	if err != nil || got != "one\ntwo" {
		t.Errorf("got %q (%v)", got, err)
	}
}
