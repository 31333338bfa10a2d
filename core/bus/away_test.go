package bus_test

import (
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// The log tells of the end of what it has told of: how long there was no connection.
func TestReconnectIsLogged(t *testing.T) {
	t.Parallel()
	s := server.StartTest(t)
	s.Stop()
	log := &tap{}
	o := options(t, s)
	o.Wait, o.Log = true, slog.New(slog.NewTextHandler(log, nil))
	c, err := bus.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tells := func(text string) {
		t.Helper()
		want := regexp.MustCompile("(?s)" + text)
		for deadline := time.Now().Add(patience); !want.Match(log.bytes()); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no match of %q in:\n%s", text, log.bytes())
			}
		}
	}
	const connected, lost = `level=INFO msg="connected to NATS" away=[0-9.]+m?s\n`, `level=WARN msg="disconnected from NATS"`
	tells(`level=WARN msg="NATS cannot be reached yet"`)
	s.Start(t)
	tells(connected)
	s.Stop()
	tells(connected + ".*" + lost)
	s.Start(t)
	tells(connected + ".*" + lost + ".*" + connected)
}
