package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ptorbus/zester/core/states"
)

// editor is a state function that makes a new text of the old text of a file.
type editor struct {
	edit func(s *fileStates, ctx context.Context, call *states.Call, before string) (after string, err error)
	// makes reports whether a missing file is an empty one; nil is never.
	makes func(Args) bool
}

// errPlanned is what reading a file gives that an earlier state of a test run would have made.
var errPlanned = errors.New("an earlier state would make it")

// apply reads the file, edits the text and writes it back if that changed it.
func (e editor) apply(s *fileStates, ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	at, before, err := s.readText(call)
	switch {
	case errors.Is(err, errPlanned):
		return call.Changed(map[string]any{"diff": "an earlier state of this run would make the file"},
			fmt.Sprintf("The file %s would be edited once an earlier state has made it", at.path)), nil
	case errors.Is(err, fs.ErrNotExist) && e.makes != nil && e.makes(args):
	case errors.Is(err, fs.ErrNotExist) && args.Bool("ignore_if_missing"):
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s is not there and is left so", at.path)}, nil
	case errors.Is(err, fs.ErrNotExist):
		return states.Result{}, fmt.Errorf("the file %q is not there", at.path)
	case err != nil:
		return states.Result{}, err
	}
	after, err := e.edit(s, ctx, call, before)
	if err != nil {
		return states.Result{}, err
	}
	own, err := s.owners.want(call.Test, args.Text("file_mode"), args.Text("user"), args.Text("group"))
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	rewrite := at.info == nil || before != after
	if rewrite {
		if changes["diff"], err = describeEdit(at, before, after, args); err != nil {
			return states.Result{}, err
		}
	}
	own.compare(at.info, changes)
	switch {
	case len(changes) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: fmt.Sprintf("File %s is in the correct state", at.path)}, nil
	case call.Test:
		s.plan(call, at.path)
		return call.Changed(changes, fmt.Sprintf("The file %s is set to be changed", at.path)), nil
	case rewrite:
		err = s.rewrite(at, before, after, own, args)
	default:
		err = own.apply(at.path, at.info)
	}
	if err != nil {
		return states.Result{}, err
	}
	return call.Changed(changes, fmt.Sprintf("File %s updated", at.path)), nil
}

// readText reads the whole of a file that is to be edited. Of a missing file the error is fs.ErrNotExist.
func (s *fileStates) readText(call *states.Call) (place, string, error) {
	at, err := s.env.locate(call.Name, true)
	if err != nil {
		return at, "", err
	}
	if at.info == nil {
		if _, planned := s.planned.Load(at.path); planned && call.Test {
			return at, "", errPlanned
		}
		return at, "", fmt.Errorf("%q: %w", at.path, fs.ErrNotExist)
	}
	if at.info.IsDir() {
		return at, "", fmt.Errorf("%q is a directory", at.path)
	}
	if !at.info.Mode().IsRegular() {
		return at, "", fmt.Errorf("%q is not a regular file", at.path)
	}
	data, err := os.ReadFile(at.path)
	return at, string(data), err
}

func describeEdit(at place, before, after string, args Args) (string, error) {
	if args.Has("show_changes") && !args.Bool("show_changes") {
		return "<show_changes is false>", nil
	}
	if len(before) > maxDiff || len(after) > maxDiff || !isText([]byte(before)) || !isText([]byte(after)) {
		return "contents differ, too large or not text to show", nil
	}
	from := at.path
	if at.info == nil {
		from = "/dev/null"
	}
	diff, err := unified(from, at.path, before, after)
	if diff == "" {
		diff = "new empty file"
	}
	return diff, err
}

// rewrite writes the edited text, after a copy of the file as it was where backup names its ending. A file of more than one
// name is written in place, or its other names would keep the old text.
func (s *fileStates) rewrite(at place, before, after string, own attributes, args Args) error {
	if at.info == nil && args.Bool("makedirs") {
		if err := s.makeAbove(at.path, args); err != nil {
			return err
		}
	}
	if ending := backupEnding(args["backup"]); ending != "" && at.info != nil {
		kept := at
		kept.path += ending
		if err := s.env.confined(kept.path); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := s.put(kept, &content{data: []byte(before)}, attributes{}, nil); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if at.info != nil {
		if stat, ok := at.info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
			if err := refill(at, []byte(after)); err != nil {
				return err
			}
			return own.apply(at.path, at.info)
		}
	}
	return s.put(at, &content{data: []byte(after)}, own, nil)
}

// refill writes a file in place, if it is still the one that was looked at.
func refill(at place, data []byte) error {
	file, err := os.OpenFile(at.path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	now, err := file.Stat()
	if err == nil && !os.SameFile(now, at.info) {
		err = fmt.Errorf("%q has become another file since it was looked at", at.path)
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	return fill(file, &content{data: data}, true)
}

// backupEnding is what backup adds to the name of the file: false and nothing keep no copy.
func backupEnding(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		if value {
			return ".bak"
		}
	}
	return ""
}
