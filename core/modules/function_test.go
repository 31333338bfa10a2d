package modules_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

func call(t *testing.T, env *modules.Env, name string, args []any, kwargs map[string]any) (any, error) {
	t.Helper()
	return modules.Builtin().Call(t.Context(), env, name, args, kwargs)
}

// TestCall holds each function to what it returns.
func TestCall(t *testing.T) {
	env, root := newEnv(t, nil)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []any
		kwargs map[string]any
		want   string
	}{
		{"test.ping", nil, nil, `true`},
		{"test.echo", []any{"hello"}, nil, `"hello"`},
		{"test.echo", nil, map[string]any{"text": int64(7), "__pub_jid": "x"}, `7`},
		{"test.arg", []any{"a", int64(1)}, map[string]any{"k": "v"}, `{"args":["a",1],"kwargs":{"k":"v"}}`},
		{"test.kwarg", nil, map[string]any{"k": nil}, `{"k":null}`},
		{"test.version", nil, nil, `"1.2.3"`},
		{"test.sleep", []any{"0.001"}, nil, `true`},
		{"cmd.run", []any{"echo out; echo err >&2; echo"}, nil, `"out\nerr"`},
		{"cmd.run", []any{"pwd", root}, nil, strconv.Quote(root)},
		{"cmd.run", nil, map[string]any{"cmd": "exit 3", "success_retcodes": []any{int64(3)}}, `""`},
		{"cmd.run", []any{"cat; echo $X $HOME"}, map[string]any{"stdin": "in ", "env": map[string]any{"X": int64(1), "HOME": false}}, `"in 1"`},
		{"cmd.run", []any{"env"}, map[string]any{"clean_env": true, "python_shell": false}, `"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"`},
		{"cmd.run", []any{"printf '%s|' a\\ b \"c d\" ''"}, map[string]any{"python_shell": "false"}, `"a b|c d||"`},
		{"cmd.run_stdout", []any{"echo out; echo err >&2"}, nil, `"out"`},
		{"cmd.run_stderr", []any{"echo out; echo err >&2"}, nil, `"err"`},
		{"cmd.retcode", []any{"exit 42"}, nil, `42`},
		{"cmd.run", []any{"printf '\\377'"}, nil, `"�"`},
		{"cmd.which", []any{"sh"}, nil, strconv.Quote(shell)},
		{"cmd.which", []any{"no-such-program"}, nil, `null`},
		{"cmd.has_exec", []any{"sh"}, nil, `true`},
		{"facts.get", []any{"os"}, nil, `"debian"`},
		{"facts.get", []any{"network.domain"}, nil, `"example.org"`},
		{"grains.get", []any{"os"}, nil, `"Debian"`},
		{"grains.get", []any{"network:domain"}, nil, `"example.org"`},
		{"facts.get", []any{"none"}, nil, `""`},
		{"facts.get", []any{"none", "fallback"}, nil, `"fallback"`},
		{"facts.get", []any{"network|domain"}, map[string]any{"delimiter": "|"}, `"example.org"`},
		{"facts.item", []any{"os", "none"}, nil, `{"none":"","os":"debian"}`},
		{"facts.keys", nil, nil, `["default_ipv4","network","os","os_family","root"]`},
		{"settings.get", []any{"app:port"}, nil, `8080`},
		{"pillar.get", []any{"app:none", int64(1)}, nil, `1`},
		{"pillar.get", []any{"app", map[string]any{"port": int64(1), "host": "h"}}, map[string]any{"merge": true}, `{"host":"h","motd":"from the settings","port":8080}`},
		{"pillar.keys", nil, nil, `["app"]`},
		{"settings.items", nil, nil, `{"app":{"motd":"from the settings","port":8080}}`},
		{"config.get", []any{"app:port"}, nil, `8080`},
		{"grains.filter_by", []any{map[string]any{"Deb*": map[string]any{"a": int64(1)}, "default": map[string]any{"b": int64(2)}}},
			map[string]any{"base": "default", "merge": map[string]any{"c": int64(3)}}, `{"a":1,"b":2,"c":3}`},
		{"network.ip_addrs", nil, nil, `"10.0.0.7"`},
		{"network.ip_addrs", nil, map[string]any{"interface": "lo"}, `"127.0.0.1"`},
		{"sys.list_functions", []any{"cmd.r*"}, nil, `["cmd.retcode","cmd.run","cmd.run_all","cmd.run_bg","cmd.run_stderr","cmd.run_stdout"]`},
		{"sys.list_state_functions", []any{"file.m*"}, nil, `["file.managed","file.missing"]`},
		{"sys.list_state_modules", []any{"f*"}, nil, `["file"]`},
		{"sys.doc", []any{"test.ping"}, nil, `{"test.ping":"Return true: the peel is there."}`},
		{"sys.argspec", []any{"test.echo"}, nil, `{"test.echo":[{"aliases":[],"default":null,"doc":"what to return","kind":"any value","name":"text","required":true}]}`},
		{"match.compound", []any{"lb-*"}, nil, `true`},
		{"match.grain", []any{"role:web"}, nil, `false`},
		{"file.file_exists", []any{root}, nil, `false`},
		{"file.directory_exists", []any{root}, nil, `true`},
	}
	for _, tt := range tests {
		got, err := call(t, env, tt.name, tt.args, tt.kwargs)
		if err != nil {
			t.Errorf("%s %v %v: %v", tt.name, tt.args, tt.kwargs, err)
			continue
		}
		if text := encode(t, got); text != tt.want {
			t.Errorf("%s %v %v = %s, want %s", tt.name, tt.args, tt.kwargs, text, tt.want)
		}
	}
}

func TestDiskUsage(t *testing.T) {
	env, _ := newEnv(t, nil)
	got, err := call(t, env, "disk.usage", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	root, ok := got.(map[string]any)["root"].(string)
	if n, err := strconv.Atoi(strings.TrimSuffix(root, "%")); !ok || err != nil || n < 0 || n > 100 || !strings.HasSuffix(root, "%") {
		t.Errorf("disk.usage of / is %q", root)
	}
}

// TestCallErrors holds the errors of wrong calls to their text.
func TestCallErrors(t *testing.T) {
	env, _ := newEnv(t, nil)
	tests := []struct {
		name   string
		args   []any
		kwargs map[string]any
		want   string
	}{
		{"test.pong", nil, nil, `unknown function "test.pong" (did you mean "test.ping"?)`},
		{"nothing.like.it", nil, nil, `unknown function "nothing.like.it"`},
		{"test.ping", []any{"x"}, nil, `test.ping takes no arguments, got 1`},
		{"test.echo", []any{"x", "y"}, nil, `test.echo takes at most 1 argument, got 2`},
		{"test.echo", nil, nil, `test.echo: argument "text" is missing`},
		{"test.echo", []any{"x"}, map[string]any{"text": "y"}, `test.echo: argument "text" is given twice`},
		{"cmd.run", []any{"x"}, map[string]any{"umsk": "022"}, `cmd.run: unknown argument "umsk" (did you mean "umask"?)`},
		{"cmd.run", []any{"x"}, map[string]any{"timeout": "soon"}, `cmd.run: argument "timeout" takes a number, not "soon"`},
		{"cmd.run", []any{[]any{"ls"}}, nil, `cmd.run: argument "cmd" takes text, not a list`},
		{"cmd.run", []any{" "}, nil, `the command is empty`},
		{"cmd.run", []any{"x"}, map[string]any{"umask": "9"}, `umask "9" is not an octal number such as 027`},
		{"cmd.run", []any{"echo 'x"}, map[string]any{"python_shell": false}, `command "echo 'x": a quote is not closed`},
		{"cmd.run", []any{"exit 3"}, nil, `command "exit 3" failed with exit code 3`},
		{"cmd.run", []any{"kill -9 $$"}, nil, `command "kill -9 $$" failed with exit code 137`},
		{"cmd.run", []any{"x"}, map[string]any{"cwd": "/no/such/dir"}, `cwd: stat /no/such/dir: no such file or directory`},
		{"network.ip_addrs", nil, map[string]any{"interface": "nope0"}, `network.ip_addrs: interface "nope0": route ip+net: no such network interface`},
		{"sys.doc", []any{"test.pimg"}, nil, `no function matches "test.pimg" (did you mean "test.ping"?)`},
		{"basket.get", []any{"*", "network.ip_addrs"}, nil, `basket: there is no bus to read it from`},
		{"mine.get", []any{"*", "f"}, map[string]any{"tgt_type": "grian"}, `mine.get: unknown tgt_type "grian" (did you mean "grain"?)`},
		{"facts.refresh", nil, nil, `facts.refresh: facts cannot be collected here`},
	}
	for _, tt := range tests {
		got, err := call(t, env, tt.name, tt.args, tt.kwargs)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s %v %v: %v (%v), want the error %s", tt.name, tt.args, tt.kwargs, err, got, tt.want)
		}
	}
}

func TestFailureCarriesOutput(t *testing.T) {
	env, _ := newEnv(t, nil)
	_, err := call(t, env, "cmd.run", []any{"echo said; exit 3"}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) || failure.Value != "said" || failure.Code != 3 {
		t.Errorf("got %#v", err)
	}
	_, err = call(t, env, "cmd.run_all", []any{"echo said; echo so >&2; exit 3"}, nil)
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	value := failure.Value.(map[string]any)
	if value["stdout"] != "said" || value["stderr"] != "so" || value["retcode"] != int64(3) || value["pid"].(int64) < 2 {
		t.Errorf("got %v", value)
	}
}

func TestMutating(t *testing.T) {
	tests := []struct {
		name   string
		kwargs map[string]any
		want   bool
	}{
		{"test.ping", nil, false},
		{"facts.items", nil, false},
		{"cmd.run", map[string]any{"cmd": "x"}, true},
		{"state.apply", nil, true},
		{"state.apply", map[string]any{"test": true}, false},
		{"state.apply", map[string]any{"test": "True"}, false},
		{"state.highstate", nil, true},
		{"state.single", map[string]any{"fun": "test.nop", "name": "x"}, true},
		{"state.show_highstate", nil, false},
		{"state.test", nil, false},
		{"no.such", nil, false},
	}
	for _, tt := range tests {
		if got := modules.Builtin().Mutating(tt.name, nil, tt.kwargs); got != tt.want {
			t.Errorf("%s %v: mutating %v, want %v", tt.name, tt.kwargs, got, tt.want)
		}
	}
}

// TestKillsProcessGroup: what a command has started ends with it, on timeout and on cancellation.
func TestKillsProcessGroup(t *testing.T) {
	for _, how := range []string{"timeout", "cancel"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			env, root := newEnv(t, nil)
			pidFile := filepath.Join(root, "pid")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			written := func() bool { data, err := os.ReadFile(pidFile); return err == nil && len(data) > 0 }
			if how == "cancel" {
				go func() {
					for !written() && t.Context().Err() == nil {
						time.Sleep(time.Millisecond)
					}
					cancel()
				}()
			}
			// The inner process ignores the polite signal.
			line := "sh -c 'trap \"\" TERM; echo $$ > " + pidFile + "; while :; do sleep 0.05; done' & wait"
			for timeout := 0.3; !written(); timeout *= 4 { // more, where it had not got so far
				kwargs := map[string]any{}
				if how == "timeout" {
					kwargs["timeout"] = timeout
				}
				started := time.Now()
				_, err := modules.Builtin().Call(ctx, env, "cmd.run", []any{line}, kwargs)
				if took := time.Since(started); err == nil || took > 2*patience {
					t.Fatalf("ended with %v after %s", err, took)
				}
				if timeout > patience.Seconds() || ctx.Err() != nil && !written() {
					t.Fatal("nothing was started")
				}
			}
			data, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(patience); alive(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("process %d is still there", pid)
				}
			}
		})
	}
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(data), ") Z ")
}

// TestReadErrors: an error that is not "not found" fails the state, and nothing is written.
func TestReadErrors(t *testing.T) {
	env, root := newEnv(t, map[string]string{"main.zy": `a:
  file.managed: [{name: {{ facts.root }}/loop/file}, {contents: x}, {makedirs: true}]
b:
  file.managed: [{name: {{ facts.root }}/file/below}, {contents: x}, {makedirs: true}]
c:
  file.managed: [{name: {{ facts.root }}/fifo}, {contents: x}]
`})
	if err := os.Symlink("loop", filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := call(t, env, "state.apply", []any{"main"}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) || failure.Msg != "3 of 3 states failed" {
		t.Fatalf("got %v", err)
	}
	wants := []string{": too many levels of symbolic links", ": not a directory", `/fifo" is not a regular file`}
	for i, item := range failure.Value.(map[string]any)["states"].([]any) {
		if comment := item.(map[string]any)["comment"].(string); !strings.HasSuffix(comment, wants[i]) {
			t.Errorf("comment %q, want it to end in %q", comment, wants[i])
		}
	}
	if data, err := os.ReadFile(filepath.Join(root, "file")); err != nil || string(data) != "kept" {
		t.Errorf("the file is %q (%v)", data, err)
	}
}

// TestReportIsPlain: a report survives JSON unchanged but for its numbers, with the documented keys.
func TestReportIsPlain(t *testing.T) {
	env, _ := newEnv(t, map[string]string{"main.zy": "a:\n  test.succeed_with_changes: []\nb:\n  test.fail_without_changes: []\nc:\n  test.nop:\n    - require: [{test: b}]\n"})
	_, err := call(t, env, "state.apply", []any{"main"}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	data, err := json.Marshal(failure.Value)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if got := encode(t, back["summary"]); got != `{"blocked":1,"changed":1,"failed":1,"succeeded":1,"total":3,"would_change":0}` {
		t.Errorf("summary %s", got)
	}
	for _, key := range []string{"test", "result", "started", "duration", "states"} {
		if _, ok := back[key]; !ok {
			t.Errorf("the report has no %q", key)
		}
	}
	for _, item := range back["states"].([]any) {
		state := item.(map[string]any)
		for _, key := range []string{"id", "sls", "function", "name", "result", "changes", "comment", "started", "duration", "run", "ran", "blocked"} {
			if _, ok := state[key]; !ok {
				t.Errorf("a state has no %q", key)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, state["started"].(string)); err != nil {
			t.Error(err)
		}
	}
}

// TestOwner: states and commands take the owner they are told to. Without root's rights that can only be oneself.
func TestOwner(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65534
	}
	owner, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		t.Fatal(err)
	}
	env, root := newEnv(t, map[string]string{"main.zy": fmt.Sprintf(`file:
  file.managed:
    - name: {{ facts.root }}/a/file
    - contents: x
    - makedirs: true
    - user: %s
    - group: %d
dir:
  file.directory: [{name: {{ facts.root }}/dir}, {user: %[2]d}, {mode: 2750}]
link:
  file.symlink: [{name: {{ facts.root }}/link}, {target: a}, {user: %[1]s}]
`, owner.Username, gid)})
	for i, want := range []int64{3, 0} {
		value, err := call(t, env, "state.apply", []any{"main"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := value.(map[string]any)["summary"].(map[string]any)["changed"]; got != want {
			t.Errorf("run %d changed %v states, want %d", i+1, got, want)
		}
	}
	for _, name := range []string{"a", "a/file", "dir", "link"} {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := int(info.Sys().(*syscall.Stat_t).Uid); got != uid {
			t.Errorf("%s belongs to %d, want %d", name, got, uid)
		}
		if name == "dir" && info.Mode().String() != "dgrwxr-x---" {
			t.Errorf("%s has the mode %s", name, info.Mode())
		}
	}
	got, err := call(t, env, "cmd.run", []any{"id -u; echo $USER"}, map[string]any{"runas": owner.Username, "cwd": "/"})
	if want := strconv.Itoa(uid) + "\n" + owner.Username; err != nil || got != want {
		t.Errorf("runas: %q (%v), want %q", got, err, want)
	}
}

// TestStrayProcess: a command that leaves a process with its output behind returns all the same, and does not end it.
func TestStrayProcess(t *testing.T) {
	t.Parallel()
	env, root := newEnv(t, nil)
	got, err := call(t, env, "cmd.run", []any{"(sleep 4; touch survived) & echo started"}, map[string]any{"cwd": root})
	if err != nil || got != "started" {
		t.Errorf("got %q (%v)", got, err)
	}
	until(t, "the process that was left behind", func() bool { return exists(filepath.Join(root, "survived")) })
}
