package facts

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCustom(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "10-role.yaml", "role: web\nroles: [web, cache]\nsince: 2024-01-02\nport: 8080\nratio: 1.5\nlater: 10\n", 0o644)
	write(t, dir, "20-app.json", `{"custom": {"app_version": "2.1.0"}, "later": 20}`, 0o755) // read, not run
	write(t, dir, "30-script", "#!/bin/sh\necho 'later: 30'\necho 'shell:' $LC_ALL\necho noise >&2\n", 0o755)
	write(t, dir, "40-json.sh", "#!/bin/sh\necho '{\"numbers\": {\"1\": 1, \"big\": 12345678901}}'\n", 0o700)
	write(t, dir, "50-empty.yml", "# nothing yet\n", 0o644)
	write(t, dir, "60-keys.yml", "ports: {80: http}\n", 0o644)
	write(t, dir, ".hidden.yaml", "broken: [", 0o644)
	write(t, dir, "README.md", "what this is", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, warnings := Custom(t.Context(), dir)
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	want := map[string]any{
		"role": "web", "roles": []any{"web", "cache"}, "since": "2024-01-02", "port": int64(8080), "ratio": 1.5, "later": int64(30), "shell": "C",
		"custom": map[string]any{"app_version": "2.1.0"}, "numbers": map[string]any{"1": int64(1), "big": int64(12345678901)},
		"ports": map[string]any{"80": "http"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%#v, want\n%#v", got, want)
	}

	facts, warnings := Collect(t.Context(), Options{ID: "web-01", Dir: dir})
	if facts["role"] != "web" || facts["kernel"] == nil || len(warnings) > 0 {
		t.Errorf("collected role %v and kernel %v with %v", facts["role"], facts["kernel"], warnings)
	}
}

func TestCustomBroken(t *testing.T) {
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       string // after the directory
	}{
		{"a.yaml", "role: web\n  bad: [\n", 0o644, "a.yaml:2: mapping values are not allowed in this context"},
		{"a.yaml", "role: web\nos: x\nrole: db\n", 0o644, `a.yaml:3: mapping key "role" already defined at line 1`},
		{"a.json", "{\"a\": 1,\n\"b\" 2}", 0o644, `a.json:2: invalid character '2' after object key`},
		{"a.yaml", "# a list\n- web\n", 0o644, `a.yaml:2: expected fact names with values, such as "role: web"`},
		{"a.yaml", "id: other\n", 0o644, `a.yaml: the fact "id" is the peel's own; use another name`},
		{"a.yaml", "a: " + strings.Repeat("[", 20) + strings.Repeat("]", 20), 0o644, "a.yaml: nested deeper than 16"},
		{"a.txt", "role: web\n", 0o644, "a.txt: neither .yaml, .yml or .json nor executable; rename it or chmod +x"},
		{"a.sh", "#!/bin/sh\necho role: web\n", 0o777, "a.sh: not run because everybody can write it; chmod o-w"},
		{"a.sh", "#!/bin/sh\necho first >&2\necho no such disk >&2\nexit 3\n", 0o755, "a.sh: exit status 3: no such disk"},
		{"a.sh", "#!/bin/sh\necho 'ok: 1'\necho 'bad: ['\n", 0o755, "a.sh (output):2: did not find expected node content"},
		{"a.sh", "#!/bin/sh\nyes 'role: web'\n", 0o755, "a.sh: more than 262144 bytes of output"},
		{"a.yaml", strings.Repeat("#", 300000), 0o644, "a.yaml: 300000 bytes; all facts together can have 262144"},
	} {
		dir := t.TempDir()
		write(t, dir, c.name, c.text, c.mode)
		write(t, dir, "z.yaml", "still: here\n", 0o644)
		got, warnings := Custom(t.Context(), dir)
		if got["still"] != "here" {
			t.Errorf("%s: the other file's facts are lost", c.want)
		}
		if len(warnings) != 1 || strings.TrimPrefix(warnings[0].Error(), dir+"/") != c.want {
			t.Errorf("warnings\n got %v\nwant %s/%s", warnings, dir, c.want)
		}
	}
}

// An executable that hangs goes with the processes it has started.
func TestCustomKilled(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "slow.sh", "#!/bin/sh\nsleep 300 &\necho $! > "+dir+"/.pid\nwait\n", 0o755)
	var pid []byte
	for limit := 200 * time.Millisecond; len(pid) == 0; limit *= 3 { // more, where it had not got so far
		if limit > time.Minute {
			t.Fatal("it starts nothing")
		}
		start := time.Now()
		_, err := runFor(t.Context(), path, limit)
		if want := fmt.Sprintf("%s: killed after %s; make it faster, or write a file from a timer", path, limit); err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
		if d := time.Since(start); d > 2*time.Minute { // the processes it started sleep longer
			t.Errorf("took %s", d)
		}
		pid, _ = os.ReadFile(filepath.Join(dir, ".pid"))
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return // gone, or waiting for its parent to notice
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %s still runs: %s", pid, stat)
		}
	}
}

func FuzzMapping(f *testing.F) {
	for _, s := range []string{"role: web", `{"a": [1, 2.5, null, true]}`, "a: &x [1]\nb: *x", "? [a]\n: b", "<<: {a: 1}", "a: 2024-01-02", "a: !!binary aGk=", "- 1", "a: .nan"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := mapping("f.yaml", data)
		if err != nil {
			if got != nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, %q", got, err)
			}
			return
		}
		checkPlain(t, got)
		Hash(got)
	})
}

func checkPlain(t *testing.T, v any) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []byte:
	case []any:
		for _, c := range v {
			checkPlain(t, c)
		}
	case map[string]any:
		for _, c := range v {
			checkPlain(t, c)
		}
	default:
		t.Fatalf("%T is not plain data", v)
	}
}
