//go:build acceptance

package acceptance

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// packages of a machine beyond Debian's smallest: those of an ordinary server that the guide takes for granted.
var packages = []string{"systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates", "cron"}

// baseTree is a Debian of this host's release, from the mirror that apt uses. It is made once and kept in the cache.
func baseTree(t *testing.T) string {
	t.Helper()
	suite := codename(t)
	cache := cmp.Or(os.Getenv("ZESTER_ACCEPTANCE_CACHE"), "/var/cache/zester")
	tree := filepath.Join(cache, "debian-"+suite+"-"+strings.Join(packages, "+"))
	if _, err := os.Stat(tree); err == nil {
		return tree
	}
	mirror := mirrorOf(t, suite)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	made := debootstrap(t, suite, mirror)
	// Machines have no network to update from, and an identity each.
	for _, path := range []string{"var/cache/apt/archives", "var/lib/apt/lists", "etc/machine-id", "etc/hostname", "etc/resolv.conf"} {
		if err := os.RemoveAll(filepath.Join(made, path)); err != nil {
			t.Fatal(err)
		}
	}
	unfinished := tree + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		t.Fatal(err)
	}
	command(t, "cp", "-a", made, unfinished)
	if err := os.Rename(unfinished, tree); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(made); err != nil {
		t.Fatal(err)
	}
	return tree
}

// debootstrap makes a Debian in memory, since dpkg waits for the disk after each file. A mirror may be busy, or change under
// it: what it could not fetch is asked for again.
func debootstrap(t *testing.T, suite, mirror string) string {
	t.Helper()
	for try := 1; ; try++ {
		made := filepath.Join(work, fmt.Sprintf("debootstrap-%d", try)) // one that was cut off may have mounts in it
		start := time.Now()
		_, err := run(t, 10*time.Minute, "debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","), suite, made, mirror)
		if err == nil {
			t.Logf("debootstrap of %s from %s took %s", suite, mirror, time.Since(start).Round(time.Second))
			return made
		}
		if try == 3 {
			t.Fatal(err)
		}
		t.Logf("attempt %d: %v", try, err)
	}
}

// codename is that of this host's release.
func codename(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(readFile(t, "/etc/os-release")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return name
		}
	}
	t.Fatal("/etc/os-release names no release of Debian")
	return ""
}

// mirrorOf is where apt gets a release from. On a machine that has been made as small as can be, apt has to look first.
func mirrorOf(t *testing.T, suite string) string {
	t.Helper()
	var sources []string
	for _, look := range []bool{false, true} {
		if look {
			command(t, "apt-get", "-q", "-o", "Acquire::Retries=5", "update")
		}
		sources = strings.Fields(command(t, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(SITE)", "Created-By: Packages"))
		for _, source := range sources {
			if fields := strings.Split(source, "|"); len(fields) == 4 && slices.Equal(fields[:3], []string{"Debian", suite, "main"}) {
				return fields[3]
			}
		}
	}
	t.Fatalf("apt knows no mirror of Debian %q, only %q: add one to /etc/apt/sources.list.d and run apt-get update", suite, sources)
	return ""
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
