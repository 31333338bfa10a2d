package modules

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

func (a *archived) unzip(dir string, modes bool) error {
	reader, err := zip.OpenReader(a.path)
	if err != nil {
		return err
	}
	defer reader.Close()
	root, err := os.OpenRoot(dir) // links in the archive must not lead out of the directory
	if err != nil {
		return err
	}
	defer root.Close()
	for _, file := range reader.File {
		if err := unzipFile(root, file, modes); err != nil {
			return fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	return nil
}

func unzipFile(root *os.Root, file *zip.File, modes bool) error {
	name := strings.TrimSuffix(file.Name, "/")
	if strings.HasSuffix(file.Name, "/") {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	source, err := file.Open()
	if err != nil {
		return err
	}
	defer source.Close()
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if file.Mode()&fs.ModeSymlink != 0 {
		link, err := io.ReadAll(io.LimitReader(source, 4096))
		if err != nil {
			return err
		}
		return root.Symlink(string(link), name)
	}
	mode := fs.FileMode(0o644)
	if perm := file.Mode().Perm(); modes && perm != 0 {
		mode = perm
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, source)
	return errors.Join(err, out.Chmod(mode), out.Close())
}
