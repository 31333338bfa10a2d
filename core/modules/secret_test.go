package modules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPasswordsOfResults: neither changes nor errors have the passwords of URLs and mounts; the files do.
func TestPasswordsOfResults(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	sources, fstab := filepath.Join(root, "app.list"), filepath.Join(root, "fstab")
	if err := os.WriteFile(sources, []byte("deb https://me:hunter2@old.example.org/debian bookworm main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		function, name string
		args           map[string]any
		file, says     string
	}{
		{"pkgrepo.managed", "deb https://example.org/debian bookworm main", map[string]any{"file": sources, "refresh": false}, sources, "https://me:xxxxx@old.example.org"},
		{"pkgrepo.absent", "deb https://me:hunter2@old.example.org/debian bookworm main", map[string]any{"file": sources, "refresh": false}, "", "https://me:xxxxx@old.example.org"},
		{"mount.fstab_present", "//server/share", map[string]any{"config": fstab, "fs_file": "/srv/share", "fs_vfstype": "cifs", "fs_mntops": "user=me,password=hunter2,ro"}, fstab, "user=me,password=xxxxx,ro"},
		{"mount.fstab_absent", "//server/share", map[string]any{"config": fstab, "fs_file": "/srv/share"}, "", "user=me,password=xxxxx,ro"},
		{"file.managed", filepath.Join(root, "f"), map[string]any{"source": "https://me:hunter2@example.org/f"}, "", "https://me:xxxxx@example.org/f"},
	} {
		state := single(t, env, c.function, c.name, c.args)
		if said := fmt.Sprint(state["changes"], state["comment"]); strings.Contains(said, "hunter2") || !strings.Contains(said, c.says) {
			t.Errorf("%s says %s, want %s", c.function, said, c.says)
		}
		if c.file != "" {
			if data, err := os.ReadFile(c.file); err != nil || !strings.Contains(string(data), "hunter2") {
				t.Errorf("%s has written %q (%v)", c.function, data, err)
			}
		}
	}
}
