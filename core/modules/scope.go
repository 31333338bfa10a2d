package modules

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
)

// scopeWords are what to put before a command for systemd to run it in a scope of that name, beside the peel's unit and
// not within it: none where this process is not a unit's.
func scopeWords(name string) []string {
	// A unit's processes have systemd as their parent and an invocation id; their children inherit only the latter.
	if os.Getppid() != 1 || os.Getenv("INVOCATION_ID") == "" || os.Geteuid() != 0 {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	run, err := exec.LookPath("systemd-run")
	if err != nil {
		return nil
	}
	return []string{run, "--scope", "--collect", "--quiet", "--unit=" + name, "--description=Command of zester-peel", "--"}
}

func randomWord() string { return strings.ToLower(rand.Text()[:8]) }
