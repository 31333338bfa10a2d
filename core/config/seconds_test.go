package config

import (
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		err  string
	}{
		{"90", 90 * time.Second, ""},
		{"1.5", 1500 * time.Millisecond, ""},
		{"90s", 90 * time.Second, ""},
		{"1m30s", 90 * time.Second, ""},
		{"0", 0, ""},
		{"0.5", 500 * time.Millisecond, ""},
		{"1h30m", 90 * time.Minute, ""},
		{"7d", 7 * 24 * time.Hour, ""},
		{"1.5d", 36 * time.Hour, ""},
		{"soon", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "soon" (see "zester --help")`},
		{"inf", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "inf" (see "zester --help")`},
		{"", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "" (see "zester --help")`},
		{"d", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "d" (see "zester --help")`},
		{"1w", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "1w" (see "zester --help")`},
		{"1d12h", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "1d12h" (see "zester --help")`},
		{"-1d", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "-1d" (see "zester --help")`},
		{"-5s", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "-5s" (see "zester --help")`},
		{"1e9d", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "1e9d" (see "zester --help")`},
		{"NaN", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "NaN" (see "zester --help")`},
		{"1e30", 0, `--timeout: want a duration such as 90, 90s, 1h30m or 7d, got "1e30" (see "zester --help")`},
	} {
		var flags struct {
			Timeout time.Duration `short:"t" type:"seconds" default:"1m"`
		}
		_, err := Parse(Program{Name: "zester"}, &flags, []string{"--timeout=" + c.text}, nil, Stdio{})
		switch {
		case c.err == "" && err != nil, c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q: %v, want %q", c.text, err, c.err)
		case c.err == "" && flags.Timeout != c.want:
			t.Errorf("%q is %s, want %s", c.text, flags.Timeout, c.want)
		}
	}
}
