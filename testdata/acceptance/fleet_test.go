//go:build acceptance

package acceptance

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is where this package lies in.
const repository = "../.."

// fleet is four machines: the NATS server, a master, and two peels. web-01 may manage its host, db-01 has the guide's
// unit alone, which keeps its peel from changing the system.
type fleet struct {
	nats, master, web, db *machine
}

func (f *fleet) all() []*machine   { return []*machine{f.nats, f.master, f.web, f.db} }
func (f *fleet) peels() []*machine { return []*machine{f.web, f.db} }

// machineOf is where a unit runs.
func (f *fleet) machineOf(unit string) *machine {
	if unit == "zester-nats" {
		return f.nats
	}
	return f.master
}

func bootFleet(t *testing.T) *fleet {
	t.Helper()
	base := baseTree(t)
	l := newLAN(t, "guide", map[string][]string{
		"10.88.0.1": {"nats"}, "10.88.0.2": {"master"},
		"10.88.0.11": {"web-01.example.test", "web-01"}, "10.88.0.12": {"db-01.example.test", "db-01"},
	})
	f := &fleet{
		nats:   l.boot(t, base, "nats", "10.88.0.1"),
		master: l.boot(t, base, "master", "10.88.0.2"),
		web:    l.boot(t, base, "web-01", "10.88.0.11"),
		db:     l.boot(t, base, "db-01", "10.88.0.12"),
	}
	for _, m := range f.all() {
		m.ready(t, 1)
	}
	return f
}

// install puts a file of the repository into a machine.
func (m *machine) install(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	m.write(t, to, readFile(t, filepath.Join(repository, from)), mode)
}

// client runs the operator's client on the master, and expects that exit code.
func (f *fleet) client(t *testing.T, code int, words ...string) string {
	t.Helper()
	out, err := f.master.try(t, patience, append([]string{"zester"}, words...)...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		got = -1
	}
	if got != code {
		t.Fatalf("zester %s: exit code %d, want %d (%v)\n%s", strings.Join(words, " "), got, code, err, out)
	}
	return out
}

// answer is one peel's return as --format json prints it.
type answer struct {
	Peel    string
	Success bool
	Retcode int
	Value   any
	Error   string
}

// ask runs a function on a target and returns the answers by peel. Failures of peels are answers.
func (f *fleet) ask(t *testing.T, target string, words ...string) map[string]answer {
	t.Helper()
	out, err := f.master.try(t, patience, append([]string{"zester", "--format", "json", "-t", "1m", target}, words...)...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 2) {
		t.Fatalf("zester %s %s: %v\n%s", target, strings.Join(words, " "), err, out)
	}
	answers := map[string]answer{}
	for decoder := json.NewDecoder(strings.NewReader(out)); decoder.More(); {
		var a answer
		if err := decoder.Decode(&a); err != nil {
			t.Fatalf("zester %s %s: %v in %q", target, strings.Join(words, " "), err, out)
		}
		answers[a.Peel] = a
	}
	return answers
}

// value is ask for one peel that has to succeed.
func (f *fleet) value(t *testing.T, peel string, words ...string) any {
	t.Helper()
	a, ok := f.ask(t, "L@"+peel, words...)[peel]
	if !ok || !a.Success {
		t.Fatalf("zester %s %s: %+v", peel, strings.Join(words, " "), a)
	}
	return a.Value
}

// connected waits until all peels answer.
func (f *fleet) connected(t *testing.T) {
	t.Helper()
	var out string
	if !eventually(patience, func() bool {
		var err error
		out, err = f.master.try(t, glance, "zester", "-t", "10s", "*", "test.ping")
		return err == nil && strings.Count(out, "True") == len(f.peels())
	}) {
		journals := ""
		for _, m := range f.peels() {
			journals += "\n" + m.name + ":\n" + m.journal(t, "zester-peel")
		}
		t.Fatalf("the peels do not answer within %s:\n%s\nmaster:\n%s%s", patience, out, f.master.journal(t, "zester-master"), journals)
	}
}
