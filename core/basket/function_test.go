package basket

import (
	"reflect"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name  string
		block any
		want  []Function
	}{
		{"nothing", nil, nil},
		{"names", []any{"network.ip_addrs", "disk.usage"}, []Function{
			{Name: "network.ip_addrs", Interval: DefaultInterval}, {Name: "disk.usage", Interval: DefaultInterval},
		}},
		{"interval, as in the documents", map[string]any{"network.ip_addrs": map[string]any{"interval": "5m"}}, []Function{
			{Name: "network.ip_addrs", Interval: 5 * time.Minute},
		}},
		{"interval alone", map[string]any{"a.b": "90s", "c.d": int64(30)}, []Function{
			{Name: "a.b", Interval: 90 * time.Second}, {Name: "c.d", Interval: 30 * time.Second},
		}},
		{"arguments", map[string]any{"cmd.run": []any{"date", map[string]any{"cwd": "/"}}}, []Function{
			{Name: "cmd.run", Call: "cmd.run", Args: []any{"date"}, Kwargs: map[string]any{"cwd": "/"}, Interval: DefaultInterval},
		}},
		{"Salt's alias", map[string]any{"when": []any{map[string]any{"mine_function": "cmd.run"}, "date"}}, []Function{
			{Name: "when", Call: "cmd.run", Args: []any{"date"}, Interval: DefaultInterval},
		}},
		{"everything", map[string]any{"x": map[string]any{"function": "f.g", "args": []any{"a"}, "kwargs": map[string]any{"k": true}, "interval": "1h", "ttl": "2h"}}, []Function{
			{Name: "x", Call: "f.g", Args: []any{"a"}, Kwargs: map[string]any{"k": true}, Interval: time.Hour, TTL: 2 * time.Hour},
		}},
		{"fact and value", map[string]any{"f": map[string]any{"fact": "os"}, "v": map[string]any{"value": int64(3)}}, []Function{
			{Name: "f", Fact: "os", Interval: DefaultInterval}, {Name: "v", Value: int64(3), Interval: DefaultInterval},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse("basket", tt.block)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse = %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		block any
		want  string
	}{
		{"network.ip_addrs", "basket: want a list of functions or a map of them, not string"},
		{[]any{int64(3)}, "basket: want the name of a function, not 3"},
		{[]any{"a b"}, `basket: a b: basket function "a b": use letters, digits, '_' and '-', with single dots between`},
		{map[string]any{"a": map[string]any{"intervall": "5m"}}, `basket: a: unknown key "intervall" (did you mean "interval"?): use function, args, kwargs, fact, value, interval, ttl`},
		{map[string]any{"a": map[string]any{"interval": "soon"}}, "basket: a: interval: soon is no duration: write 30s, 5m or 1h"},
		{map[string]any{"a": map[string]any{"interval": "1ms"}}, "basket: a: an interval of 1ms is too short: use 1s or more"},
		{map[string]any{"a": map[string]any{"ttl": "1s"}}, "basket: a: a ttl of 1s is too short: use 2s or more"},
		{map[string]any{"a": map[string]any{"args": "x"}}, "basket: a: args has the wrong type: x"},
		{map[string]any{"a": true}, "basket: a: want an interval, a list of arguments or a map, not true"},
	}
	for _, tt := range tests {
		if got, err := Parse("basket", tt.block); err == nil || err.Error() != tt.want || got != nil {
			t.Errorf("Parse(%v) = %v, %v\nwant %s", tt.block, got, err, tt.want)
		}
	}
}

func TestMerge(t *testing.T) {
	got := Merge([]Function{{Name: "b"}, {Name: "a"}}, []Function{{Name: "a", Fact: "os"}})
	if want := []Function{{Name: "a", Fact: "os"}, {Name: "b"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("Merge = %+v, want %+v", got, want)
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"network.ip_addrs", "a", "a.b.c", ".", "a..b", "a b", "a.*", "a.>", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		for i, c := range name { // nothing that NATS gives a meaning to
			if c == '*' || c == '>' || c == ' ' || c == '=' || c == '.' && (i == 0 || i == len(name)-1 || name[i+1] == '.') {
				t.Errorf("CheckName accepts %q", name)
			}
		}
	})
}
