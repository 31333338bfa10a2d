package client

import (
	"strings"
	"testing"
)

func TestHints(t *testing.T) {
	hint := hints([]string{"master", "playground", "nats"})
	for _, c := range []struct{ words, want string }{
		{"", ""},
		{"job test.ping", "job is a command; a peel of that name is L@job"},
		{"job test.ping x", "job is a command; a peel of that name is L@job"},
		{"job", ""},
		{"job list", ""},
		{"local test.arg", ""}, // which is a function there
		{"playgruond", `there is no command "playgruond" (did you mean "playground"?)`},
		{"mastre x", `there is no command "mastre" (did you mean "master"?)`},
		{"jbo list", `there is no command "jbo" (did you mean "job"?)`},
		{"master", ""},
		{"mastre test.ping", ""}, // a target, with what it is to run
		{"nats-01", ""},
		{"nat*", ""},
		{"N@nat", ""},
		{"nat,master", ""},
		{"frobnicate", ""},
	} {
		if got := hint(strings.Fields(c.words)); got != c.want {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}
