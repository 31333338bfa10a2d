package modules_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestExtracted(t *testing.T) {
	env, root := newEnv(t, nil)
	source := t.TempDir()
	if err := os.MkdirAll(filepath.Join(source, "app-1", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"app-1/bin/run": 0o755, "app-1/conf": 0o640} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(name+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	tarball := filepath.Join(source, "app.tar.gz")
	if out, err := exec.CommandContext(t.Context(), "tar", "-czf", tarball, "-C", source, "app-1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	zipped := func(names ...string) string {
		var data bytes.Buffer
		w := zip.NewWriter(&data)
		for _, name := range names {
			f, err := w.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte(name + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(source, fmt.Sprintf("%x.zip", names[0]))
		if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := filepath.Join(root, "opt")
	runSteps(t, env, root, filepath.Join(one, "app-1", "conf"), []step{
		{"archive.extracted", one, map[string]any{"source": tarball}, "changed", "app-1/conf\n"},
		{"archive.extracted", filepath.Join(root, "stripped"), map[string]any{"source": tarball, "options": "--strip-components=1"}, "changed", ""},
		{"archive.extracted", filepath.Join(root, "marked"), map[string]any{"source": tarball, "if_missing": root}, "true", ""},
		{"archive.extracted", filepath.Join(root, "zip"), map[string]any{"source": zipped("top/a", "top/b/c")}, "changed", ""},
		{"archive.extracted", filepath.Join(root, "flat"), map[string]any{"source": zipped("a", "b")},
			"the archive has 2 files or directories at its top: enforce_toplevel: false extracts it all the same", ""},
		{"archive.extracted", filepath.Join(root, "flat"), map[string]any{"source": zipped("a", "b"), "enforce_toplevel": false}, "changed", ""},
		{"archive.extracted", filepath.Join(root, "evil"), map[string]any{"source": zipped("../evil")}, `the archive has "../evil", which is not below the directory`, ""},
	})
	if got, want := listing(t, root), ""; !strings.Contains(got, "/stripped/bin/run") || !strings.Contains(got, "/zip/top/b/c") || strings.Contains(got, "evil") || got == want {
		t.Error(got)
	}
	if info, err := os.Stat(filepath.Join(one, "app-1", "bin", "run")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	state := single(t, env, "archive.extracted", filepath.Join(root, "wrong"), map[string]any{"source": tarball, "source_hash": strings.Repeat("0", 64)})
	if state["result"] != false || !strings.Contains(state["comment"].(string), "source_hash says 0000") {
		t.Errorf("%v %v", state["result"], state["comment"])
	}
}

// TestExtractedOnce: source_hash_update extracts again where the hash is another, in each directory, and only then.
func TestExtractedOnce(t *testing.T) {
	env, root := newEnv(t, nil)
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "conf"), []byte("new\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tarball := filepath.Join(source, "app.tar")
	if out, err := exec.CommandContext(t.Context(), "tar", "-cf", tarball, "-C", source, "conf").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(tarball)
	if err != nil {
		t.Fatal(err)
	}
	update := map[string]any{"source": tarball, "source_hash": fmt.Sprintf("%x", sha256.Sum256(data)), "source_hash_update": true}
	dir := filepath.Join(root, "a", "b")
	runSteps(t, env, root, filepath.Join(dir, "conf"), []step{
		{"archive.extracted", dir, map[string]any{"source": tarball}, "changed", "new\n"},
		{"archive.extracted", dir, update, "changed", "new\n"},
		{"archive.extracted", filepath.Join(root, "a_b"), update, "changed", ""},
	})
	if got := listing(t, root); !strings.Contains(got, "a_b/conf") {
		t.Errorf("the archive is not in the directory with the similar name: %s", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	runSteps(t, env, root, filepath.Join(dir, "conf"), []step{
		{"archive.extracted", dir, update, "changed", "new\n"},
		{"archive.extracted", dir, map[string]any{"source": tarball, "user": "root", "enforce_ownership_on": "/etc"},
			fmt.Sprintf("enforce_ownership_on %q is not below %q", "/etc", "$ROOT/a/b"), ""},
	})
	env.StateDir = ""
	runSteps(t, env, root, filepath.Join(dir, "conf"), []step{{"archive.extracted", dir, update, "true", "new\n"}})
}
