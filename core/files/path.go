package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ErrPath: a path is not one inside a tree.
var ErrPath = errors.New("not a path inside the tree")

// Info describes a file or, from Stat only, a directory.
type Info struct {
	Path   string // from the tree's root, slash-separated, clean
	Dir    bool
	Size   int64
	Exec   bool
	Digest string // SHA-256 of the content in hexadecimal; empty for directories
}

// Clean makes a path in a tree canonical: "" or "." is the root and comes back as ".". Absolute paths, and such that leave
// the tree, are ErrPath.
func Clean(name string) (string, error) {
	clean := path.Clean(name)
	if strings.HasPrefix(name, "/") || !fs.ValidPath(clean) || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("%.200q: %w: write it relative to the tree's root, without \"..\"", name, ErrPath)
	}
	return clean, nil
}

// checkEntry is what a path in a manifest must satisfy.
func checkEntry(name string) error {
	if clean, err := Clean(name); err != nil || clean != name || name == "." {
		return fmt.Errorf("%.200q: %w", name, ErrPath)
	}
	return nil
}

// CheckTreeName says what is wrong with a tree's name: 1 to 64 of [a-z0-9_-] are right.
func CheckTreeName(name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("tree %.80q: a name has 1 to 64 characters", name)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return fmt.Errorf("tree %q: %q is not allowed in a name: use a-z, 0-9, '_' and '-'", name, c)
		}
	}
	return nil
}

func notExist(name string) error {
	return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}
