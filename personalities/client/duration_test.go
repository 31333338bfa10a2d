package client

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		err  string
	}{
		{"90", 90 * time.Second, ""},
		{"0.5", 500 * time.Millisecond, ""},
		{"90s", 90 * time.Second, ""},
		{"1h30m", 90 * time.Minute, ""},
		{"7d", 7 * 24 * time.Hour, ""},
		{"1.5d", 36 * time.Hour, ""},
		{"-1d", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "-1d"`},
		{"-5s", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "-5s"`},
		{"", 0, `want a duration such as 90, 90s, 1h30m or 7d, got ""`},
		{"d", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "d"`},
		{"1w", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "1w"`},
		{"1d12h", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "1d12h"`},
		{"1e9d", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "1e9d"`},
		{"NaN", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "NaN"`},
		{"1e30", 0, `want a duration such as 90, 90s, 1h30m or 7d, got "1e30"`},
	} {
		var d duration
		err := d.UnmarshalText([]byte(c.text))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if time.Duration(d) != c.want || text != c.err {
			t.Errorf("%q: %v, %q; want %v, %q", c.text, time.Duration(d), text, c.want, c.err)
		}
	}
}
