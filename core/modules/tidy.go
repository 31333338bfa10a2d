package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// tidied is file.tidied: it removes what is old or large below a directory.
func (s *fileStates) tidied(_ context.Context, call *states.Call) (states.Result, error) {
	at, err := s.env.locate(call.Name, true)
	if err != nil {
		return states.Result{}, err
	}
	if at.info == nil || !at.info.IsDir() {
		return states.Result{}, fmt.Errorf("%q is not a directory", at.path)
	}
	t, err := newTidy(call.Args)
	if err != nil {
		return states.Result{}, err
	}
	if err := t.visit(at.path); err != nil {
		return states.Result{}, err
	}
	switch changes := map[string]any{"removed": texts(t.gone)}; {
	case len(t.gone) == 0:
		return states.Result{Outcome: states.Succeeded, Comment: "Nothing to remove from directory " + at.path}, nil
	case call.Test:
		return call.Changed(changes, fmt.Sprintf("%s is set to be tidied", at.path)), nil
	default:
		if err := remove(t.gone); err != nil {
			return states.Result{}, err
		}
		return call.Changed(changes, fmt.Sprintf("Removed %s from %s", count(len(t.gone), "file or directory"), at.path)), nil
	}
}

// tidy says what goes. Of age and size only those count that are given: in Salt a size that is not given is 0, and every
// file at least that large.
type tidy struct {
	args             Args
	matches, exclude []*expression
	size             int64
	gone             []string
}

func newTidy(args Args) (*tidy, error) {
	t := &tidy{args: args}
	var err error
	if t.matches, err = compileAll(args.Strings("matches")); err != nil {
		return nil, err
	}
	if t.exclude, err = compileAll(args.Strings("exclude")); err != nil {
		return nil, err
	}
	if args.Has("size") {
		if t.size, err = byteSize(fmt.Sprint(args["size"])); err != nil {
			return nil, err
		}
	}
	for name, known := range map[string][]string{
		"age_size_logical_operator": {"or", "and"}, "age_size_only": {"", "age", "size"}, "time_comparison": {"atime", "ctime", "mtime"},
	} {
		if word := args.Text(name); !slices.Contains(known, strings.ToLower(word)) {
			return nil, fmt.Errorf("%s %q is not %s", name, word, strings.Join(known[len(known)-2:], " or "))
		}
	}
	return t, nil
}

func compileAll(patterns []string) ([]*expression, error) {
	var out []*expression
	for _, pattern := range patterns {
		re, err := compileExpression(pattern, "")
		if err != nil {
			return nil, err
		}
		out = append(out, re)
	}
	return out, nil
}

// byteSize reads a size such as 10, 10k, 5M or 1G.
func byteSize(text string) (int64, error) {
	number := strings.TrimRight(strings.ToLower(text), "kmgtb")
	factors := map[string]float64{"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30, "t": 1 << 40, "tb": 1 << 40}
	value, err := strconv.ParseFloat(number, 64)
	factor := factors[strings.ToLower(text)[len(number):]]
	if err != nil || factor == 0 {
		return 0, fmt.Errorf("size %q is not a number of bytes, or one with k, m, g or t", text)
	}
	return int64(value * factor), nil
}

func (t *tidy) visit(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		gone, err := t.goes(path, info)
		switch {
		case err != nil:
			return err
		case gone:
			t.gone = append(t.gone, path)
		case entry.IsDir():
			if err := t.visit(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tidy) goes(path string, info fs.FileInfo) (bool, error) {
	if info.IsDir() && !t.args.Bool("rmdirs") || info.Mode()&fs.ModeSymlink != 0 && !t.args.Bool("rmlinks") {
		return false, nil
	}
	size := int64(0)
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	hasAge, hasSize := t.args.Int("age") > 0, t.size > 0
	old, large := days(t.stamp(info), time.Now()) >= t.args.Int("age"), size >= t.size
	gone := hasAge && old || hasSize && large || !hasAge && !hasSize
	switch {
	case strings.EqualFold(t.args.Text("age_size_only"), "age"):
		gone = old
	case strings.EqualFold(t.args.Text("age_size_only"), "size"):
		gone = large
	case strings.EqualFold(t.args.Text("age_size_logical_operator"), "and"):
		gone = old && large
	}
	if !gone {
		return false, nil
	}
	name := filepath.Base(path)
	if t.args.Bool("full_path_match") {
		name = path
	}
	if excluded, err := matchesAny(t.exclude, name); excluded || err != nil {
		return false, err
	}
	if len(t.matches) == 0 {
		return true, nil
	}
	return matchesAny(t.matches, name)
}

func matchesAny(list []*expression, name string) (bool, error) {
	for _, re := range list {
		if fits, err := re.match(name); fits || err != nil {
			return fits, err
		}
	}
	return false, nil
}

// stamp is the time that counts for the age.
func (t *tidy) stamp(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || t.args.Text("time_comparison") == "mtime":
		return info.ModTime()
	case t.args.Text("time_comparison") == "ctime":
		return time.Unix(stat.Ctim.Unix())
	}
	return time.Unix(stat.Atim.Unix())
}

// days counts the midnights between two times, as Salt counts the age of a file.
func days(from, to time.Time) int64 {
	date := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int64(date(to).Sub(date(from.In(to.Location()))).Abs() / (24 * time.Hour))
}
