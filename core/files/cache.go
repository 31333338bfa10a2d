package files

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cache keeps chunks on disk, each in a file named by its digest. A chunk is verified whenever it is read, so that nothing
// need be synced when it is written: what a crash leaves behind is found out and fetched anew.
type cache struct{ dir string }

func (c cache) path(d Digest) string {
	name := d.String()
	return filepath.Join(c.dir, name[:2], name)
}

// get returns a chunk, or nil if it is not there in good order.
func (c cache) get(d Digest, size int64) []byte {
	info, err := os.Stat(c.path(d))
	if err != nil || info.Size() != size {
		return nil
	}
	data, err := os.ReadFile(c.path(d))
	if err != nil || sha256.Sum256(data) != d {
		return nil
	}
	return data
}

// has is get without reading; the chunk may turn out to be damaged.
func (c cache) has(d Digest, size int64) bool {
	info, err := os.Stat(c.path(d))
	return err == nil && info.Size() == size
}

// put stores a chunk whose digest the caller has verified.
func (c cache) put(d Digest, data []byte) error {
	path := c.path(d)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

const tempPrefix = ".tmp-"

// prune removes chunks that were stored before the given time and are not wanted, and what crashes have left behind.
func (c cache) prune(before time.Time, wanted func(Digest) bool) error {
	err := filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		d, bad := parseDigest(e.Name())
		if bad != nil && !strings.HasPrefix(e.Name(), tempPrefix) || bad == nil && wanted(d) {
			return nil
		}
		info, err := e.Info()
		if err != nil || !info.ModTime().Before(before) {
			return err
		}
		return os.Remove(path)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prune %s: %w", c.dir, err)
	}
	return nil
}
