package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ptorbus/zester/core/config"
)

type installFlags struct {
	Symlinks string `config:"-" required:"" placeholder:"DIR" help:"Directory for the symlinks."`
}

// Install makes "zester install", which lays symlinks of the given names to this binary. Links
// it has laid before are brought up to date; anything else of those names is left alone.
func Install(links []string) func(context.Context, config.Program, []string, []string, config.Stdio) int {
	return func(_ context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
		var f installFlags
		return p.Main(&f, args, environ, stdio, func(*config.Invocation) error {
			self, err := os.Executable()
			if err == nil {
				self, err = filepath.EvalSymlinks(self)
			}
			if err != nil {
				return err
			}
			for _, name := range links {
				if err := link(self, filepath.Join(f.Symlinks, name)); err != nil {
					return err
				}
				fmt.Fprintln(stdio.Out, filepath.Join(f.Symlinks, name))
			}
			return nil
		})
	}
}

// link prefers a relative link, so that a directory can be moved as a whole.
func link(self, path string) error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--symlinks: %s: no such directory (create it first)", filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("--symlinks: %w", err)
	}
	to := self
	if filepath.Dir(self) == dir {
		to = filepath.Base(self)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%s is there and no symlink: remove it first", path)
	default:
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Symlink(to, path)
}
