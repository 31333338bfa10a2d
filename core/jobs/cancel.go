package jobs

import (
	"fmt"

	"github.com/ptorbus/zester/core/keys"
)

// cancelled is why the context of a cancelled job has ended.
type cancelled struct{ by string }

func (c *cancelled) Error() string { return fmt.Sprintf("cancelled by %s", c.by) }

// cancel ends a job that waits or runs. One that has not come yet is put on record as ended, so
// that its command, should it come after all, finds it so.
func (r *running) cancel(cmd keys.Command) {
	by := &cancelled{cmd.Operator}
	switch r.journal.state(cmd.JID) {
	case stateUnknown:
		t := &task{cmd: cmd}
		if err := r.journal.begin(cmd.JID, cmd.Function, r.clock.last(cmd), true); err != nil {
			r.Log.Error("a cancelled job cannot be recorded", "job", cmd.JID, "error", err)
			return
		}
		r.settle(t, outcome{reason: ReasonCancelled, retcode: 1, err: fmt.Errorf("not started: %w", by)})
	case stateBegun:
		r.mu.Lock()
		t := r.active[cmd.JID]
		r.mu.Unlock()
		if t != nil {
			r.Log.Info("a job is cancelled", "job", cmd.JID, "function", cmd.Function, "operator", cmd.Operator)
			t.cancel(by)
		}
	default:
		r.outbox.again(cmd.JID)
	}
}
