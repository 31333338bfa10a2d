package bus_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

func TestCodecKeepsPlainData(t *testing.T) {
	for _, v := range []any{
		nil, true, int64(0), int64(-1), int64(127), int64(-33), int64(1 << 40), int64(math.MinInt64), 1.5, math.Inf(1), "", "ü", strings.Repeat("x", 70000),
		[]byte{0, 255}, []any{}, []any{int64(1), nil, []any{"x"}}, map[string]any{}, map[string]any{"a": map[string]any{"b": []any{false}}},
	} {
		data, err := bus.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := bus.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%.60v came back as %.60v, %v", v, got, err)
		}
	}
	round := func(m map[string]int64, s []string, b []byte, f float64) bool {
		want := map[string]any{"b": append([]byte{}, b...), "f": f}
		list := []any{}
		for _, x := range s {
			list = append(list, x)
		}
		inner := map[string]any{}
		for k, n := range m {
			inner[k] = n
		}
		want["s"], want["m"] = list, inner
		data, err := bus.Marshal(want)
		var got any
		return err == nil && bus.Unmarshal(data, &got) == nil && reflect.DeepEqual(got, any(want))
	}
	if err := quick.Check(round, nil); err != nil {
		t.Error(err)
	}
}

func TestPlain(t *testing.T) {
	in := map[any]any{1: int8(2), "u": uint64(math.MaxUint64), "l": []any{float32(0.5), uint8(3)}, "t": time.Unix(0, 0).UTC()}
	want := map[string]any{"1": int64(2), "u": float64(math.MaxUint64), "l": []any{0.5, int64(3)}, "t": "1970-01-01T00:00:00Z"}
	if got := bus.Plain(in); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	var v any
	for want, data := range map[string][]byte{
		"msgpack: the message ends inside a value": {0xdd, 0xff, 0xff, 0xff, 0xff}, // an array of 4 billion
		"msgpack: 1 bytes after the value":         {0xc0, 0xc0},
		"msgpack: no type has the code 0xc1":       {0xc1},
		"msgpack: nested deeper than 64":           bytes.Repeat([]byte{0x91}, 1000),
	} {
		if err := bus.Unmarshal(data, &v); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := bus.Unmarshal(nil, &v); err == nil {
		t.Error("nothing decodes to something")
	}
}

// Whatever the bytes: no panic, and what decodes is plain data that survives another round.
func FuzzUnmarshal(f *testing.F) {
	for _, v := range []any{nil, int64(5), "x", []any{1.5, nil}, map[string]any{"k": []byte("v")}, time.Unix(1, 2)} {
		data, err := bus.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x81, 0x90, 0x01})
	f.Add([]byte{0x81, 0xca, 0x7f, 0xc0, 0, 0, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var first any
		if bus.Unmarshal(data, &first) != nil {
			return
		}
		again, err := bus.Marshal(first)
		if err != nil {
			t.Fatalf("%#v: %v", first, err)
		}
		var second any
		if err := bus.Unmarshal(again, &second); err != nil {
			t.Fatalf("%#v: %v", first, err)
		}
		third, err := bus.Marshal(second)
		if err != nil || len(third) != len(again) { // NaN is not equal to itself, and maps have no order
			t.Errorf("%#v became %#v", first, second)
		}
		var m map[string]any
		_ = bus.Unmarshal(data, &m)
		var s struct {
			A string         `msgpack:"a"`
			T time.Time      `msgpack:"t"`
			M map[string]any `msgpack:"m"`
		}
		_ = bus.Unmarshal(data, &s)
	})
}
