package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	const see = ` (see "zester-peel --help")`
	for _, c := range []struct {
		name    string
		file    string // content
		environ []string
		args    []string
		want    string // FILE stands for the file's path
	}{
		{"missing id", "", nil, nil, `--id is required (or key "id" in FILE, or ZESTER_ID)`},
		{"empty id in the file", "id: ''", nil, nil, `--id is required (or key "id" in FILE, or ZESTER_ID)`},
		{"empty id on the command line", "id: x", nil, []string{"--id="}, `--id is required (or key "id" in FILE, or ZESTER_ID)`},
		{"empty id in the environment", "id: x", []string{"ZESTER_ID="}, nil, `--id is required (or key "id" in FILE, or ZESTER_ID)`},
		{"typo of a flag", "", nil, []string{"--nats-ulr", "x"}, `unknown flag --nats-ulr, did you mean "--nats-url"?` + see},
		{"strange flag", "", nil, []string{"--frobnicate"}, `unknown flag --frobnicate` + see},
		{"strange argument", "id: x", nil, []string{"what"}, `unexpected argument what` + see},
		{"flag without a value", "id: x", nil, []string{"--nats-url"}, `--nats-url: its value is missing` + see},
		{"flag for a value", "id: x", nil, []string{"--nats-url", "--offline"}, `--nats-url: expected string value but got "--offline" (long flag); perhaps try --nats-url="--offline"?` + see},
		{"bad duration flag", "id: x", nil, []string{"--timeout=soon"}, `--timeout: expected duration but got "soon": time: invalid duration "soon"` + see},
		{"bad choice flag", "id: x", nil, []string{"--log-format=xml"}, `--log-format must be one of "json","text" but got "xml"` + see},

		{"typo of a key", "id: x\nbakset: []\n", nil, nil, `FILE:2: unknown key "bakset" (did you mean "basket"?)`},
		{"flag's spelling of a key", "nats-url: x\n", nil, nil, `FILE:1: unknown key "nats-url" (did you mean "nats_url"?)`},
		{"strange key", "id: x\n\nfrobnicate: yes\n", nil, nil, `FILE:3: unknown key "frobnicate" (see "zester-peel --help")`},
		{"key of the command line only", "once: true\n", nil, nil, `FILE:1: unknown key "once" (see "zester-peel --help")`},
		{"config is no key", "config: x\n", nil, nil, `FILE:1: unknown key "config" (see "zester-peel --help")`},
		{"key twice", "id: a\nid: b\n", nil, nil, `FILE:2: key "id" is already set on line 1 (keep one of them)`},
		{"typo in a block", "id: x\nbasket:\n  - functon: a\n", nil, nil, `FILE:3: unknown key "functon" in basket[0] (did you mean "function"?)`},
		{"strange key in a block", "id: x\nbasket:\n  - function: a\n    colour: b\n", nil, nil,
			`FILE:4: unknown key "colour" in basket[0] (known: args, function, interval)`},
		{"wrong type in a block", "id: x\nbasket:\n  - function: a\n    interval: soon\n", nil, nil,
			"FILE:4: cannot unmarshal !!str `soon` into time.Duration (under key \"basket\")"},
		{"wrong type of a block", "id: x\nbasket: hello\n", nil, nil,
			"FILE:2: cannot unmarshal !!str `hello` into []config.basketFunction (under key \"basket\")"},

		{"typo in a merged mapping", "id: x\nbasket:\n  - &a {function: a}\n  - {<<: [*a, {intervall: 5m}]}\n", nil, nil,
			`FILE:4: unknown key "intervall" in basket[1] (did you mean "interval"?)`},
		{"merge without end", "id: x\nbasket: [&a {<<: *a}]\n", nil, nil, `FILE:2: anchor 'a' value contains itself (under key "basket")`},

		{"list for a text", "id: [a]\n", nil, nil, `FILE:1: id: want one value, got a list`},
		{"mapping for a list", "id: a\nfacts_dirs: {a: b}\n", nil, nil, `FILE:2: facts_dirs: want a list, got a mapping`},
		{"list in a list", "id: a\nfacts_dirs: [[]]\n", nil, nil, `FILE:2: facts_dirs: want a list of plain values, got a list in it`},
		{"bad number", "id: a\nworkers: many\n", nil, nil, `FILE:2: workers: expected a valid 64 bit int but got "many"`},
		{"bad truth", "id: a\noffline: perhaps\n", nil, nil, `FILE:2: offline: bool value must be true, 1, yes, false, 0 or no but got "perhaps"`},
		{"bad duration", "id: a\ntimeout: 5\n", nil, nil, `FILE:2: timeout: expected duration but got "5": time: missing unit in duration "5"`},
		{"bad choice", "id: a\nlog_format: xml\n", nil, nil, `FILE:2: log_format: must be one of "json","text" but got "xml"`},
		{"bad number in the environment", "id: a\n", []string{"ZESTER_WORKERS=many"}, nil, `ZESTER_WORKERS: expected a valid 64 bit int but got "many"`},
		{"bad choice in the environment", "id: a\n", []string{"ZESTER_LOG_FORMAT="}, nil, `ZESTER_LOG_FORMAT: must be one of "json","text" but got ""`},

		{"validated file", "id: a\nlog_level: loud\n", nil, nil, `FILE:2: log_level: unknown level "loud"`},
		{"validated variable", "id: a\n", []string{"ZESTER_LOG_LEVEL=loud"}, nil, `ZESTER_LOG_LEVEL: unknown level "loud"`},
		{"validated flag", "id: a\n", nil, []string{"--log-level=loud"}, `--log-level: unknown level "loud"`},
		{"validated block", "id: a\nbasket: [{interval: 1s}]\n", nil, nil, `FILE:2: basket: entry 0 has no function`},

		{"malformed", "id: a\nb: c: d\n", nil, nil, `FILE:2: mapping values are not allowed in this context`},
		{"unclosed", "id: [a\n", nil, nil, `FILE:1: did not find expected ',' or ']'`},
		{"tab", "id: a\nfacts:\n\tb: c\n", nil, nil, `FILE:3: found character that cannot start any token (YAML is indented with spaces, not tabs)`},
		{"list at the top", "- a\n", nil, nil, `FILE:1: want "key: value" lines, got a list`},
		{"text at the top", "\nhello\n", nil, nil, `FILE:2: want "key: value" lines, got "hello"`},
		{"two documents", "id: a\n---\nid: b\n", nil, nil, `FILE:2: a second document starts here (keep one)`},
		{"not text", "\xff\xfea", nil, nil, `FILE: incomplete UTF-16 character`},

		{"named file is missing", "id: a\n", nil, []string{"--config", "/nowhere/x.yaml"},
			`--config "/nowhere/x.yaml": no such file or directory (create it, or leave --config out to read FILE)`},
		{"file in the environment is missing", "id: a\n", []string{"ZESTER_CONFIG=/nowhere/x.yaml"}, nil,
			`ZESTER_CONFIG "/nowhere/x.yaml": no such file or directory (create it, or leave ZESTER_CONFIG out to read FILE)`},
		{"directory", "id: a\n", nil, []string{"--config", "/"}, `--config "/": is a directory (name a file in it)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.file)
			var peel peelSettings
			invocation, err := w.parse(&peel, c.environ, c.args...)
			if err == nil {
				t.Fatalf("accepted as %+v", peel)
			}
			if want := strings.ReplaceAll(c.want, "FILE", w.file); err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if invocation != nil || w.out.Len()+w.err.Len() != 0 {
				t.Errorf("invocation %v, printed %q %q", invocation, w.out.String(), w.err.String())
			}
		})
	}
}

func TestParseFileUnreadable(t *testing.T) {
	// Root may read everything, but not a loop of links.
	w := newWorld(t, "")
	loop := filepath.Join(w.dir, "peel.yaml")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	var peel peelSettings
	_, err := w.parse(&peel, nil)
	if want := w.file + ": too many levels of symbolic links (make it readable, or name another file with --config)"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestParseWithoutFiles(t *testing.T) {
	program := Program{Name: "playground-init"}
	var peel peelSettings
	_, err := Parse(program, &peel, nil, []string{"ZESTER_CONFIG=/nowhere"}, Stdio{})
	if want := `--id is required (or ZESTER_ID)`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	_, err = Parse(program, &peel, []string{"--config=x"}, nil, Stdio{})
	if want := `unknown flag --config (see "playground-init --help")`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLocate(t *testing.T) {
	w := newWorld(t, "id: a\nworkers: 3\n")
	var peel peelSettings
	invocation, err := w.parse(&peel, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, want string }{
		{"nats_url", "nats_url (default): refused"},
		{"--workers", w.file + ":2: workers: refused"},
	} {
		if got := invocation.Locate(Invalid(c.key, "refused")).Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if other := os.ErrClosed; invocation.Locate(other) != other {
		t.Error("an error about no setting was changed")
	}
}

// FuzzFile feeds files to a whole program: whatever they hold, Parse answers with settings or with one line that names
// the file.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"id: x\n", "id: [a\n", "basket: [{function: a, interval: 5m}]\n", "a: &a {b: *a}\n", "<<: {id: x}\n", "facts: {<<: {a: b}, c: !!binary aGk=}\n",
		"? [complex, key]\n: value\n", "--- \n...\n---\n", "id: !!float 3\n", "facts:\n\t- x\n", "&x id: *x\n", "\xff\xfe", "facts: &f\n  a: *f\n", "basket: &b [*b]\n",
		"basket: [{<<: {functon: a}}]\n", "facts: {? {a: b} : c}\n", "%YAML 9.9\n---\n", "basket: [&a {<<: *a}]\n",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "peel.yaml")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var peel peelSettings
		program := Program{Name: "zester-peel", Files: []string{path}}
		_, err := Parse(program, &peel, []string{"--id=x"}, nil, Stdio{})
		if err != nil && (!strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %q", content, err)
		}
	})
}
