package modules_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/modules"
)

// step is one state of a test, and what it must say and leave behind.
type step struct {
	function, name string
	args           map[string]any
	result         string // true or false, "changed" or the comment of a failure
	file           string // what the file of the test holds afterwards; empty is as before
}

// runSteps applies each step in a test run, then twice: what a test run announces happens, and happens once.
func runSteps(t *testing.T, env *modules.Env, root, path string, steps []step) {
	t.Helper()
	held := func() string {
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, s := range steps {
		label := fmt.Sprintf("%s %s %v", s.function, s.name, s.args)
		before := held()
		preview := map[string]any{"test": true}
		for key, value := range s.args {
			preview[key] = value
		}
		announced := single(t, env, s.function, s.name, preview)
		if held() != before {
			t.Fatalf("%s: a test run has changed the file to %q", label, held())
		}
		state := single(t, env, s.function, s.name, s.args)
		got := fmt.Sprint(state["result"])
		if state["result"] == true && len(state["changes"].(map[string]any)) > 0 {
			got = "changed"
		} else if state["result"] == false {
			got = strings.ReplaceAll(state["comment"].(string), root, "$ROOT")
		}
		if got != s.result {
			t.Errorf("%s: %s, want %s", label, got, s.result)
		}
		if wouldChange := announced["result"] == nil; wouldChange != (got == "changed") {
			t.Errorf("%s: the test run said %v, the run %s", label, announced["result"], got)
		}
		if s.file != "" && held() != s.file {
			t.Errorf("%s: the file holds %q, want %q", label, held(), s.file)
		}
		if again := single(t, env, s.function, s.name, s.args); got == "changed" && (again["result"] != true || len(again["changes"].(map[string]any)) > 0) {
			t.Errorf("%s: once more: %v %v %v", label, again["result"], again["changes"], again["comment"])
		}
	}
}

func TestHosts(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "hosts")
	env.Config = func() map[string]any { return map[string]any{"hosts.file": path} }
	if err := os.WriteFile(path, []byte("127.0.0.1 localhost # loop\n# comment\n10.0.0.1\tdb old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const head = "127.0.0.1 localhost # loop\n# comment\n"
	runSteps(t, env, root, path, []step{
		{"host.present", "db", map[string]any{"ip": "10.0.0.1"}, "true", head + "10.0.0.1\tdb old\n"},
		{"host.present", "web", map[string]any{"ip": "10.0.0.1"}, "changed", head + "10.0.0.1\t\tdb old web\n"},
		{"host.present", "db", map[string]any{"ip": []any{"10.0.0.2", "fd00::1"}}, "changed",
			head + "10.0.0.1\t\tdb old web\n10.0.0.2\t\tdb\nfd00::1\t\tdb\n"},
		{"host.present", "db", map[string]any{"ip": "10.0.0.2", "clean": true}, "changed", head + "10.0.0.1\t\told web\n10.0.0.2\t\tdb\n"},
		{"host.present", "db", map[string]any{"ip": "10.0.0.2", "comment": "the database"}, "changed", head + "10.0.0.1\t\told web\n10.0.0.2\t\tdb\t# the database\n"},
		{"host.absent", "old", nil, "changed", head + "10.0.0.1\t\tweb\n10.0.0.2\t\tdb\t# the database\n"},
		{"host.absent", "old", nil, "true", ""},
		{"host.absent", "web", map[string]any{"ip": "10.0.0.9"}, "true", ""},
		{"host.only", "10.0.0.1", map[string]any{"hostnames": []any{"a", "b"}}, "changed", head + "10.0.0.1\t\ta b\n10.0.0.2\t\tdb\t# the database\n"},
		{"host.present", "db", map[string]any{"ip": "nonsense"}, `ip "nonsense" is not an address`, ""},
		{"host.present", "two names", map[string]any{"ip": "10.0.0.1"}, `"two names" is not one host name or address`, ""},
		{"host.only", "10.0.0.1", map[string]any{"hostnames": []any{"a#b"}}, `"a#b" is not one host name or address`, ""},
		{"host.present", "new", map[string]any{"ip": "10.0.0.1", "comment": "a\nb"}, "comment can only have one line", ""},
	})
}

func TestAuthorizedKeys(t *testing.T) {
	env, root := newEnv(t, map[string]string{"keys": "# team\nssh-ed25519 AAAAC3source1 one@host\nssh-rsa AAAAB3source2\n"})
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "ssh", "authorized_keys")
	with := func(more map[string]any) map[string]any {
		args := map[string]any{"user": self.Username, "config": path}
		for key, value := range more {
			args[key] = value
		}
		return args
	}
	runSteps(t, env, root, path, []step{
		{"ssh_auth.present", "AAAAB3abc", with(nil), "changed", "ssh-rsa AAAAB3abc\n"},
		{"ssh_auth.present", "ssh-ed25519 AAAAC3def me@here", with(nil), "changed", "ssh-rsa AAAAB3abc\nssh-ed25519 AAAAC3def me@here\n"},
		{"ssh_auth.present", "AAAAB3abc", with(map[string]any{"comment": "old key", "options": []any{"no-pty", `from="10.0.0.0/8"`}}), "changed",
			`no-pty,from="10.0.0.0/8" ssh-rsa AAAAB3abc old key` + "\nssh-ed25519 AAAAC3def me@here\n"},
		{"ssh_auth.absent", "ssh-rsa AAAAB3abc", with(nil), "changed", "ssh-ed25519 AAAAC3def me@here\n"},
		{"ssh_auth.absent", "ssh-rsa AAAAB3abc", with(nil), "true", ""},
		{"ssh_auth.present", "team", with(map[string]any{"source": "salt://keys"}), "changed",
			"ssh-ed25519 AAAAC3def me@here\nssh-ed25519 AAAAC3source1 one@host\nssh-rsa AAAAB3source2\n"},
		{"ssh_auth.manage", "team", with(map[string]any{"ssh_keys": []any{"ssh-rsa AAAAB3source2", "ssh-rsa AAAAB3new n"}}), "changed",
			"ssh-rsa AAAAB3source2\nssh-rsa AAAAB3new n\n"},
		{"ssh_auth.present", "not a key!", with(nil), `"not a key!" is not a key: write it as in authorized_keys, or the part in base64`, ""},
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What the user makes of the path must not lead root elsewhere.
	elsewhere := filepath.Join(root, "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	state := single(t, env, "ssh_auth.present", "AAAAB3abc", with(nil))
	if want := fmt.Sprintf("%q is not a regular file", path); state["result"] != false || state["comment"] != want {
		t.Errorf("%v %v, want %s", state["result"], state["comment"], want)
	}
}

// TestNoShellInNames: what a path is called is no part of the command that looks at it.
func TestNoShellInNames(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "a b; exit 1; #", "f")
	runSteps(t, env, root, path, []step{
		{"file.managed", path, map[string]any{"contents": "x", "makedirs": true, "check_cmd": "grep -q x"}, "changed", "x\n"},
	})
}

// TestEndless: what may have no end is not read.
func TestEndless(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	for _, function := range []string{"file.read", "file.get_hash"} {
		if value, err := modules.Builtin().Call(t.Context(), env, function, []any{"/dev/zero"}, nil); err == nil || err.Error() != `"/dev/zero" is not a regular file` {
			t.Errorf("%s: %v, %v", function, value, err)
		}
	}
	runSteps(t, env, root, "/dev/null", []step{
		{"mount.fstab_present", "tmpfs", map[string]any{"config": "/dev/zero", "fs_file": "/tmp", "fs_vfstype": "tmpfs"}, `"/dev/zero" is not a regular file`, ""},
	})
}

// tools puts scripts, run in dir, before the host's programs of their names.
func tools(t *testing.T, dir string, scripts map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\ncd "+dir+"\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// TestCannotAsk: a tool that cannot tell is not one that says no.
func TestCannotAsk(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	const fails = "echo 'no answer' >&2; exit 3"
	tools(t, root, map[string]string{"getent": fails, "update-alternatives": fails})
	runSteps(t, env, root, filepath.Join(root, "none"), []step{
		{"user.present", "zester-nobody", nil, "getent failed with exit code 3: no answer", ""},
		{"group.absent", "zester-nobody", nil, "getent failed with exit code 3: no answer", ""},
		{"alternatives.install", "zester-none", map[string]any{"path": "/bin/true", "link": filepath.Join(root, "link"), "priority": int64(1)},
			"update-alternatives failed with exit code 3: no answer", ""},
	})
}

// TestHashPassword: what is made of a password is its hash, which other users do not see, and nobody is told of.
func TestHashPassword(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	tools(t, root, map[string]string{
		"getent":   "test \"$2\" = zester-nobody && test -e made && echo zester-nobody:x:1:1::/:/bin/sh; test \"$2\" || echo g:x:1:; exit 0",
		"useradd":  "touch made",
		"chpasswd": "test \"$1\" = -e && cat > given",
	})
	state := single(t, env, "user.present", "zester-nobody", map[string]any{"password": "hunter2", "hash_password": true})
	given, err := os.ReadFile(filepath.Join(root, "given"))
	if err != nil || !regexp.MustCompile(`^zester-nobody:\$6\$\w{16}\$[\w./]{86}\n$`).Match(given) {
		t.Errorf("%q (%v): %v", given, err, state)
	}
	if said := fmt.Sprint(state); state["result"] != true || strings.Contains(said, "hunter2") || strings.Contains(said, "$6$") {
		t.Error(said)
	}
}

// TestPackagesLeft: apt-get, which may be about to restart the peel, is not ended half way when that stops.
func TestPackagesLeft(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	tools(t, root, map[string]string{
		"dpkg":       "echo amd64",
		"dpkg-query": "exit 0",
		"apt-cache":  "echo zester-none:; echo '  Candidate: 1.0'",
		"apt-get":    "echo unpacking; touch begun; while test -e begun && ! test -e go; do sleep 0.02; done; echo done && touch done",
	})
	ctx := leaving(t, env, root+"/begun")
	_, err := modules.Builtin().Call(ctx, env, "state.single", []any{"pkg.installed", "zester-none"}, map[string]any{"refresh": false})
	var failure *modules.Failure
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	comment := failure.Value.(map[string]any)["states"].([]any)[0].(map[string]any)["comment"].(string)
	if !strings.HasPrefix(comment, `command "apt-get -q -y`) || !strings.HasSuffix(comment, ": it goes on without the peel, which stops: nobody is left to see how it ends") {
		t.Error(comment)
	}
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "apt-get to end as if nothing was", func() bool { return exists(root + "/done") })
}

// TestEnabled: a service is not enabled where systemd says so, and not where it could not be asked.
func TestEnabled(t *testing.T) {
	env, _ := newEnv(t, nil)
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, c := range []struct{ answer, want string }{
		{"echo enabled", "true"},
		{"echo static", "true"},
		{"echo disabled; exit 1", "false"},
		{"echo masked-runtime; exit 1", "false"},
		{"echo not-found; exit 4", "false"},
		{"echo 'Failed to get unit file state for x.service: No such file or directory' >&2; exit 1", "false"},
		{"echo 'Failed to connect to bus: Connection refused' >&2; exit 1", "systemctl is-enabled failed with exit code 1: Failed to connect to bus: Connection refused"},
		{"echo bad; exit 1", "systemctl cannot tell whether x.service is enabled: its unit file is not valid"},
	} {
		script := "#!/bin/sh\ncase $1 in\nis-enabled) " + c.answer + ";;\n*) echo LoadState=loaded;;\nesac\n"
		path := filepath.Join(bin, "systemctl")
		if err := errors.Join(os.WriteFile(path+".new", []byte(script), 0o755), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		value, err := call(t, env, "service.enabled", []any{"x"}, nil)
		got := fmt.Sprint(value)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.answer, got, c.want)
		}
	}
}

// TestNotOverItself: a copy or a move that would remove its own source is refused.
func TestNotOverItself(t *testing.T) {
	env, root := newEnv(t, nil)
	dir := filepath.Join(root, "dir")
	file := filepath.Join(dir, "f")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, function := range []string{"file.copy", "file.rename"} {
		for _, pair := range [][2]string{{"dir/f", "dir"}, {"dir", "dir"}, {"dir", "dir/in/it"}, {"dir/f", "link/f"}} {
			steps = append(steps, step{function, filepath.Join(root, pair[1]), map[string]any{"source": filepath.Join(root, pair[0]), "force": true, "makedirs": true},
				fmt.Sprintf("the source %q and %q are the same, or one is in the other", "$ROOT/"+pair[0], "$ROOT/"+pair[1]), "mine\n"})
		}
	}
	runSteps(t, env, root, file, steps)
}

func TestGitLatest(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	repository := t.TempDir()
	git := func(words ...string) string {
		t.Helper()
		run := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.org", "-C", repository}, words...)...)
		out, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", words, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(repository, "f"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", "f")
		git("commit", "-q", "-m", text)
		return git("rev-parse", "HEAD")
	}
	git("init", "-q", "-b", "main")
	first := commit("one\n")
	git("tag", "v1")
	dir := filepath.Join(root, "copy")
	file := filepath.Join(dir, "f")
	at := func(more map[string]any) map[string]any {
		args := map[string]any{"target": dir}
		for key, value := range more {
			args[key] = value
		}
		return args
	}
	runSteps(t, env, root, file, []step{
		{"git.latest", repository, at(nil), "changed", "one\n"},
		{"git.cloned", repository, at(nil), "true", ""},
	})
	commit("two\n")
	runSteps(t, env, root, file, []step{
		{"git.latest", repository, at(nil), "changed", "two\n"},
		{"git.latest", repository, at(map[string]any{"rev": "v1"}), "changed", "one\n"},
		{"git.latest", repository, at(map[string]any{"rev": "main"}), "changed", "two\n"},
		{"git.latest", repository, at(map[string]any{"rev": first}), "changed", "one\n"},
		{"git.latest", repository, at(map[string]any{"rev": "nothing"}), fmt.Sprintf("%q has no branch and no tag %q", repository, "nothing"), ""},
	})
	if err := os.WriteFile(file, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	runSteps(t, env, root, file, []step{
		{"git.latest", repository, at(map[string]any{"rev": "main"}), `files were changed in "$ROOT/copy": force_reset: true throws that away`, "mine\n"},
		{"git.latest", repository, at(map[string]any{"rev": "main", "force_reset": true}), "changed", "two\n"},
	})
	if err := os.MkdirAll(filepath.Join(root, "taken", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	runSteps(t, env, root, file, []step{
		{"git.latest", repository, map[string]any{"target": filepath.Join(root, "taken")}, `"$ROOT/taken" is there and no working copy: force_clone: true replaces it`, ""},
		{"git.latest", repository, map[string]any{"target": filepath.Join(root, "taken"), "force_clone": true}, "changed", ""},
	})
}

func TestFstab(t *testing.T) {
	env, root := newEnv(t, nil)
	env.Confine = ""
	path := filepath.Join(root, "fstab")
	if err := os.WriteFile(path, []byte("# fstab\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1 /srv/my\\040data ext4 ro 0 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const head = "# fstab\nUUID=1 / ext4 defaults 0 1\n"
	line := func(more map[string]any) map[string]any {
		args := map[string]any{"config": path, "fs_file": "/srv/my data", "fs_vfstype": "ext4"}
		for key, value := range more {
			args[key] = value
		}
		return args
	}
	runSteps(t, env, root, path, []step{
		{"mount.fstab_present", "/dev/sdb1", line(map[string]any{"fs_mntops": "ro", "fs_passno": int64(2)}), "true", ""},
		{"mount.fstab_present", "/dev/sdb1", line(map[string]any{"fs_mntops": []any{"ro", "noexec"}}), "changed", head + "/dev/sdb1\t\t/srv/my\\040data\t\text4\t\tro,noexec\t\t0\t\t0\n"},
		{"mount.fstab_absent", "/dev/sdb1", map[string]any{"config": path, "fs_file": "/srv/my data"}, "changed", head},
		{"mount.fstab_present", "tmpfs", map[string]any{"config": path, "fs_file": "/tmp", "fs_vfstype": "tmpfs"}, "changed", head + "tmpfs\t\t/tmp\t\ttmpfs\t\tdefaults\t\t0\t\t0\n"},
	})
}

func TestPkgrepo(t *testing.T) {
	env, root := newEnv(t, map[string]string{"key.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"})
	env.Confine = ""
	path, key := filepath.Join(root, "sources.list.d", "app.list"), filepath.Join(root, "keys", "app.asc")
	repo := func(more map[string]any) map[string]any {
		args := map[string]any{"file": path, "refresh": false}
		for name, value := range more {
			args[name] = value
		}
		return args
	}
	const line = "deb https://example.org/debian bookworm main"
	signed := "deb [signed-by=" + key + "] https://example.org/debian bookworm main\n"
	runSteps(t, env, root, path, []step{
		{"pkgrepo.managed", line, repo(nil), "changed", line + "\n"},
		{"pkgrepo.managed", line, repo(map[string]any{"signedby": key, "key_url": "salt://key.asc"}), "changed", signed},
		{"pkgrepo.managed", "deb [signed-by=" + key + "] https://example.org/debian bookworm main", repo(nil), "true", signed},
		{"pkgrepo.managed", "deb https://example.org/debian/ trixie main", repo(map[string]any{"comps": "main,contrib", "architectures": "amd64"}), "changed",
			signed + "deb [arch=amd64] https://example.org/debian/ trixie main contrib\n"},
		{"pkgrepo.managed", "deb https://example.org/debian trixie main", repo(map[string]any{"disabled": true}), "changed",
			signed + "# deb https://example.org/debian trixie main\n"},
		{"pkgrepo.absent", line, repo(nil), "changed", "# deb https://example.org/debian trixie main\n"},
		{"pkgrepo.managed", line, repo(map[string]any{"clean_file": true}), "changed", line + "\n"},
		{"pkgrepo.managed", "ppa:someone/something", repo(nil),
			`"ppa:someone/something" is not a line of APT's sources, such as deb https://example.org/debian bookworm main`, ""},
	})
	if data, err := os.ReadFile(key); err != nil || !strings.HasPrefix(string(data), "-----BEGIN") {
		t.Errorf("the key: %q, %v", data, err)
	}
}
