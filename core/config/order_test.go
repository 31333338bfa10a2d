package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

type orderCommands struct {
	LogLevel string `short:"l" default:"info"`
	Quiet    bool   `short:"q"`

	Run struct {
		Target  string        `arg:""`
		Args    []string      `arg:"" optional:""`
		Timeout time.Duration `short:"t"`
		Verbose bool          `short:"v"`
	} `cmd:"" default:"withargs"`
	Group struct {
		List struct {
			Names []string `arg:"" optional:""`
			All   bool
		} `cmd:""`
	} `cmd:""`
}

func TestFlagsFirst(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"x a b", "x a b"},
		{"x a --timeout 5s b=1", "--timeout 5s x a b=1"},
		{"x a --timeout=5s b=1", "--timeout=5s x a b=1"},
		{"x a -t 5s b", "-t 5s x a b"},
		{"x a -t5s b", "-t5s x a b"},
		{"x a -vqt 5s b", "-vqt 5s x a b"},
		{"x -v a -q b", "-v -q x a b"},
		{"x a --log-level debug b", "--log-level debug x a b"},
		{"x a -v -- -b --timeout c", "-v -- x a -b --timeout c"},
		{"-v x - a", "-v x - a"},
		{"run x a -v b", "run -v x a b"},
		{"group list a --all b -l debug c", "group list --all -l debug a b c"},
		{"-q group list a --all b", "-q group list a --all b"}, // kong has the commands' flags after them
		// Mistakes stay where they are.
		{"x a --timeout", "x a --timeout"},
		{"x a --timeout --verbose b", "x a --timeout --verbose b"},
	} {
		parser := kong.Must(&orderCommands{})
		if got := strings.Join(flagsFirst(parser.Model.Node, strings.Fields(c.line)), " "); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.line, got, c.want)
		}
	}
}

func TestParseFlagsBetweenArguments(t *testing.T) {
	var c orderCommands
	line := []string{"x", "state.apply", "--timeout", "5s", "test=True", "-l", "debug", "more"}
	if _, err := Parse(Program{Name: "zester"}, &c, line, nil, Stdio{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Run.Args, []string{"state.apply", "test=True", "more"}) || c.Run.Timeout != 5*time.Second || c.LogLevel != "debug" {
		t.Errorf("parsed as %+v", c)
	}
}

func FuzzFlagsFirst(f *testing.F) {
	f.Add("x a --timeout 5s b=1 -- -c")
	f.Add("group list -qv --all - x")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		got := flagsFirst(kong.Must(&orderCommands{}).Model.Node, slices.Clone(args))
		slices.Sort(args)
		slices.Sort(got)
		if !slices.Equal(got, args) {
			t.Errorf("%q has other words afterwards: %q", args, got)
		}
	})
}
