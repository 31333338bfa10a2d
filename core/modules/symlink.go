package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/ptorbus/zester/core/states"
)

// symlink is file.symlink.
func (s *fileStates) symlink(_ context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, err := s.env.locate(call.Name, false)
	if err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, "", args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	target, changes, was := args.Text("target"), map[string]any{}, ""
	isLink := at.info != nil && at.info.Mode()&fs.ModeSymlink != 0
	if isLink {
		if was, err = os.Readlink(at.path); err != nil {
			return states.Result{}, err
		}
	}
	aside := ""
	switch {
	case at.info == nil:
		changes["new"] = at.path
	case !isLink:
		if aside, err = s.aside(at, args); err != nil {
			return states.Result{}, err
		}
		if changes["new"] = at.path; aside != "" {
			changes["backup"] = aside
		}
	case filepath.Clean(was) != filepath.Clean(target):
		changes["target"] = map[string]any{"old": was, "new": target}
	}
	replace := len(changes) > 0
	if isLink || at.info == nil {
		own.compare(at.info, changes)
	}
	switch {
	case len(changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("Symlink %s is present and points to %s", at.path, target)}, nil
	case call.Test:
		s.plan(call, at.path)
		return call.Changed(changes, fmt.Sprintf("Symlink %s to %s is set for creation", at.path, target)), nil
	case replace:
		if !isLink && at.info != nil {
			err = clearWay(at.path, aside)
		}
		if err == nil {
			err = s.link(call, at, target, own)
		}
	default:
		err = own.apply(at.path, at.info)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("Created new symlink %s -> %s", at.path, target)), nil
}

// link makes the link beside its place and renames it there.
func (s *fileStates) link(call *states.Call, at place, target string, own attributes) error {
	if call.Args.Bool("makedirs") {
		if err := s.makeAbove(at.path, call.Args); err != nil {
			return err
		}
	}
	temp := filepath.Join(parent(at.path), fmt.Sprintf(".zester-link-%x", rand.Uint64()))
	if err := os.Symlink(target, temp); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %q is not there: add makedirs: true", parent(at.path))
	} else if err != nil {
		return err
	}
	info, err := os.Lstat(temp)
	if err == nil {
		err = own.apply(temp, info)
	}
	if err == nil {
		err = os.Rename(temp, at.path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	return s.env.unsynced.named(at.path)
}
