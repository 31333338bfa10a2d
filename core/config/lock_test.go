package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 { // it can be locked anew once it is closed
		first, err := Lock(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Lock(path); !errors.Is(err, ErrLocked) {
			t.Errorf("locked twice: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Lock(filepath.Join(path, "none")); err == nil || errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a file: %v", err)
	}
}
