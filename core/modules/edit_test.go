package modules_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

// single applies one state and returns it.
func single(t *testing.T, env *modules.Env, function, name string, kwargs map[string]any) map[string]any {
	t.Helper()
	args := map[string]any{}
	for key, value := range kwargs {
		args[key] = value
	}
	value, err := modules.Builtin().Call(t.Context(), env, "state.single", []any{function, name}, args)
	if failure, ok := err.(*modules.Failure); ok {
		value = failure.Value
	} else if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)["states"].([]any)[0].(map[string]any)
}

func TestEditKeepsHardLinks(t *testing.T) {
	env, root := newEnv(t, nil)
	one, two := filepath.Join(root, "one"), filepath.Join(root, "two")
	if err := os.WriteFile(one, []byte("a=1\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(one, two); err != nil {
		t.Fatal(err)
	}
	if state := single(t, env, "file.replace", one, map[string]any{"pattern": "1", "repl": "2"}); state["result"] != true {
		t.Fatal(state)
	}
	for _, path := range []string{one, two} {
		data, err := os.ReadFile(path)
		if err != nil || string(data) != "a=2\n" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if data, err := os.ReadFile(one + ".bak"); err != nil || string(data) != "a=1\n" {
		t.Errorf("backup: %q, %v", data, err)
	}
}

func TestEditKeepsOwnerAndMode(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "f")
	if err := os.WriteFile(path, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	uid := os.Getuid()
	if uid == 0 {
		uid = 12345
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	single(t, env, "file.append", path, map[string]any{"text": "b"})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || int(info.Sys().(*syscall.Stat_t).Uid) != uid {
		t.Errorf("mode %v, owner %d, want 0600 and %d", info.Mode(), info.Sys().(*syscall.Stat_t).Uid, uid)
	}
}

// TestEditBytes edits a file that is not UTF-8: what is not touched stays as it is.
func TestEditBytes(t *testing.T) {
	env, root := newEnv(t, nil)
	for _, test := range []struct {
		function string
		args     map[string]any
		before   string
		after    string
	}{
		{"file.replace", map[string]any{"pattern": "^k=.*$", "repl": "k=2"}, "name=J\xf6rg\nk=1\n", "name=J\xf6rg\nk=2\n"},
		{"file.replace", map[string]any{"pattern": "J.rg", "repl": "X", "encoding": "latin-1"}, "J\xf6rg\n", "X\n"},
		{"file.replace", map[string]any{"pattern": "é", "repl": "ü", "encoding": "latin-1"}, "\xe9\xe8", "\xfc\xe8"},
		{"file.comment", map[string]any{"regex": "^k"}, "\xf6\nk=1\n", "\xf6\n#k=1\n"},
		{"file.line", map[string]any{"mode": "ensure", "after": "^k", "content": "l"}, "\xf6\nk=1\n", "\xf6\nk=1\nl\n"},
		{"file.append", map[string]any{"text": "k"}, "\xf6", "\xf6\nk\n"},
		{"file.replace", map[string]any{"pattern": `(\w+)=(?P<value>\d+)(?!\d)`, "repl": `\2=\1\n`, "flags": "IGNORECASE"}, "ab=12", "12=ab\n"},
		{"file.replace", map[string]any{"pattern": `a\Z`, "repl": `b`}, "a\na", "a\nb"},
		{"file.replace", map[string]any{"pattern": `[[]x[]]`, "repl": `y`}, "[x]", "y"},
		{"file.replace", map[string]any{"pattern": `(?P<q>['"])a(?P=q)`, "repl": `\g<q>b\g<q>`}, `'a' "a" 'a"`, `'b' "b" 'a"`},
	} {
		path := filepath.Join(root, "f")
		if err := os.WriteFile(path, []byte(test.before), 0o644); err != nil {
			t.Fatal(err)
		}
		state := single(t, env, test.function, path, test.args)
		if got, err := os.ReadFile(path); err != nil || string(got) != test.after {
			t.Errorf("%s %v of %q: %q, want %q (%v)", test.function, test.args, test.before, got, test.after, state["comment"])
		}
	}
}

func TestEditMistakes(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "f")
	if err := os.WriteFile(path, []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		function string
		args     map[string]any
		comment  string
	}{
		{"file.replace", map[string]any{"pattern": "(", "repl": ""}, `regular expression '(': missing ), unterminated subpattern at position 0`},
		{"file.replace", map[string]any{"pattern": "t", "repl": `\1`}, `replacement '\\1': invalid group reference 1`},
		{"file.replace", map[string]any{"pattern": "t", "repl": `\g<a>`}, `replacement '\\g<a>': unknown group name 'a'`},
		{"file.replace", map[string]any{"pattern": "t", "repl": `\q`}, `replacement '\\q': bad escape \q`},
		{"file.replace", map[string]any{"pattern": "t", "repl": "", "flags": []any{"NONSENSE"}}, `flags: "NONSENSE" is not a flag of Python's regular expressions, such as IGNORECASE or MULTILINE`},
		{"file.replace", map[string]any{"pattern": "t", "repl": "", "encoding": "nonsense"}, `encoding "nonsense" is not known: write utf-8, latin-1, cp1252, utf-16 or another of IANA's names`},
		{"file.line", map[string]any{"mode": "ensure", "content": "x", "after": "nothing"}, `after matches no line`},
		{"file.line", map[string]any{"mode": "replaces", "content": "x"}, `mode "replaces" is not insert, ensure, delete or replace`},
		{"file.comment", map[string]any{"regex": "nothing"}, `no line matches "nothing"`},
		{"file.blockreplace", map[string]any{"content": "x"}, `the markers are not in the file: put "#-- start managed zone --" and "#-- end managed zone --" there, or add append_if_not_found: true`},
		{"file.keyvalue", nil, `there is nothing to set: give key and value, or key_values`},
		{"file.append", nil, `there is no text: give text or source`},
		{"file.serialize", map[string]any{"dataset": map[string]any{}, "serializer": "yml"}, `serializer "yml" is not configparser, json, toml, yaml (did you mean "yaml"?)`},
		{"file.managed", map[string]any{"contents": "x", "attrs": "i"}, `attrs is not managed here: use cmd.run with chattr or chcon`},
		{"file.touch", map[string]any{"mtime": "yesterday"}, `mtime: "yesterday" is not seconds since 1970, nor a time such as 2026-01-02T15:04:05`},
	} {
		state := single(t, env, test.function, path, test.args)
		if state["result"] != false || state["comment"] != test.comment {
			t.Errorf("%s %v: %v %v\nwant %s", test.function, test.args, state["result"], state["comment"], test.comment)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "text\n" {
		t.Errorf("the file has become %q (%v)", data, err)
	}
}

// TestSerializeTOML writes TOML and merges into it; what TOML cannot say is an error.
func TestSerializeTOML(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "f.toml")
	data := map[string]any{
		"name": "a \"b\"\n", "port": int64(8080), "ratio": 1.5, "on": true, "none": nil, "list": []any{"a", int64(1)},
		"server": map[string]any{"host": "x", "tls": map[string]any{"min": "1.3"}}, "users": []any{map[string]any{"id": int64(1)}},
	}
	const text = "list = [\"a\", 1]\nname = \"a \\\"b\\\"\\n\"\non = true\nport = 8080\nratio = 1.5\n\n[server]\nhost = \"x\"\n[server.tls]\nmin = \"1.3\"\n\n[[users]]\nid = 1\n"
	const merged = "at = 2026-01-02\nport = 80\n\n[server]\nhost = \"x\"\nname = \"y\"\n"
	toml := func(dataset any, merge bool) map[string]any {
		return map[string]any{"serializer": "toml", "dataset": dataset, "merge_if_exists": merge}
	}
	runSteps(t, env, root, path, []step{
		{"file.serialize", path, toml(data, false), "changed", text},
		{"file.serialize", path, toml([]any{int64(1)}, false), "toml writes a mapping of names to values and tables", text},
		{"file.serialize", path, toml(map[string]any{"l": []any{nil}}, false), "toml: cannot encode array with nil element", text},
		{"file.managed", path, map[string]any{"contents": "at = 2026-01-02\nport = 1\n[server]\nname = 'y'"}, "changed", ""},
		{"file.serialize", path, toml(map[string]any{"port": int64(80), "server": map[string]any{"host": "x"}}, true), "changed", merged},
		{"file.managed", path, map[string]any{"contents": "port ="}, "changed", ""},
		{"file.serialize", path, toml(data, true), "$ROOT/f.toml: toml: line 1 (last key \"port\"): expected value but found '\\n' instead", ""},
	})
}

// TestIncludeEmpty: a tree has no empty directories, which is said where they are asked for.
func TestIncludeEmpty(t *testing.T) {
	env, root := newEnv(t, map[string]string{"dir/a/f": "x\n"})
	for _, include := range []bool{true, false} {
		state := single(t, env, "file.recurse", filepath.Join(root, "to"), map[string]any{"source": "salt://dir", "include_empty": include})
		want := "[include_empty: a tree holds files, and no directory without one: make that with file.directory]"
		if !include {
			want = "<nil>"
		}
		if got := fmt.Sprint(state["warnings"]); state["result"] != true || got != want {
			t.Errorf("%v: %v, want %s", include, state, want)
		}
	}
}

func TestTidied(t *testing.T) {
	env, root := newEnv(t, nil)
	dir := filepath.Join(root, "dir")
	old := time.Now().Add(-10 * 24 * time.Hour)
	for name, size := range map[string]int{"old.log": 1, "new.log": 1, "old.txt": 1, "sub/old.log": 1, "large.log": 5000, "keep-old.log": 1} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "old") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	removed := func(args map[string]any) string {
		args["test"] = true
		args["matches"] = []any{`(?!keep).*\.log`}
		changes := single(t, env, "file.tidied", dir, args)["changes"].(map[string]any)
		return strings.ReplaceAll(fmt.Sprint(changes["removed"]), dir+"/", "")
	}
	for want, args := range map[string]map[string]any{
		"[old.log sub/old.log]":                   {"age": int64(7)},
		"[large.log]":                             {"size": "4k"},
		"[large.log old.log sub/old.log]":         {"age": int64(7), "size": "4k"},
		"[large.log new.log old.log sub/old.log]": {},
		"<nil>":                  {"age": int64(7), "size": "4k", "age_size_logical_operator": "AND"},
		"[old.log sub/old.log] ": nil,
	} {
		if args == nil {
			args = map[string]any{"age": int64(7), "size": int64(1), "age_size_only": "age"}
		}
		if got := removed(args); got != strings.TrimSpace(want) {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
	single(t, env, "file.tidied", dir, map[string]any{"age": int64(7)})
	if got := listing(t, dir); strings.Contains(got, "/old") || !strings.Contains(got, "new.log") || !strings.Contains(got, "large.log") {
		t.Errorf("what is left: %s", got)
	}
}

// TestManagedURL takes files from a web server: verified, and not fetched where the hash says that nothing has changed.
func TestManagedURL(t *testing.T) {
	env, root := newEnv(t, nil)
	const text = "from the web\n"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	fetched := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched[r.URL.Path]++
		switch r.URL.Path {
		case "/file":
			_, _ = w.Write([]byte(text))
		case "/SHA256SUMS":
			_, _ = fmt.Fprintf(w, "%064d  other\n%s *file\n", 0, sum)
		case "/broken":
			http.Error(w, "broken", http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(root, "f")
	for _, test := range []struct {
		name    string
		args    map[string]any
		result  any
		comment string
	}{
		{"unverified", map[string]any{"source": server.URL + "/file"}, false,
			fmt.Sprintf("source %q cannot be verified: add source_hash, or skip_verify: true", server.URL+"/file")},
		{"wrong", map[string]any{"source": server.URL + "/file", "source_hash": strings.Repeat("0", 64)}, false,
			fmt.Sprintf("its hash is %s, source_hash says %064d", sum, 0)},
		{"missing", map[string]any{"source": server.URL + "/nothing", "skip_verify": true}, false, "the server says 404 Not Found: file does not exist"},
		{"broken", map[string]any{"source": server.URL + "/broken", "skip_verify": true}, false, "the server says 500 Internal Server Error"},
		{"right", map[string]any{"source": server.URL + "/file", "source_hash": "sha256=" + sum}, true, "File " + path + " updated"},
		{"again", map[string]any{"source": server.URL + "/file", "source_hash": sum}, true, "File " + path + " is in the correct state"},
		{"list", map[string]any{"source": server.URL + "/file", "source_hash": server.URL + "/SHA256SUMS"}, true, "File " + path + " is in the correct state"},
		{"second", map[string]any{"source": []any{server.URL + "/nothing", server.URL + "/file"}, "skip_verify": true}, true, "File " + path + " is in the correct state"},
	} {
		before := fetched["/file"]
		state := single(t, env, "file.managed", path, test.args)
		if state["result"] != test.result || state["comment"] != test.comment {
			t.Errorf("%s: %v %v\nwant %v %s", test.name, state["result"], state["comment"], test.result, test.comment)
		}
		if (test.name == "again" || test.name == "list") && fetched["/file"] != before {
			t.Errorf("%s: the file was fetched although its hash is known", test.name)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != text {
		t.Errorf("%q, %v", data, err)
	}
}
