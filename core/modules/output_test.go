package modules_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/modules"
)

const mib = 1 << 20

// flood is a command that prints so many bytes of one letter.
func flood(bytes, letter, to string) string {
	return "head -c " + bytes + " /dev/zero | tr '\\0' " + letter + " >&" + to
}

// TestOutputIsWhole: what a command prints is returned as it is, up to what a job may return, and where it is more that is
// an error beside what there is.
func TestOutputIsWhole(t *testing.T) {
	const lost = " of what command %q printed are lost: at most 65011712 can be returned; have it write to a file instead"
	tests := map[string]struct {
		function, line string
		stdout, stderr int // of run_all, or the text
		code           int // of the Failure; 0 for none
		lost           string
		before         string
	}{
		"20 MB":             {function: "cmd.run", line: flood("20000000", "a", "1"), stdout: 20_000_000},
		"as much as fits":   {function: "cmd.run_stdout", line: flood("65011712", "a", "1"), stdout: 62 * mib},
		"one byte too many": {function: "cmd.run_stdout", line: flood("65011713", "a", "1"), stdout: 62 * mib, code: 1, lost: "the last 1 byte"},
		"both":              {function: "cmd.run_all", line: flood("30000000", "a", "1") + "; " + flood("30000000", "b", "2"), stdout: 30_000_000, stderr: 30_000_000},
		"an error behind a flood": {function: "cmd.run_all", line: flood("70000000", "a", "1") + "; " + flood("1000000", "b", "2"),
			stdout: 62 * mib, stderr: 1_000_000, code: 1, lost: "the last 4988288 bytes"},
		"floods of both": {function: "cmd.run_all", line: flood("1048576", "b", "2") + "; " + flood("70000000", "a", "1"),
			stdout: 62 * mib, stderr: mib, code: 1, lost: "the last 4988288 bytes"},
		"a failure": {function: "cmd.run_stdout", line: flood("65011713", "a", "1") + "; exit 3", stdout: 62 * mib, code: 3, lost: "the last 1 byte",
			before: "failed with exit code 3; "},
		"of what is not returned": {function: "cmd.run_stderr", line: flood("70000000", "a", "1") + "; " + flood("10", "b", "2"), stdout: 10},
		"the exit code alone":     {function: "cmd.retcode", line: flood("70000000", "a", "1")},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			env, _ := newEnv(t, nil)
			value, err := call(t, env, c.function, []any{c.line}, nil)
			if c.code == 0 && err != nil {
				t.Fatal(err)
			}
			if c.code != 0 {
				var failure *modules.Failure
				if !errors.As(err, &failure) || failure.Code != c.code {
					t.Fatalf("the error is %v, want a failure with code %d", err, c.code)
				}
				quoted := strings.Replace(lost, "%q", `"`+strings.ReplaceAll(c.line, `\`, `\\`)+`"`, 1)
				if want := c.lost + quoted; !strings.HasSuffix(err.Error(), c.before+want) {
					t.Errorf("the error is %q, want %q", err, c.before+want)
				}
				value = failure.Value
			}
			if data, err := bus.Marshal(value); err != nil || len(data) > 64*mib {
				t.Errorf("a job could not return it: %d bytes when encoded (%v)", len(data), err)
			}
			switch v := value.(type) {
			case string:
				if len(v) != c.stdout || strings.Trim(v, v[:1]) != "" {
					t.Errorf("%d bytes are there, want %d", len(v), c.stdout)
				}
			case map[string]any:
				if out, err := v["stdout"].(string), v["stderr"].(string); len(out) != c.stdout || len(err) != c.stderr {
					t.Errorf("%d and %d bytes are there, want %d and %d", len(out), len(err), c.stdout, c.stderr)
				}
			}
		})
	}
}

// TestBinaryOutputFits: what is not UTF-8 becomes longer, and still has to fit.
func TestBinaryOutputFits(t *testing.T) {
	env, _ := newEnv(t, nil)
	value, err := call(t, env, "cmd.run_stdout", []any{`yes "$(printf 'a\377')" | tr -d '\n' | head -c 40000000`}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) || failure.Code != 1 {
		t.Fatalf("returned %s and %v, want a failure", short(value), err)
	}
	text := failure.Value.(string)
	if len(text) > 62*mib || len(text) < 62*mib-3 || strings.ToValidUTF8(text, "") != text {
		t.Errorf("%d bytes are there, want all of 62 MiB as valid UTF-8", len(text))
	}
}

// TestTemplatesHaveAllOfIt: a template does not go on with a part of what it asked for, though it does with what a command
// printed that failed.
func TestTemplatesHaveAllOfIt(t *testing.T) {
	env, _ := newEnv(t, nil)
	for source, want := range map[string]string{
		`{{ salt['cmd.run']('echo some; exit 3') }}`:                                       "",
		`{{ salt['cmd.run_stdout']('head -c 70000000 /dev/zero | tr "\\0" a') | length }}`: "the last 4988288 bytes",
	} {
		_, err := env.Engine.Render(t.Context(), "main", []byte(source), modules.TemplateVars(env, nil))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

// TestReadsLargeFiles: file.read returns what a job can.
func TestReadsLargeFiles(t *testing.T) {
	env, root := newEnv(t, nil)
	path := filepath.Join(root, "large")
	for size, want := range map[int]string{20_000_000: "", 63 * mib: "", 63*mib + 1: `has more than the 66060288 bytes that can be returned`} {
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(file.Truncate(int64(size)), file.Close()); err != nil {
			t.Fatal(err)
		}
		value, err := call(t, env, "file.read", []any{path}, nil)
		if want != "" {
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%d bytes: %v, want %q", size, err, want)
			}
			continue
		}
		if text, _ := value.(string); err != nil || len(text) != size {
			t.Errorf("%d bytes: %d were read (%v)", size, len(text), err)
		}
	}
}

// TestDiskTakesNoMore: what the disk has no room for is told as that.
func TestDiskTakesNoMore(t *testing.T) {
	env, k, _ := kept(t)
	k.Supervisor = append([]string{"/bin/sh", "-c", `ulimit -f 2048; exec "$@"`, "sh"}, k.Supervisor...)
	value, err := call(t, env, "cmd.run", []any{"yes | head -c 3000000"}, nil)
	var failure *modules.Failure
	if !errors.As(err, &failure) || failure.Code != 1 || !strings.HasPrefix(err.Error(), "the last ") || !strings.HasSuffix(err.Error(), "stdout: file too large") {
		t.Errorf("returned %s and %v, want a failure that names the file", short(value), err)
	}
}
