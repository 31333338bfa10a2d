package config

import (
	"strings"
	"testing"
)

// What is said of a command line that cannot be read leads on.
func TestMisused(t *testing.T) {
	type run struct {
		Target  string   `arg:""`
		Words   []string `arg:"" optional:""`
		Timeout string   `short:"t"`
		Async   bool
		Grain   bool `short:"G" hidden:""`
		PCRE    bool `name:"pcre" short:"E" hidden:""`
	}
	type cli struct {
		Run run `cmd:"" default:"withargs"`
		Job struct {
			List struct{} `cmd:""`
		} `cmd:""`
	}
	hint := func(words []string) string {
		if words = append(words, ""); words[0] == "job" || words[0] == "jbo" {
			return "heard " + strings.Join(words, " ")
		}
		return ""
	}
	const write = ": if it is an argument write -- before it"
	for _, c := range []struct {
		args string
		want string
	}{
		{"web test.arg -1", "unknown flag -1" + write},
		{"web -x", "unknown flag -x" + write},
		{"web --x", "unknown flag --x" + write},
		{"web -g", "unknown flag -g" + write}, // -G is not for everybody
		{"web --pcr", "unknown flag --pcr" + write},
		{"web -T 5", `unknown flag -T, did you mean "-t"?`},
		{"web --asynch", `unknown flag --asynch, did you mean "--async"?`},
		{"-t 5 web -- -1", ""},
		{"job lst", `unexpected argument lst, did you mean "list"?`},
		{"job test.ping", "unexpected argument test.ping: heard job test.ping "},
		{"job list -x", "unknown flag -x: heard job list "},
		{"-t 5 jbo -x", "unknown flag -x: heard jbo "},
		{"", `expected "<target>"`},
	} {
		_, err := Parse(Program{Name: "zester", Hint: hint}, &cli{}, strings.Fields(c.args), nil, Stdio{})
		got := ""
		if err != nil {
			got = strings.TrimSuffix(err.Error(), ` (see "zester --help")`)
		}
		if got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.args, got, c.want)
		}
	}
}
