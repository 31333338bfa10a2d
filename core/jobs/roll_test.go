package jobs

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// A roll that nobody answers in time, as this host stands still say, is called again while it may find something sooner than the
// queue does.
func TestRollIsCalledAgain(t *testing.T) {
	t.Parallel()
	core := server.StartTest(t).Core(t)
	mute, err := core.Subscribe(bus.MasterRoll, func(bus.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Stop()
	d := &dispatching{Dispatcher: Dispatcher{Conn: core, Log: slog.New(slog.DiscardHandler), AckWait: time.Hour}, holders: newHolders("master")}
	d.meters = newDispatcherMeters(nil, d.open)
	d.company = true
	past := time.Now().Add(-time.Second)
	long, soon := NewID(past), NewID(past)
	d.submitted[long], d.submitted[soon] = submitted{past, past.Add(d.AckWait)}, submitted{past, past}
	unheard, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	d.seekLost(unheard)
	again, asked := d.submitted[long]
	if _, more := d.submitted[soon]; !asked || more || !again.due.After(past) || again.until != past.Add(d.AckWait) {
		t.Errorf("not answered, and then to be asked for: %+v", d.submitted)
	}
	roll, err := core.Subscribe(bus.MasterRoll, d.answerRoll)
	if err != nil {
		t.Fatal(err)
	}
	defer roll.Stop()
	for deadline := time.Now().Add(time.Minute); d.rolled.IsZero() && time.Now().Before(deadline); {
		d.submitted[long] = submitted{past, again.until}
		d.seekLost(t.Context())
	}
	if len(d.submitted) != 0 || d.rolled.IsZero() {
		t.Errorf("answered, and then to be asked for: %+v", d.submitted)
	}
}
