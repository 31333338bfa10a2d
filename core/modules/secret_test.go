package modules_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	env.Environ = append(os.Environ(), "no_proxy=127.0.0.1")
	login := strings.Replace(server.URL, "://", "://me:hunter2@", 1)
	redacted := strings.Replace(server.URL, "://", "://<redacted>@", 1)
	for _, c := range []struct {
		function, name string
		args           map[string]any
		file, says     string
	}{
		{"pkgrepo.managed", "deb https://example.org/debian bookworm main", map[string]any{"file": sources, "refresh": false}, sources, "https://<redacted>@old.example.org"},
		{"pkgrepo.absent", "deb https://me:hunter2@old.example.org/debian bookworm main", map[string]any{"file": sources, "refresh": false}, "", "https://<redacted>@old.example.org"},
		{"mount.fstab_present", "//server/share", map[string]any{"config": fstab, "fs_file": "/srv/share", "fs_vfstype": "cifs", "fs_mntops": "user=me,password=hunter2,ro"}, fstab, "user=me,password=xxxxx,ro"},
		{"mount.fstab_absent", "//server/share", map[string]any{"config": fstab, "fs_file": "/srv/share"}, "", "user=me,password=xxxxx,ro"},
		{"file.managed", filepath.Join(root, "f"), map[string]any{"source": "https://me:hunter2@example.org/f"}, "", "https://<redacted>@example.org/f"},
		{"file.managed", filepath.Join(root, "f"), map[string]any{"source": "https://hunter2@example.org/f"}, "", "https://<redacted>@example.org/f"},
		{"file.managed", filepath.Join(root, "f"), map[string]any{"source": []any{login + "/f", login + "/g"}, "skip_verify": true}, "", redacted + "/f, " + redacted + "/g"},
		{"archive.extracted", filepath.Join(root, "d"), map[string]any{"source": []any{login + "/a.tar", login + "/b.tar"}, "skip_verify": true}, "", redacted + "/a.tar, " + redacted + "/b.tar"},
		{"git.latest", login + "/r.git", map[string]any{"target": filepath.Join(root, "r")}, "", redacted + "/r.git"},
		{"cmd.run", "echo " + login, map[string]any{"hide_output": true}, "", "echo " + redacted},
	} {
		state := single(t, env, c.function, c.name, c.args)
		if said := fmt.Sprint(state["changes"], state["comment"], state["id"], state["name"]); strings.Contains(said, "hunter2") || !strings.Contains(said, c.says) {
			t.Errorf("%s says %s, want %s", c.function, said, c.says)
		}
		if c.file != "" {
			if data, err := os.ReadFile(c.file); err != nil || !strings.Contains(string(data), "hunter2") {
				t.Errorf("%s has written %q (%v)", c.function, data, err)
			}
		}
	}
}

// TestEventsOfLogins: what a state fires has no logins of URLs either.
func TestEventsOfLogins(t *testing.T) {
	env, _ := newEnv(t, nil)
	fired := ""
	env.Event = func(tag string, data map[string]any) { fired += fmt.Sprint(tag, data) }
	single(t, env, "test.succeed_with_changes", "https://me:hunter2@example.org/x", map[string]any{"fire_event": true})
	if strings.Contains(fired, "hunter2") || !strings.Contains(fired, "state_result/https://<redacted>@example.org/x") {
		t.Error(fired)
	}
}
