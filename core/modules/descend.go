package modules

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// descendant is something that is to have attributes, with what it was when it was looked at.
type descendant struct {
	path    string
	info    fs.FileInfo
	own     attributes
	changes map[string]any
}

func applyAll(list []descendant) error {
	for _, d := range list {
		if err := d.own.apply(d.path, d.info); err != nil {
			return err
		}
	}
	return nil
}

// descend visits all below a directory in the order of names; fs.SkipDir from visit leaves out what is below a path. It never
// leaves the directory, whatever others make of those in it meanwhile, and follows no links.
func descend(dir string, visit func(path string, info fs.FileInfo) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return descendRoot(root, dir, visit)
}

// descendRoot closes root.
func descendRoot(root *os.Root, dir string, visit func(path string, info fs.FileInfo) error) error {
	defer root.Close()
	file, err := root.Open(".")
	if err != nil {
		return err
	}
	names, err := file.Readdirnames(-1)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := descendTo(root, dir, name, visit); err != nil {
			return err
		}
	}
	return nil
}

// descendTo visits a path below root, which is at dir, and all below that. What is not there is not visited.
func descendTo(root *os.Root, dir, name string, visit func(path string, info fs.FileInfo) error) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	err = visit(path, info)
	if errors.Is(err, fs.SkipDir) {
		return nil
	}
	if err != nil || !info.IsDir() {
		return err
	}
	below, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	return descendRoot(below, path, visit)
}
