package jobs

import (
	"log/slog"
	"testing"
	"time"
)

// A return that landed after the list of those that wait was made is not sent once more.
func TestLandedMeanwhile(t *testing.T) {
	j, _ := openTest(t, t.TempDir())
	jid := beginTest(t, j, time.Now().Add(time.Minute))
	j.end(jid, []byte("return"), written)
	log := slog.New(slog.DiscardHandler)
	values, err := openLarge(t.TempDir(), log, j.unsentReturn)
	if err != nil {
		t.Fatal(err)
	}
	o := newOutbox(nil, "web-01", j, values, log, newRunnerMeters(nil, j))
	j.sent(jid)
	results := make(chan error, 1)
	o.try(t.Context(), jid, results) // would need a connection
	if err := <-results; err != nil || !o.depart(jid) {
		t.Errorf("%v, or it is still on its way", err)
	}
}
