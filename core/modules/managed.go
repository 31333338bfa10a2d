package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/states"
)

func parent(path string) string { return filepath.Dir(path) }

// managed is file.managed.
func (s *fileStates) managed(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	for _, name := range []string{"attrs", "selinux"} {
		if args.Has(name) {
			return states.Result{}, fmt.Errorf("%s is not managed here: use cmd.run with chattr or chcon", name)
		}
	}
	at, err := s.env.locate(call.Name, args.Bool("follow_symlinks"))
	if err != nil {
		return states.Result{}, err
	}
	path := at.path
	switch {
	case at.info != nil && at.info.IsDir():
		return states.Result{}, fmt.Errorf("%q is a directory", path)
	case at.info != nil && !at.info.Mode().IsRegular() && at.info.Mode()&fs.ModeSymlink == 0:
		return states.Result{}, fmt.Errorf("%q is not a regular file", path)
	case at.info == nil && !args.Bool("create"):
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s is not present and is not set for creation", path)}, nil
	}
	var want *content
	if at.info == nil || args.Bool("replace") {
		if want, err = s.wanted(ctx, call); err != nil {
			return states.Result{}, err
		}
	}
	if want != nil && !args.Bool("allow_empty") && want.open == nil && len(want.data) == 0 {
		return states.Result{}, errors.New("the contents are empty and allow_empty is false")
	}
	own, err := s.fileAttributes(call, want)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	rewrite, err := s.compareContent(call, at, want, changes)
	if err != nil {
		return states.Result{}, err
	}
	own.compare(at.info, changes)
	switch {
	case len(changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s is in the correct state", path)}, nil
	case call.Test:
		s.plan(call, path)
		return call.Changed(changes, fmt.Sprintf("The file %s is set to be changed", path)), nil
	case rewrite:
		err = s.write(ctx, call, at, want, own)
	default:
		err = own.apply(path, at.info)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("File %s updated", path)), nil
}

func (s *fileStates) fileAttributes(call *states.Call, want *content) (attributes, error) {
	args := call.Args
	mode := args.Text("mode")
	if mode == "keep" {
		if mode = ""; want != nil && want.mode != 0 {
			mode = formatMode(want.mode)
		} else if want != nil {
			return attributes{}, errors.New("mode: keep needs a local source: files of the tree have no mode")
		}
	}
	return s.owners.want(call.Test, mode, args.Text("user"), args.Text("group"))
}

// compareContent reports whether the file must be written, and adds the diff to changes.
func (s *fileStates) compareContent(call *states.Call, at place, want *content, changes map[string]any) (bool, error) {
	isLink := at.info != nil && at.info.Mode()&fs.ModeSymlink != 0
	switch {
	case isLink:
		at.info = nil
	case at.info == nil:
	case want == nil:
		return false, nil
	default:
		same, err := want.equals(at.path, at.info.Size())
		if same || err != nil {
			return false, err
		}
	}
	if want == nil {
		want = &content{}
	}
	if !call.Args.Bool("show_changes") {
		changes["diff"] = "<show_changes is false>"
		return true, nil
	}
	diff, err := want.describeDiff(at)
	if diff == "" {
		diff = "new empty file"
	}
	changes["diff"] = diff
	return true, err
}

// write makes what is missing above the file and puts the content there, once check_cmd is content with it.
func (s *fileStates) write(ctx context.Context, call *states.Call, at place, want *content, own attributes) error {
	args := call.Args
	if args.Bool("makedirs") {
		if err := s.makeAbove(at.path, args); err != nil {
			return err
		}
	}
	if want == nil {
		want = &content{}
	}
	return s.put(at, want, own, func(temp string) error {
		if line := args.Text("check_cmd"); line != "" {
			if err := s.check(ctx, line, temp, args); err != nil {
				return err
			}
		}
		if at.info != nil && wantsBackup(args["backup"]) {
			return s.backup(at.path)
		}
		return nil
	})
}

// check runs check_cmd with a file that has the new contents.
func (s *fileStates) check(ctx context.Context, line, temp string, args Args) error {
	dir, ending := args.Text("tmp_dir"), args.Text("tmp_ext")
	if dir != "" || ending != "" {
		if dir == "" {
			dir = parent(temp)
		}
		if err := s.env.confined(filepath.Join(dir, "check")); err != nil {
			return fmt.Errorf("tmp_dir: %w", err)
		}
		copied, err := os.CreateTemp(dir, ".zester-*"+ending)
		if err != nil {
			return err
		}
		defer os.Remove(copied.Name())
		if err := fill(copied, &content{open: func() (io.ReadCloser, error) { return os.Open(temp) }}, false); err != nil {
			return err
		}
		temp = copied.Name()
	}
	out, err := s.env.exec(ctx, command{line: line + " " + shellQuote(temp), merge: true})
	if err != nil {
		return err
	}
	if out.code != 0 {
		return fmt.Errorf("check_cmd %q failed with exit code %d, the file is left as it is: %s", line, out.code, strings.TrimSpace(out.stdout))
	}
	return nil
}

func wantsBackup(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return v == "minion" || v == "peel" || v == "both"
	}
	return false
}

// backup copies the file below the state directory, under its path and the time.
func (s *fileStates) backup(path string) error {
	if s.env.StateDir == "" {
		return errors.New("backup: there is no state directory")
	}
	kept := filepath.Join(s.env.StateDir, "file_backup", path+"_"+time.Now().UTC().Format("20060102T150405.000000"))
	if err := os.MkdirAll(parent(kept), 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	file, err := os.OpenFile(kept, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := fill(file, &content{open: func() (io.ReadCloser, error) { return os.Open(path) }}, true); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
