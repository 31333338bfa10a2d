package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place is where a file state acts: the path with a final symbolic link followed, and what is there.
type place struct {
	path string
	// info is nil where nothing is.
	info fs.FileInfo
}

// maxLinks is how many symbolic links in a row are followed.
const maxLinks = 40

// locate checks a path and looks at what is there. "Not found" is the only error that means absent.
func (env *Env) locate(path string, follow bool) (place, error) {
	path = expandHome(path)
	if !filepath.IsAbs(path) {
		return place{}, fmt.Errorf("%q is not an absolute path", path)
	}
	path = filepath.Clean(path)
	for range maxLinks {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return place{path: path}, env.confined(path)
		case err != nil:
			return place{}, err
		case info.Mode()&fs.ModeSymlink == 0 || !follow:
			return place{path, info}, env.confined(path)
		}
		link, err := os.Readlink(path)
		if err != nil {
			return place{}, err
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = filepath.Clean(link)
	}
	return place{}, fmt.Errorf("%q leads through more than %d symbolic links", path, maxLinks)
}

// confined refuses paths outside of env.Confine, whichever way the symbolic links above them lead.
func (env *Env) confined(path string) error {
	if env.Confine == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(env.Confine)
	if err != nil {
		return fmt.Errorf("the directory this peel is confined to: %w", err)
	}
	dir, rest := filepath.Dir(path), filepath.Base(path)
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			path = filepath.Join(real, rest)
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// A link that leads nowhere yet could lead anywhere once its target is made.
		if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%q is a symbolic link to nothing", dir)
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
	if !strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/") {
		return fmt.Errorf("%q is outside of %q, which this peel is confined to", path, env.Confine)
	}
	return nil
}
