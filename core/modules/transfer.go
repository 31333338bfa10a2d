package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// touch is file.touch. It changes something whenever it runs, as its name says.
func (s *fileStates) touch(_ context.Context, call *states.Call) (states.Result, error) {
	at, err := s.env.locate(call.Name, true)
	if err != nil {
		return states.Result{}, err
	}
	times := [2]time.Time{time.Now(), time.Now()}
	for i, name := range [2]string{"atime", "mtime"} {
		if times[i], err = pointInTime(call.Args[name], times[i]); err != nil {
			return states.Result{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	switch changes := map[string]any{"touched": at.path}; {
	case at.info != nil && !call.Args.Has("atime") && call.Args.Has("mtime") && at.info.ModTime().Equal(times[1]),
		at.info != nil && call.Args.Has("atime") && call.Args.Has("mtime") && at.info.ModTime().Equal(times[1]) && accessed(at.info).Equal(times[0]):
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s has these times", at.path)}, nil
	case at.info == nil:
		if call.Test {
			s.plan(call, at.path)
			return call.Changed(map[string]any{"new": at.path}, fmt.Sprintf("File %s is set to be created", at.path)), nil
		}
		if call.Args.Bool("makedirs") {
			err = s.env.makeParents(at.path, attributes{})
		}
		if err == nil {
			err = s.put(at, &content{}, attributes{}, nil)
		}
		if err == nil && (call.Args.Has("atime") || call.Args.Has("mtime")) {
			err = os.Chtimes(at.path, times[0], times[1])
		}
		if err != nil {
			return states.Result{}, err
		}
		return call.Changed(map[string]any{"new": at.path}, fmt.Sprintf("Created empty file %s", at.path)), nil
	case call.Test:
		return call.Changed(changes, fmt.Sprintf("The times of %s are set to be updated", at.path)), nil
	default:
		if err := os.Chtimes(at.path, times[0], times[1]); err != nil {
			return states.Result{}, err
		}
		return call.Changed(changes, fmt.Sprintf("Updated times on %s", at.path)), nil
	}
}

// pointInTime reads seconds since 1970, or a time as ISO 8601 writes it.
func pointInTime(value any, missing time.Time) (time.Time, error) {
	switch value := value.(type) {
	case nil:
		return missing, nil
	case int64:
		return time.Unix(value, 0), nil
	case float64:
		return time.Unix(0, int64(value*float64(time.Second))), nil
	}
	text := fmt.Sprint(value)
	if seconds, err := time.ParseDuration(text + "s"); err == nil {
		return time.Unix(0, int64(seconds)), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return missing, fmt.Errorf("%q is not seconds since 1970, nor a time such as 2026-01-02T15:04:05", text)
}

func accessed(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Atim.Unix())
	}
	return time.Time{}
}

// copyFile is file.copy: from a path of the host to another.
func (s *fileStates) copyFile(_ context.Context, call *states.Call) (states.Result, error) {
	args, source := call.Args, call.Args.Text("source")
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	if args.Bool("subdir") && at.info != nil && at.info.IsDir() {
		if at, err = s.env.locate(filepath.Join(at.path, filepath.Base(source)), false); err != nil {
			return states.Result{}, err
		}
	}
	info, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		if _, planned := s.planned.Load(filepath.Clean(source)); planned && call.Test {
			return call.Changed(map[string]any{at.path: source}, fmt.Sprintf("%s is set to be copied to %s once an earlier state has made it", source, at.path)), nil
		}
		return states.Result{}, fmt.Errorf("the source %q is not there", source)
	}
	if err != nil {
		return states.Result{}, err
	}
	if at.info != nil && !args.Bool("force") {
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("%s is there and is not overwritten without force: true", at.path)}, nil
	}
	if err := apart(source, at.path); err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, args.Text("mode"), args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{at.path: source}
	if call.Test {
		s.plan(call, at.path)
		return call.Changed(changes, fmt.Sprintf("%s is set to be copied to %s", source, at.path)), nil
	}
	if args.Bool("makedirs") {
		above := maps.Clone(args)
		if !args.Has("mode") {
			above["mode"] = formatMode(info.Mode())
		}
		if err := s.makeAbove(at.path, above); err != nil {
			return states.Result{}, err
		}
	}
	if err := s.transfer(source, at, info, own, args.Bool("preserve")); err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Copied %s to %s", source, at.path)), nil
}

// apart refuses to copy or move a path onto itself, into itself or over a directory that it is in: the source would be lost.
func apart(source, to string) error {
	real := func(path string) string {
		if dir, err := filepath.EvalSymlinks(parent(path)); err == nil {
			return filepath.Join(dir, filepath.Base(path))
		}
		return filepath.Clean(path)
	}
	from, at := real(source), real(to)
	if within(from, []string{at}) || within(at, []string{from}) {
		return fmt.Errorf("the source %q and %q are the same, or one is in the other", source, to)
	}
	return nil
}

// transfer copies a file or a directory with all in it. The copy has the mode of the source; preserve also keeps its owner
// and times.
func (s *fileStates) transfer(source string, at place, info fs.FileInfo, own attributes, preserve bool) error {
	if info.Mode().IsRegular() && (at.info == nil || !at.info.IsDir()) {
		return s.transferFile(source, place{path: at.path}, info, own, preserve)
	}
	if at.info != nil {
		if err := os.RemoveAll(at.path); err != nil {
			return err
		}
	}
	return filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if path == source {
			info, err = os.Stat(path) // what a link leads to
			if err != nil {
				return err
			}
		}
		to := place{path: filepath.Join(at.path, strings.TrimPrefix(path, source))}
		each := own
		if path != source {
			each.mode = nil
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return errors.Join(os.Symlink(link, to.path), s.env.unsynced.named(to.path))
		case info.IsDir():
			return s.env.makeDirectory(to.path, likeSource(each, info, preserve))
		case info.Mode().IsRegular():
			return s.transferFile(path, to, info, each, preserve)
		}
		return fmt.Errorf("%q is not a file, a directory or a link", path)
	})
}

// likeSource completes attributes by those of the source.
func likeSource(own attributes, info fs.FileInfo, preserve bool) attributes {
	if own.mode == nil || preserve {
		mode := info.Mode() & modeBits
		own.mode = &mode
	}
	if preserve {
		uid, gid := ownerOf(info)
		own.uid, own.gid = &uid, &gid
	}
	return own
}

func (s *fileStates) transferFile(source string, at place, info fs.FileInfo, own attributes, preserve bool) error {
	c := &content{open: func() (io.ReadCloser, error) { return os.Open(source) }}
	err := s.put(at, c, likeSource(own, info, preserve), nil)
	if err == nil && preserve {
		err = os.Chtimes(at.path, accessed(info), info.ModTime())
	}
	return err
}

// rename is file.rename.
func (s *fileStates) rename(_ context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	source, err := s.env.locate(args.Text("source"), false)
	if err != nil {
		return states.Result{}, fmt.Errorf("source: %w", err)
	}
	_, planned := s.planned.Load(source.path)
	if source.info != nil && (at.info == nil || args.Bool("force")) {
		if err := apart(source.path, at.path); err != nil {
			return states.Result{}, err
		}
	}
	switch changes := map[string]any{at.path: source.path}; {
	case source.info == nil && !(planned && call.Test):
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("%s has already been moved", source.path)}, nil
	case at.info != nil && !args.Bool("force"):
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("%s is there and is not overwritten without force: true", at.path)}, nil
	case call.Test:
		s.plan(call, at.path)
		return call.Changed(changes, fmt.Sprintf("%s is set to be moved to %s", source.path, at.path)), nil
	default:
		if err := s.move(source, at, args); err != nil {
			return states.Result{}, err
		}
		return call.Changed(changes, fmt.Sprintf("Moved %s to %s", source.path, at.path)), nil
	}
}

func (s *fileStates) move(source, at place, args Args) error {
	if args.Bool("makedirs") {
		if err := s.env.makeParents(at.path, attributes{}); err != nil {
			return err
		}
	}
	if at.info != nil && (at.info.IsDir() || source.info.IsDir()) {
		if err := os.RemoveAll(at.path); err != nil {
			return err
		}
	}
	err := os.Rename(source.path, at.path)
	if errors.Is(err, syscall.EXDEV) {
		// Another file system: a copy, then the source goes.
		err = first(
			func() error { return s.transfer(source.path, at, source.info, attributes{}, true) },
			s.env.unsynced.settle,
			func() error { return os.RemoveAll(source.path) },
		)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %q is not there: add makedirs: true", parent(at.path))
	}
	if err != nil {
		return err
	}
	return errors.Join(s.env.unsynced.named(source.path), s.env.unsynced.named(at.path))
}
