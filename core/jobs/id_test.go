package jobs

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

func encodeTest(v any) ([]byte, error) { return bus.Marshal(v) }

func TestID(t *testing.T) {
	at := time.Date(2026, 1, 31, 13, 0, 0, 123456999, time.FixedZone("CET", 3600))
	id := NewID(at)
	if !strings.HasPrefix(id, "20260131120000123456-") || CheckID(id) != nil {
		t.Errorf("id %q: %v", id, CheckID(id))
	}
	if later := NewID(at.Add(time.Microsecond)); later <= id {
		t.Errorf("%q does not sort after %q", later, id)
	}
	for _, bad := range []string{"", "20260131120000123456", "20260131120000123456-0A1B2C3D", "2026013112000012345x-0a1b2c3d", "20260131120000123456.0a1b2c3d", id + "0", id[:28] + "*"} {
		if CheckID(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestReturnKeepsItsTimes(t *testing.T) {
	want := Return{JID: "20260131120000123456-0a1b2c3d", Peel: "web-01", Function: "test.ping", Success: true, Value: int64(1), Started: time.Unix(12, 345).UTC(), Duration: 77}
	for _, w := range []Return{want, {JID: want.JID, Peel: "web-01"}} {
		data, err := bus.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeReturn(bus.Return(want.JID, "web-01"), data)
		if err != nil || !got.Started.Equal(w.Started) || got.Started.IsZero() != w.Started.IsZero() {
			t.Errorf("started %v, want %v (%v)", got.Started, w.Started, err)
		}
		got.Started = w.Started
		if !reflect.DeepEqual(got, w) {
			t.Errorf("%+v, want %+v", got, w)
		}
	}
}

func TestExitCode(t *testing.T) {
	tests := []struct {
		s    Summary
		want int
	}{
		{Summary{Targets: []string{"a"}, Returned: 1}, 0},
		{Summary{Refused: "no"}, 1},
		{Summary{Err: bus.ErrNotFound, Failed: []string{"a"}}, 1},
		{Summary{Failed: []string{"a"}}, 2},
		{Summary{Silent: []Silent{{Peel: "a"}}}, 3},
		{Summary{Offline: []string{"a"}}, 3},
		{Summary{Missing: []string{"a"}}, 3},
		{Summary{Queued: true}, 3},
		{Summary{Failed: []string{"a"}, Offline: []string{"b"}}, 4},
	}
	for _, test := range tests {
		if got := test.s.ExitCode(); got != test.want {
			t.Errorf("%+v: %d, want %d", test.s, got, test.want)
		}
	}
}

func TestWithoutValue(t *testing.T) {
	data, err := bus.Marshal(Return{JID: "x", Success: true, Value: "long", Error: "odd"})
	if err != nil {
		t.Fatal(err)
	}
	small := withoutValue(data, bus.ErrTooLarge)
	var got Return
	if err := bus.Unmarshal(small, &got); err != nil {
		t.Fatal(err)
	}
	if got.Value != nil || !got.Cut || !got.Failed() || got.Error != "odd; the value is left out: too large" {
		t.Errorf("%+v", got)
	}
	if again := withoutValue(small, bus.ErrTooLarge); again != nil {
		t.Errorf("cut twice: %q", again)
	}
}
