package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/config"
)

func runBench(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), config.Program{Name: "zester bench"}, args, nil, config.Stdio{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// TestFanout measures a small fleet, in both modes, with all that a large one needs.
func TestFanout(t *testing.T) {
	t.Parallel()
	profile := filepath.Join(t.TempDir(), "cpu")
	code, out, errs := runBench(t, "fanout", "--peels", "5,10", "--rounds", "1", "--cpuprofile", profile)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, n := range []string{"5", "10"} {
		if !strings.Contains(out, n+" peels, ") {
			t.Errorf("nothing of %s peels in:\n%s", n, out)
		}
	}
	const number = ` +[0-9.]+`
	for _, line := range []string{
		`every peel verifies, raw NATS` + number + ` ms` + number + ` µs`,
		`every peel verifies, ping` + number + ` ms` + number + ` µs +[-+][0-9]+%` + number,
		`one verification, durable` + number + ` ms` + number + ` µs +[-+][0-9]+%` + number,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line like %q in:\n%s", line, out)
		}
	}
	// Both ends of a command and of its return are counted, and the answer to the latter.
	for _, row := range regexp.MustCompile(`durable.* ([0-9.]+) +[0-9]+ *\n`).FindAllStringSubmatch(out, -1) {
		if n, err := strconv.ParseFloat(row[1], 64); err != nil || n < 5 {
			t.Errorf("%s messages for a job on one target", row[1])
		}
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("the profile: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"fanout", "--peels", "0"}, "--peels 0: want 1 to 20000"},
		{[]string{"fanout", "--peels", "10,30000"}, "--peels 30000: want 1 to 20000"},
		{[]string{"idle", "--peels", "0"}, "--peels 0: want 1 to 20000"},
		{[]string{"idle", "--for", "0s"}, "--for 0s: want more than 0"},
		{[]string{"fanout", "--rounds", "0"}, "--rounds 0: want 1 or more"},
	} {
		if code, out, errs := runBench(t, c.args...); code != 1 || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: exit %d, %q, %q", c.args, code, out, errs)
		}
	}
}
