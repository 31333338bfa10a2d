package facts

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

func TestGet(t *testing.T) {
	facts := map[string]any{
		"os": "debian", "a.b": map[string]any{"c": "flat"}, "a": map[string]any{"b": map[string]any{"c": "deep", "d": int64(1)}},
		"ipv4": []any{"127.0.0.1", "10.0.0.1"}, "disks": []any{map[string]any{"name": "sda"}}, "nothing": nil,
		"network": map[string]any{"interfaces": map[string]any{"eth0.100": map[string]any{"mac": "02:00"}}},
	}
	for path, want := range map[string]any{
		"os": "debian", "a.b.c": "flat", "a:b:c": "deep", "a.b.d": int64(1), "ipv4.1": "10.0.0.1", "ipv4:-1": "10.0.0.1", "disks.0.name": "sda",
		"network.interfaces.eth0.100.mac": "02:00", "nothing": nil, "ipv4": []any{"127.0.0.1", "10.0.0.1"},
	} {
		if got, ok := Get(facts, path); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("Get(%q) = %v, %v; want %v", path, got, ok, want)
		}
	}
	for _, path := range []string{"", ".", "os.x", "ipv4.2", "ipv4.-3", "ipv4.x", "a.", "a.b.x", "disks.name", "nothing.x"} {
		if got, ok := Get(facts, path); ok {
			t.Errorf("Get(%q) = %v", path, got)
		}
	}
	if got, want := Keys(facts), []string{"a", "a.b", "disks", "ipv4", "network", "nothing", "os"}; !slices.Equal(got, want) {
		t.Errorf("Keys = %v, want %v", got, want)
	}
}

func TestHash(t *testing.T) {
	a := map[string]any{"os": "debian", "n": int64(1), "m": map[string]any{"x": "1", "y": []any{"2", nil, true}}}
	b := map[string]any{"m": map[string]any{"y": []any{"2", nil, true}, "x": "1"}, "n": int64(1), "os": "debian"}
	if Hash(a) != Hash(b) {
		t.Error("equal facts have different hashes")
	}
	seen := map[string]bool{}
	for _, f := range []map[string]any{
		a, {}, {"os": "debian"}, {"os": []any{"debian"}}, {"os": nil}, {"os": "1"}, {"os": int64(1)}, {"x": math.NaN()}, {"x": math.Inf(1)},
	} {
		h := Hash(f)
		if seen[h] || h != Hash(f) {
			t.Errorf("hash of %v is not its own, or not stable", f)
		}
		seen[h] = true
	}
}
