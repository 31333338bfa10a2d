package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// found is a regular file of a directory tree.
type found struct {
	path string
	info fs.FileInfo
}

// walker lists a directory tree as it is published.
type walker struct {
	ctx     context.Context
	root    *os.Root
	warn    func(path, msg string)
	entered func(dir string) // nil: nobody is told of directories
	files   []found
	newest  time.Time // the latest modification of any file or directory
}

// walk returns the files below the root, sorted by path. Links are followed while they stay inside; what cannot be
// published is left out with a warning, what cannot be read is an error that names the path.
func walk(ctx context.Context, root *os.Root, warn func(path, msg string)) (*walker, error) {
	w := &walker{ctx: ctx, root: root, warn: warn}
	if err := w.start(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *walker) start() error {
	info, err := w.root.Stat(".")
	if err != nil {
		return err
	}
	err = w.dir(".", []fs.FileInfo{info})
	slices.SortFunc(w.files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return err
}

// dir walks one directory; above holds it and its parents, to end at links that lead back up.
func (w *walker) dir(name string, above []fs.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.saw(above[len(above)-1])
	if w.entered != nil {
		w.entered(name)
	}
	entries, err := w.list(name)
	if err != nil {
		return unreadable(name, err)
	}
	for _, e := range entries {
		p := path.Join(name, e.Name())
		if leftOut(e) {
			continue
		}
		if !utf8.ValidString(e.Name()) {
			w.warn(p, "left out: its name is not UTF-8")
			continue
		}
		info, err := w.stat(p, e)
		switch {
		case errors.Is(err, fs.ErrNotExist) && e.Type()&fs.ModeSymlink == 0:
			continue // removed since the directory was read
		case err != nil && e.Type()&fs.ModeSymlink != 0:
			w.warn(p, "left out: the link leads nowhere, or out of the tree; only relative links inside it are followed")
			continue
		case err != nil:
			return unreadable(p, err)
		}
		if err := w.visit(p, info, above); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) list(name string) ([]fs.DirEntry, error) {
	d, err := w.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func (w *walker) stat(p string, e fs.DirEntry) (fs.FileInfo, error) {
	if e.Type()&fs.ModeSymlink != 0 {
		return w.root.Stat(p)
	}
	return e.Info()
}

func (w *walker) visit(p string, info fs.FileInfo, above []fs.FileInfo) error {
	switch {
	case info.IsDir():
		for _, a := range above {
			if os.SameFile(a, info) {
				w.warn(p, "left out: the link leads to a directory that holds it")
				return nil
			}
		}
		return w.dir(p, append(slices.Clip(above), info))
	case info.Mode().IsRegular():
		w.saw(info)
		w.files = append(w.files, found{p, info})
	default:
		w.warn(p, "left out: neither a file nor a directory")
	}
	return nil
}

func (w *walker) saw(info fs.FileInfo) {
	if t := info.ModTime(); t.After(w.newest) {
		w.newest = t
	}
}

// leftOut names what is no part of a tree: the records of version control, and editors' locks and swap files.
func leftOut(e fs.DirEntry) bool {
	name := e.Name()
	switch name {
	case ".git", ".svn", ".hg", ".bzr":
		return true
	}
	return strings.HasPrefix(name, ".#") || strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".swp")
}

func unreadable(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: make it readable for this user, or move it out of the tree", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// openRoot opens the directory of a tree.
func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("directory %s: %w", dir, fs.ErrNotExist)
	case err != nil:
		return nil, unreadable(dir, err)
	}
	return root, nil
}
