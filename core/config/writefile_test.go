package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peel.creds")
	write := func(content string, mode fs.FileMode) {
		t.Helper()
		if err := WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("content = %q, %v, want %q", got, err, content)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != mode {
			t.Fatalf("mode = %v, %v, want %v", info.Mode(), err, mode)
		}
	}
	// 0666 is more than any usual umask leaves.
	write("one", 0o666)
	write("one", 0o600)
	write("two, longer", 0o640)
	write("", 0o600)

	// A link is replaced; what it points at is another's file.
	other := filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, []byte("theirs"), 0o600), os.Remove(path), os.Symlink(other, path)); err != nil {
		t.Fatal(err)
	}
	write("theirs", 0o600)
	write("ours", 0o600)
	if got, err := os.ReadFile(other); err != nil || string(got) != "theirs" {
		t.Errorf("the link's target = %q, %v", got, err)
	}
	assertOnly(t, filepath.Dir(path), "peel.creds")
}

func TestWriteFileLeavesUnchangedFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteFile(path, []byte("same"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("same"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || !info.ModTime().Equal(past) {
		t.Errorf("an unchanged file was written: %v, %v", info.ModTime(), err)
	}
}

func TestWriteFileErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "f")
	err := WriteFile(missing, []byte("x"), 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	// The rename cannot succeed: a directory with content is in the way. Nothing may be left behind.
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "content"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = WriteFile(taken, []byte("x"), 0o600)
	if !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.EISDIR) {
		t.Errorf("directory in the way: %v", err)
	}
	assertOnly(t, dir, "taken")
}

func TestWriteFileConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var writers sync.WaitGroup
	for _, content := range []string{"a", "b", "c", "d"} {
		writers.Go(func() {
			if err := WriteFile(path, bytes.Repeat([]byte(content), 100_000), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 100_000 || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
		t.Errorf("the file is torn: %d bytes, %v", len(got), err)
	}
	assertOnly(t, filepath.Dir(path), "f")
}

func assertOnly(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s holds %v, %v, want %s only", dir, entries, err, name)
	}
}
