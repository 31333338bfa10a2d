package modules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/modules"
)

// TestFileFunctions calls the file functions one after the other, as an operator would: each sees what those before it did.
func TestFileFunctions(t *testing.T) {
	env, root := newEnv(t, nil)
	for _, test := range []struct {
		call   string // function and arguments, separated by |
		kwargs map[string]any
		want   string // JSON, or the error
	}{
		{"file.write|$ROOT/f|one|two", nil, `"Wrote 2 lines to \"$ROOT/f\""`},
		{"file.append|$ROOT/f|three", nil, `"Wrote 1 line to \"$ROOT/f\""`},
		{"file.prepend|$ROOT/f|zero", nil, `"Wrote 1 line to \"$ROOT/f\""`},
		{"file.read|$ROOT/f", nil, `"zero\none\ntwo\nthree\n"`},
		{"file.read|$ROOT/nothing", nil, `stat $ROOT/nothing: no such file or directory`},
		{"file.contains|$ROOT/f|two", nil, `true`},
		{"file.contains|$ROOT/f|four", nil, `false`},
		{"file.search|$ROOT/f|^t.o$", nil, `true`},
		{"file.search|$ROOT/f|^T", nil, `false`},
		{"file.search|$ROOT/f|^T", map[string]any{"flags": []any{"IGNORECASE", "MULTILINE"}}, `true`},
		{"file.search|$ROOT/nothing|x", map[string]any{"ignore_if_missing": true}, `false`},
		{"file.contains_regex|$ROOT/f|o$", nil, `true`},
		{"file.set_mode|$ROOT/f|0640", nil, `true`},
		{"file.get_mode|$ROOT/f", nil, `"0640"`},
		{"file.get_hash|$ROOT/f|md5", nil, `"23b40f5aa287df33ec74ce1153dd3e14"`},
		{"file.check_hash|$ROOT/f|md5=23b40f5aa287df33ec74ce1153dd3e14", nil, `true`},
		{"file.check_hash|$ROOT/f|md5=00", nil, `false`},
		{"file.get_hash|$ROOT/f|crc", nil, `hash "crc" is not md5, sha1, sha224, sha256, sha384 or sha512`},
		{"file.file_exists|$ROOT/f", nil, `true`},
		{"file.file_exists|$ROOT/f/below", nil, `false`},
		{"file.directory_exists|$ROOT", nil, `true`},
		{"file.directory_exists|$ROOT/f", nil, `false`},
		{"file.path_exists_glob|$ROOT/*", nil, `true`},
		{"file.access|$ROOT/f|r", nil, `true`},
		{"file.access|$ROOT/f|x", nil, `false`},
		{"file.access|$ROOT/f|q", nil, `mode "q" is not f, r, w or x`},
		{"file.symlink|f|$ROOT/link", nil, `{"new":"$ROOT/link"}`},
		{"file.is_link|$ROOT/link", nil, `true`},
		{"file.is_link|$ROOT/f", nil, `false`},
		{"file.readlink|$ROOT/link", nil, `"f"`},
		{"file.readlink|$ROOT/link", map[string]any{"canonicalize": true}, `"$ROOT/f"`},
		{"file.mkdir|$ROOT/a/b/c", map[string]any{"mode": "750"}, `true`},
		{"file.makedirs|$ROOT/d/e/f", nil, `true`},
		{"file.touch|$ROOT/a/b/c/new", nil, `true`},
		{"file.readdir|$ROOT/a/b", nil, `[".","..","c"]`},
		{"file.copy|$ROOT/f|$ROOT/g", nil, `true`},
		{"file.rename|$ROOT/g|$ROOT/h", nil, `true`},
		{"file.replace|$ROOT/h|two|2", map[string]any{"backup": false, "show_changes": false}, `{"diff":"\u003cshow_changes is false\u003e"}`},
		{"file.line|$ROOT/h", map[string]any{"mode": "delete", "match": "zero", "show_changes": false}, `{"diff":"\u003cshow_changes is false\u003e"}`},
		{"file.replace|$ROOT/h|two|2", map[string]any{"nonsense": 1}, `file.replace: unknown argument "nonsense"`},
		{"file.read|$ROOT/h", nil, `"one\n2\nthree\n"`},
		{"file.find|$ROOT", map[string]any{"type": "f"}, `["$ROOT/a/b/c/new","$ROOT/f","$ROOT/h"]`},
		{"file.find|$ROOT", map[string]any{"type": "d", "maxdepth": int64(1), "mindepth": int64(1)}, `["$ROOT/a","$ROOT/d"]`},
		{"file.find|$ROOT", map[string]any{"name": "[fh]", "size": "+15"}, `["$ROOT/f"]`},
		{"file.find|$ROOT", map[string]any{"grep": "^2$"}, `["$ROOT/h"]`},
		{"file.find|$ROOT", map[string]any{"regex": ".*/b/.*", "type": "f", "mtime": "1d"}, `["$ROOT/a/b/c/new"]`},
		{"file.find|$ROOT", map[string]any{"mtime": "+1d"}, `[]`},
		{"file.find|$ROOT", map[string]any{"mtime": "soon"}, `"soon" is not a time such as 3d or 12h`},
		{"file.remove|$ROOT/a", nil, `true`},
		{"file.remove|$ROOT/a", nil, `false`},
		{"file.remove|/", nil, `"/" is outside of "$ROOT", which this peel is confined to`},
		{"file.write|/etc/nothing|x", nil, `"/etc/nothing" is outside of "$ROOT", which this peel is confined to`},
		{"file.basename|/a/b.c", nil, `"b.c"`},
		{"file.dirname|/a/b.c", nil, `"/a"`},
		{"file.dirname|/a", nil, `"/"`},
		{"file.join|/a|b|c", nil, `"/a/b/c"`},
		{"file.join|/a|/b", nil, `"/b"`},
		{"file.normpath|/a/../b//c", nil, `"/b/c"`},
	} {
		words := strings.Split(strings.ReplaceAll(test.call, "$ROOT", root), "|")
		args := make([]any, len(words)-1)
		for i, word := range words[1:] {
			args[i] = word
		}
		value, err := modules.Builtin().Call(t.Context(), env, words[0], args, test.kwargs)
		got := strings.ReplaceAll(strings.ReplaceAll(encode(t, value), "<", `\u003c`), ">", `\u003e`)
		if err != nil {
			got = err.Error()
		}
		if got = strings.ReplaceAll(got, root, "$ROOT"); got != test.want {
			t.Errorf("%s %v\ngot  %s\nwant %s", test.call, test.kwargs, got, test.want)
		}
	}
}

func TestFileStats(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "f")
	if err := os.WriteFile(path, []byte("12345"), 0o604); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1700000000, 500000000)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	value, err := modules.Builtin().Call(t.Context(), env, "file.stats", []any{path, "sha256"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stats := value.(map[string]any)
	got := fmt.Sprint(stats["type"], stats["mode"], stats["size"], stats["mtime"], stats["atime"], stats["uid"], stats["sum"])
	want := fmt.Sprint("file", "0604", int64(5), 1.7000000005e9, 1.7000000005e9, int64(os.Getuid()), "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestWholeHost: what changes more than files is not for a peel that is confined to a directory.
func TestWholeHost(t *testing.T) {
	env, root := newEnv(t, nil)
	for _, function := range []string{"user.present", "group.absent", "pkg.installed", "service.running"} {
		state := single(t, env, function, "zester-test-nobody", nil)
		want := fmt.Sprintf("%s changes the whole host, and this peel is confined to %q", function, root)
		if state["result"] != false || state["comment"] != want {
			t.Errorf("%s: %v %v, want %s", function, state["result"], state["comment"], want)
		}
	}
}
