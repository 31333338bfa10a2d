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
		{"soon", 0, `--timeout: want a duration such as 90, 90s or 5m, got "soon" (see "zester --help")`},
		{"inf", 0, `--timeout: want a duration such as 90, 90s or 5m, got "inf" (see "zester --help")`},
		{"", 0, `--timeout: want a duration such as 90, 90s or 5m, got "" (see "zester --help")`},
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
