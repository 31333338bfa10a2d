package bench

import (
	"context"
	"os"
	"regexp"
	"testing"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/personalities/master"
	"github.com/ptorbus/zester/personalities/peel"
)

// TestMain makes this binary the master and the peel that the bench starts as processes.
func TestMain(m *testing.M) {
	stdio := config.Stdio{Out: os.Stdout, Err: os.Stderr}
	switch {
	case len(os.Args) > 1 && os.Args[1] == "master":
		os.Exit(master.Run(context.Background(), config.Program{Name: "zester master"}, os.Args[2:], nil, stdio))
	case len(os.Args) > 1 && os.Args[1] == "peel":
		os.Exit(peel.Run(context.Background(), config.Program{Name: "zester peel"}, os.Args[2:], nil, stdio))
	}
	os.Exit(m.Run())
}

// An idle fleet writes nothing to JetStream: no presence, no leases, no facts that have not changed.
func TestIdle(t *testing.T) {
	t.Parallel()
	code, out, errs := runBench(t, "idle", "--peels", "20", "--for", "6s")
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	for _, line := range []string{
		`^20 peels, one of them and the master real processes, watched for 6s\n0 messages written to 1[0-9] streams\n`,
		`\n +master +[0-9]+\.[0-9] MiB +80 MiB +[0-9.]+ %\n +peel +[0-9]+\.[0-9] MiB +25 MiB +[0-9.]+ %\n$`,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line like %q in:\n%s", line, out)
		}
	}
}
