package modules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ptorbus/zester/core/files"
)

// TestStreamsLargeSources: a source that is too large to load is compared and written without being held in memory.
func TestStreamsLargeSources(t *testing.T) {
	env, root := newEnv(t, nil)
	dir := t.TempDir()
	env.Tree, env.Open = files.Dir(dir), files.Opener(files.Dir(dir))
	if err := os.WriteFile(filepath.Join(dir, "main.zy"), []byte("big:\n  file.managed:\n    - name: {{ facts.root }}/big\n    - source: salt://big.bin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := os.Create(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := source.Truncate(files.MaxLoad + 10); err != nil {
		t.Fatal(err)
	}
	apply := func() any {
		t.Helper()
		value, err := call(t, env, "state.apply", []any{"main"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return value.(map[string]any)["summary"].(map[string]any)["changed"]
	}
	for i, want := range []int64{1, 0} {
		if got := apply(); got != want {
			t.Errorf("run %d changed %v states, want %d", i+1, got, want)
		}
	}
	// One byte at the far end is a difference.
	if _, err := source.WriteAt([]byte("x"), files.MaxLoad+9); err != nil {
		t.Fatal(err)
	}
	if got := apply(); got != int64(1) {
		t.Errorf("after a change at the end, %v states changed", got)
	}
	file, err := os.Open(filepath.Join(root, "big"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	end := make([]byte, 4)
	if _, err := file.ReadAt(end, files.MaxLoad+6); err != nil || !bytes.Equal(end, []byte("\x00\x00\x00x")) {
		t.Errorf("the file ends in %q (%v)", end, err)
	}
}
