package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApplyToAnother: what others put in the place of a file, or a link to one, does not get its mode.
func TestApplyToAnother(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "theirs")
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(elsewhere, []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mode := fs.FileMode(0o666)
	own := attributes{mode: &mode}
	for name, swap := range map[string]func() error{
		"link":      func() error { return os.Symlink(elsewhere, path) },
		"hard link": func() error { return os.Link(elsewhere, path) },
	} {
		if err := os.WriteFile(path, []byte("mine\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := own.apply(path, info); err != nil {
			t.Fatal(err)
		}
		if info, err = os.Lstat(path); err != nil || info.Mode() != mode {
			t.Errorf("%v (%v), want %v", info.Mode(), err, mode)
		}
		private := fs.FileMode(0o600)
		if err := errors.Join(os.Rename(path, path+name), swap()); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%q has become another file since it was looked at: its owner and mode are left as they are", path)
		if err := (attributes{mode: &private}).apply(path, info); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if err := refill(place{path, info}, []byte("x")); err == nil {
			t.Errorf("%s: it was written to", name)
		}
		if data, err := os.ReadFile(elsewhere); err != nil || string(data) != "theirs\n" {
			t.Errorf("%s: %q (%v)", name, data, err)
		}
		if err := errors.Join(os.Remove(path), os.Remove(path+name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDescend: what is visited is below the directory, also where others make links of directories meanwhile.
func TestDescend(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, path := range []string{dir + "/a/b", dir + "/c", dir + "/d\xff/e"} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(elsewhere+"/secret", nil, 0o600), os.WriteFile(dir+"/c/f", nil, 0o600), os.Symlink(elsewhere, dir+"/l")); err != nil {
		t.Fatal(err)
	}
	var seen []string
	visit := func(path string, _ fs.FileInfo) error {
		seen = append(seen, strings.TrimPrefix(path, dir))
		return nil
	}
	if err := descend(dir, visit); err != nil || fmt.Sprintf("%q", seen) != `["/a" "/a/b" "/c" "/c/f" "/d\xff" "/d\xff/e" "/l"]` {
		t.Errorf("%q (%v)", seen, err)
	}
	seen = nil
	err := descend(dir, func(path string, info fs.FileInfo) error {
		if path == dir+"/c" {
			return errors.Join(os.Rename(path, dir+"/moved"), os.Symlink(elsewhere, path))
		}
		return visit(path, info)
	})
	if err == nil || fmt.Sprint(seen) != "[/a /a/b]" {
		t.Errorf("%q (%v)", seen, err)
	}
}
