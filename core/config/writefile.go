package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes path hold data with exactly the permission bits of mode, whatever the umask. A reader, or a crash at
// any point, sees the old content or the new and never a part of either; when WriteFile returns nil the content is on
// the disk. Content and mode that are already right are left alone, so that the modification time tells of real changes.
//
// The directory must exist. A symbolic link at path is replaced, not followed. Concurrent writers of one path are safe:
// one of them wins.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	mode = mode.Perm()
	if unchanged(path, data, mode) {
		return nil
	}
	dir := filepath.Dir(path)
	temp, err := writeTemp(dir, filepath.Base(path), data, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(temp))
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write %s: sync directory: %w", path, err)
	}
	return nil
}

func unchanged(path string, data []byte, mode fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != mode || info.Size() != int64(len(data)) {
		return false
	}
	current, err := os.ReadFile(path)
	return err == nil && bytes.Equal(current, data)
}

// writeTemp writes data to a new file beside its final place, since a rename is atomic only within one file system.
func writeTemp(dir, base string, data []byte, mode fs.FileMode) (string, error) {
	file, err := os.CreateTemp(dir, "."+base+".tmp-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
