package modules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ptorbus/zester/core/states"
)

// put writes the content beside the file, with owner and mode, and renames it over the file: a reader sees the old file
// or the new one. What replaces a file is on the disk before it does, so that a power failure loses neither; the rest is by the
// end of the call (unsynced).
// ready, if not nil, looks at the new file before it takes its place.
func (s *fileStates) put(at place, want *content, own attributes, ready func(temp string) error) (err error) {
	temp, err := os.CreateTemp(parent(at.path), ".zester-*")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %q is not there: add makedirs: true, or a file.directory that this state requires", parent(at.path))
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	err = pour(temp, want)
	if err == nil {
		err = dress(temp, at, own)
	}
	if err == nil && at.info != nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(temp.Name()); err != nil {
			return err
		}
	}
	if err := os.Rename(temp.Name(), at.path); err != nil {
		return err
	}
	if at.info != nil {
		return s.env.unsynced.named(at.path)
	}
	return s.env.unsynced.written(at.path)
}

// fill writes the content to a new file and closes it; with sync when it is on the disk.
func fill(temp *os.File, want *content, sync bool) error {
	err := pour(temp, want)
	if err == nil && sync {
		err = temp.Sync()
	}
	return errors.Join(err, temp.Close())
}

func pour(temp *os.File, want *content) error {
	source, err := want.reader()
	if err != nil {
		return err
	}
	_, err = io.Copy(temp, source)
	return errors.Join(err, source.Close())
}

// dress gives the temporary file the wanted mode and owner; what is not said stays as it was, 0644 for a new file. It goes
// by the open file: whoever may write to the directory could put a link to another file in the place of its name.
func dress(temp *os.File, at place, own attributes) error {
	mode := fs.FileMode(0o644)
	if at.info != nil && at.info.Mode().IsRegular() {
		mode = at.info.Mode() & modeBits
		uid, gid := ownerOf(at.info)
		if own.uid == nil {
			own.uid = &uid
		}
		if own.gid == nil {
			own.gid = &gid
		}
	}
	if own.mode != nil {
		mode = *own.mode
	}
	info, err := temp.Stat()
	if err != nil {
		return err
	}
	// The owner comes first: changing it clears special bits.
	if uid, gid := own.owner(info); uid >= 0 || gid >= 0 {
		if err := temp.Chown(uid, gid); err != nil {
			return err
		}
	}
	return temp.Chmod(mode)
}

// makeAbove makes the missing directories above path, with the owner of the arguments and dir_mode. Without that it is mode,
// and who may do anything with the file may also enter them.
func (s *fileStates) makeAbove(path string, args Args) error {
	mode := args.Text("dir_mode")
	if mode == "" && args.Text("mode") != "" && args.Text("mode") != "keep" {
		bits, err := parseMode(args.Text("mode"))
		if err != nil {
			return err
		}
		bits = bits.Perm()
		for _, class := range [3]fs.FileMode{0o700, 0o070, 0o007} {
			if bits&class != 0 {
				bits |= class & 0o111
			}
		}
		mode = formatMode(bits)
	}
	above, err := s.owners.want(false, mode, args.Text("user"), args.Text("group"))
	if err != nil {
		return err
	}
	return s.env.makeParents(path, above)
}

// plan remembers in a test run what the run would make, for the states after this one.
func (s *fileStates) plan(call *states.Call, path string) {
	if call.Test {
		s.planned.Store(path, true)
	}
}
