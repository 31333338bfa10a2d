package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// registerFileSearches adds the functions that look for text in files, and for files.
func registerFileSearches(add func(name, doc string, run queryFunc, params ...Param)) {
	pattern := Param{Name: "pattern", Kind: states.Text, Required: true, Doc: "regular expression, as Python writes them"}
	flags := Param{Name: "flags", Default: int64(8), Doc: "flags of the expression, by name or Python's number"}
	gone := Param{Name: "ignore_if_missing", Kind: states.Bool, Doc: "a missing file has nothing"}
	add("contains", "Return whether a file holds a text.", func(_ context.Context, _ *Env, args Args) (any, error) {
		text, err := readFile(args.Text("path"))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return strings.Contains(text, args.Text("text")), err
	}, Param{Name: "text", Kind: states.Text, Required: true, Doc: "the text"})
	add("search", "Return whether a file has a match.", func(_ context.Context, _ *Env, args Args) (any, error) {
		text, err := readFile(args.Text("path"))
		if errors.Is(err, fs.ErrNotExist) && args.Bool("ignore_if_missing") {
			return false, nil
		}
		if err != nil {
			return nil, err
		}
		letters, err := expressionFlags(args["flags"])
		if err != nil {
			return nil, err
		}
		if args.Bool("multiline") {
			letters += "m"
		}
		re, err := compileExpression(bytewiseOf(text).in(args.Text("pattern")), letters)
		if err != nil {
			return nil, err
		}
		return re.search(bytewiseOf(text).in(text))
	}, pattern, flags, gone,
		Param{Name: "multiline", Kind: states.Bool, Doc: "^ and $ mean the ends of lines"},
		Param{Name: "bufsize", Doc: "accepted; the file is read whole"})
	lineMatch := func(_ context.Context, _ *Env, args Args) (any, error) {
		text, err := readFile(args.Text("path"))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return nil, err
		}
		re, err := compileExpression(bytewiseOf(text).in(args.Text("regex")), "")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if args.Text("lchar") != "" {
				line = strings.TrimLeft(line, args.Text("lchar"))
			}
			if ok, err := re.search(bytewiseOf(text).in(line)); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	add("contains_regex", "Return whether a line of a file has a match.", lineMatch,
		Param{Name: "regex", Kind: states.Text, Required: true, Doc: "regular expression, as Python writes them"},
		Param{Name: "lchar", Kind: states.Text, Doc: "characters to take away from the beginning of lines"})
	add("grep", "Run grep, and return pid, retcode, stdout and stderr.", func(ctx context.Context, env *Env, args Args) (any, error) {
		words := append([]string{"grep"}, args.Strings("opts")...)
		out, err := env.tool(ctx, "", append(words, "-e", args.Text("pattern"), "--", expandHome(args.Text("path")))...)
		return map[string]any{"pid": int64(out.pid), "retcode": int64(out.code), "stdout": out.stdout, "stderr": out.stderr}, err
	}, Param{Name: "pattern", Kind: states.Text, Required: true, Doc: "what grep looks for"}, Param{Name: "opts", Kind: states.List, Doc: "options of grep"})
	add("find", "Return the paths below a directory that fit.", find,
		Param{Name: "name", Kind: states.Text, Doc: "glob of the file name"},
		Param{Name: "iname", Kind: states.Text, Doc: "glob of the file name, whatever its case"},
		Param{Name: "regex", Kind: states.Text, Doc: "regular expression of the whole path"},
		Param{Name: "iregex", Kind: states.Text, Doc: "the same, whatever its case"},
		Param{Name: "type", Kind: states.Text, Doc: "kinds: f, d, l, b, c, p, s"},
		Param{Name: "owner", Kind: states.List, Doc: "names or numbers of users"},
		Param{Name: "group", Kind: states.List, Doc: "names or numbers of groups"},
		Param{Name: "size", Kind: states.Text, Doc: "+10k is at least, -10k at most"},
		Param{Name: "mtime", Kind: states.Text, Doc: "changed within that time, such as 3d or 12h; +3d is longer ago"},
		Param{Name: "grep", Kind: states.Text, Doc: "regular expression of a line of the file"},
		Param{Name: "maxdepth", Kind: states.Int, Doc: "how far below to look"},
		Param{Name: "mindepth", Kind: states.Int, Doc: "how far below to begin"})
}

// filter says whether find returns a path.
type filter func(path string, info fs.FileInfo) (bool, error)

func find(ctx context.Context, _ *Env, args Args) (any, error) {
	roots, err := filepath.Glob(expandHome(args.Text("path")))
	if err != nil {
		return nil, err
	}
	filters, err := findFilters(args)
	if err != nil {
		return nil, err
	}
	found := []string{}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if ctx.Err() != nil || entry == nil {
				return context.Cause(ctx)
			}
			depth := int64(0)
			if rest := strings.TrimPrefix(strings.TrimPrefix(path, root), "/"); rest != "" {
				depth = int64(strings.Count(rest, "/")) + 1
			}
			if args.Has("maxdepth") && depth > args.Int("maxdepth") {
				return fs.SkipDir
			}
			info, err := entry.Info()
			if err != nil || depth < args.Int("mindepth") {
				return nil
			}
			for _, fits := range filters {
				if ok, err := fits(path, info); !ok || err != nil {
					return err
				}
			}
			found = append(found, path)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(found)
	return texts(found), nil
}

func findFilters(args Args) ([]filter, error) {
	var out []filter
	for _, name := range []string{"name", "iname"} {
		glob := args.Text(name)
		if glob == "" {
			continue
		}
		if name == "iname" {
			glob = strings.ToLower(glob)
		}
		if _, err := filepath.Match(glob, ""); err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, glob, err)
		}
		out = append(out, func(path string, _ fs.FileInfo) (bool, error) {
			base := filepath.Base(path)
			if name == "iname" {
				base = strings.ToLower(base)
			}
			return filepath.Match(glob, base)
		})
	}
	for name, flags := range map[string]string{"regex": "", "iregex": "i"} {
		if args.Text(name) == "" {
			continue
		}
		re, err := compileExpression(args.Text(name), flags)
		if err != nil {
			return nil, err
		}
		out = append(out, func(path string, _ fs.FileInfo) (bool, error) { return re.match(path) })
	}
	if kinds := args.Text("type"); kinds != "" {
		out = append(out, func(_ string, info fs.FileInfo) (bool, error) {
			return strings.Contains(kinds, kindLetter(info.Mode())), nil
		})
	}
	for _, name := range []string{"owner", "group"} {
		if list := args.Strings(name); len(list) > 0 {
			out = append(out, func(_ string, info fs.FileInfo) (bool, error) {
				uid, gid := ownerOf(info)
				id, text := uid, userName(uid)
				if name == "group" {
					id, text = gid, groupName(gid)
				}
				return slices.Contains(list, strconv.Itoa(id)) || slices.Contains(list, text), nil
			})
		}
	}
	if text := args.Text("size"); text != "" {
		bytes, err := byteSize(strings.TrimLeft(text, "+-"))
		if err != nil {
			return nil, err
		}
		out = append(out, func(_ string, info fs.FileInfo) (bool, error) { return sizeFits(text, info.Size(), bytes), nil })
	}
	if text := args.Text("mtime"); text != "" {
		span, err := spanOf(strings.TrimLeft(text, "+-"))
		if err != nil {
			return nil, err
		}
		now := time.Now()
		out = append(out, func(_ string, info fs.FileInfo) (bool, error) {
			return now.Sub(info.ModTime()) > span == strings.HasPrefix(text, "+"), nil
		})
	}
	if text := args.Text("grep"); text != "" {
		re, err := compileExpression(text, "m")
		if err != nil {
			return nil, err
		}
		out = append(out, func(path string, info fs.FileInfo) (bool, error) {
			if !info.Mode().IsRegular() || info.Size() > maxSearched {
				return false, nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return false, err
			}
			return re.search(bytewiseOf(string(data)).in(string(data)))
		})
	}
	return out, nil
}

// maxSearched is the size of a file beyond which nothing is looked for in it: it is held in memory for that.
const maxSearched = 16 << 20

// sizeFits compares a size with a limit: + is at least, - at most, neither is exactly.
func sizeFits(text string, size, limit int64) bool {
	switch text[0] {
	case '+':
		return size >= limit
	case '-':
		return size <= limit
	}
	return size == limit
}

var spanParts = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$`)

// spanOf reads a time such as 2w3d12h30m, days where there is only a number.
func spanOf(text string) (time.Duration, error) {
	if days, err := strconv.Atoi(text); err == nil {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	parts := spanParts.FindStringSubmatch(strings.ReplaceAll(text, " ", ""))
	if parts == nil || text == "" {
		return 0, fmt.Errorf("%q is not a time such as 3d or 12h", text)
	}
	var span time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		number, _ := strconv.Atoi(parts[i+1])
		span += time.Duration(number) * unit
	}
	return span, nil
}

func kindLetter(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "d"
	case mode&fs.ModeSymlink != 0:
		return "l"
	case mode&fs.ModeCharDevice != 0:
		return "c"
	case mode&fs.ModeDevice != 0:
		return "b"
	case mode&fs.ModeNamedPipe != 0:
		return "p"
	case mode&fs.ModeSocket != 0:
		return "s"
	}
	return "f"
}

// registerPaths adds the functions that only take paths apart.
func registerPaths(r *Registry) {
	r.Register(
		&Function{Name: "file.basename", Doc: "Return the last part of a path.", Params: []Param{fileArg},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				return args.Text("path")[strings.LastIndexByte(args.Text("path"), '/')+1:], nil
			}},
		&Function{Name: "file.dirname", Doc: "Return a path without its last part.", Params: []Param{fileArg},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				dir := args.Text("path")[:max(0, strings.LastIndexByte(args.Text("path"), '/'))]
				if dir == "" && strings.HasPrefix(args.Text("path"), "/") {
					dir = "/"
				}
				return dir, nil
			}},
		&Function{Name: "file.join", Doc: "Return parts joined to a path.", Rest: "parts",
			Params: []Param{{Name: "parts", Kind: states.List, Doc: "the parts"}},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				joined := ""
				for _, part := range args.Strings("parts") {
					if strings.HasPrefix(part, "/") || joined == "" {
						joined = part
					} else {
						joined = strings.TrimSuffix(joined, "/") + "/" + part
					}
				}
				return joined, nil
			}},
		&Function{Name: "file.normpath", Doc: "Return a path without dots and double slashes.", Params: []Param{fileArg},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) { return filepath.Clean(args.Text("path")), nil }},
	)
}
