package modules

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// patterns are those of include_pat and exclude_pat: globs in which a star also matches slashes, or E@ and a regular
// expression that matches from the beginning.
type patterns []func(name string) bool

func newPatterns(list []string) (patterns, error) {
	var out patterns
	for _, text := range list {
		if expression, ok := strings.CutPrefix(text, "E@"); ok {
			re, err := compileExpression(expression, "")
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", text, err)
			}
			out = append(out, func(name string) bool { fits, err := re.match(name); return fits && err == nil })
			continue
		}
		glob := strings.ReplaceAll(strings.ReplaceAll(text, "[!", "[^"), "/", "\x00")
		if _, err := path.Match(glob, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", text, err)
		}
		out = append(out, func(name string) bool {
			ok, _ := path.Match(glob, strings.ReplaceAll(name, "/", "\x00"))
			return ok
		})
	}
	return out, nil
}

func (p patterns) match(name string) bool {
	return slices.ContainsFunc(p, func(match func(string) bool) bool { return match(name) })
}

// kept are the paths that clean must leave: those of the file states that this one requires.
func (s *fileStates) kept(call *states.Call) map[string]bool {
	keep := map[string]bool{}
	if !call.Args.Bool("clean") {
		return keep
	}
	for _, ref := range call.Required() {
		if strings.HasPrefix(ref.Function, "file.") && ref.Function != "file.absent" {
			// All below a directory that another state looks after is that state's.
			keep[filepath.Clean(ref.Name)] = ref.Function == "file.directory" || ref.Function == "file.recurse"
		}
	}
	return keep
}

// strays lists what clean removes below a directory: what is not in keep, whose true entries stay with all below them, and
// not left alone by exclude_pat. Of a directory that goes whole only the directory is listed.
func (s *fileStates) strays(at place, args Args, keep map[string]bool) ([]string, error) {
	if !args.Bool("clean") || at.info == nil || !at.info.IsDir() {
		return nil, nil
	}
	exclude, err := newPatterns(args.Strings("exclude_pat"))
	if err != nil {
		return nil, err
	}
	var visit func(dir string) (strays []string, all bool, err error)
	visit = func(dir string) ([]string, bool, error) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, false, err
		}
		var strays []string
		all := true
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			whole, known := keep[path]
			if whole || exclude.match(strings.TrimPrefix(path, at.path+"/")) {
				all = false
				continue
			}
			gone := !known
			var below []string
			if entry.IsDir() {
				empty := true
				if below, empty, err = visit(path); err != nil {
					return nil, false, err
				}
				gone = gone && empty
			}
			if gone {
				below = []string{path}
			}
			strays, all = append(strays, below...), all && gone
		}
		return strays, all, nil
	}
	strays, _, err := visit(at.path)
	return strays, err
}

// within reports whether a path is one of the given ones or below it.
func within(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}

func remove(paths []string) error {
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, text := range list {
		out[i] = text
	}
	return out
}
