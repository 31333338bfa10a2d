package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ptorbus/zester/core/states"
)

// fileArg is the path that file functions look at.
var fileArg = Param{Name: "path", Aliases: []string{"name"}, Kind: states.Text, Required: true, Doc: "the path"}

// queryFunc is the Run of a function that looks at a file.
type queryFunc = func(context.Context, *Env, Args) (any, error)

// registerFileQueries adds the file functions that only look.
func registerFileQueries(r *Registry) {
	add := func(name, doc string, run queryFunc, params ...Param) {
		path := fileArg
		if _, taken := states.FindParam(params, "name"); taken {
			path.Aliases = nil
		}
		r.Register(&Function{Name: "file." + name, Doc: doc, Params: append([]Param{path}, params...), Run: run})
	}
	add("file_exists", "Return whether a file is at the path.", asked(os.Stat, func(i fs.FileInfo) bool { return !i.IsDir() }))
	add("directory_exists", "Return whether a directory is at the path.", asked(os.Stat, fs.FileInfo.IsDir))
	add("path_exists_glob", "Return whether a path matches.", func(_ context.Context, _ *Env, args Args) (any, error) {
		found, err := filepath.Glob(args.Text("path"))
		return len(found) > 0, err
	})
	add("access", "Return whether the path can be used: f is there, r, w, x.", access,
		Param{Name: "mode", Kind: states.Text, Required: true, Doc: "f, r, w or x"})
	add("is_link", "Return whether a symbolic link is at the path.", asked(os.Lstat, func(i fs.FileInfo) bool { return i.Mode()&fs.ModeSymlink != 0 }))
	add("is_blkdev", "Return whether a block device is at the path.", asked(os.Stat, func(i fs.FileInfo) bool {
		return i.Mode()&fs.ModeDevice != 0 && i.Mode()&fs.ModeCharDevice == 0
	}))
	add("is_chrdev", "Return whether a character device is at the path.", asked(os.Stat, func(i fs.FileInfo) bool { return i.Mode()&fs.ModeCharDevice != 0 }))
	add("is_fifo", "Return whether a named pipe is at the path.", asked(os.Stat, func(i fs.FileInfo) bool { return i.Mode()&fs.ModeNamedPipe != 0 }))
	add("readlink", "Return where a symbolic link leads.", func(_ context.Context, _ *Env, args Args) (any, error) {
		if args.Bool("canonicalize") {
			return filepath.EvalSymlinks(args.Text("path"))
		}
		return os.Readlink(args.Text("path"))
	}, Param{Name: "canonicalize", Kind: states.Bool, Doc: "follow all links on the way"})
	add("read", "Return what a file holds.", func(_ context.Context, _ *Env, args Args) (any, error) { return readFile(args.Text("path")) },
		Param{Name: "binary", Kind: states.Bool, Doc: "accepted"})
	add("readdir", "Return the names in a directory.", func(_ context.Context, _ *Env, args Args) (any, error) {
		entries, err := os.ReadDir(args.Text("path"))
		names := []any{".", ".."}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names, err
	})
	follow := Param{Name: "follow_symlinks", Kind: states.Bool, Default: true, Doc: "look at what a link leads to"}
	add("stats", "Return what there is to know of a path.", stats,
		Param{Name: "hash_type", Kind: states.Text, Doc: "hash to return too, such as sha256"}, follow)
	for name, key := range map[string]string{"get_mode": "mode", "get_user": "user", "get_group": "group", "get_uid": "uid", "get_gid": "gid"} {
		add(name, "Return the "+key+" of a path.", func(ctx context.Context, env *Env, args Args) (any, error) {
			all, err := stats(ctx, env, args)
			if err != nil {
				return nil, err
			}
			return all.(map[string]any)[key], nil
		}, follow)
	}
	form := Param{Name: "form", Aliases: []string{"hash_type"}, Kind: states.Text, Default: "sha256", Doc: "md5, sha1, sha224, sha256, sha384 or sha512"}
	add("get_hash", "Return the hash of a file.", func(_ context.Context, _ *Env, args Args) (any, error) {
		return fileSum(args.Text("path"), args.Text("form"))
	}, form)
	add("get_sum", "Return the hash of a file.", func(_ context.Context, _ *Env, args Args) (any, error) {
		return fileSum(args.Text("path"), args.Text("form"))
	}, form)
	add("check_hash", "Return whether a file has this hash.", func(_ context.Context, _ *Env, args Args) (any, error) {
		kind, want, ok := strings.Cut(args.Text("file_hash"), "=")
		if !ok {
			kind, want, ok = strings.Cut(args.Text("file_hash"), ":")
		}
		if !ok {
			kind, want = "sha256", args.Text("file_hash")
		}
		got, err := fileSum(args.Text("path"), kind)
		return strings.EqualFold(got, want), err
	}, Param{Name: "file_hash", Kind: states.Text, Required: true, Doc: "sha256=HASH"})
	registerFileSearches(add)
	registerPaths(r)
}

// asked is a question about what is at a path; nothing is there is no.
func asked(stat func(string) (fs.FileInfo, error), fits func(fs.FileInfo) bool) queryFunc {
	return func(_ context.Context, _ *Env, args Args) (any, error) {
		info, err := stat(expandHome(args.Text("path")))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return false, nil
		}
		if err != nil {
			return nil, err
		}
		return fits(info), nil
	}
}

// expandHome replaces a ~ at the beginning by the home directory.
func expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

func readFile(path string) (string, error) {
	file, err := openRegular(expandHome(path))
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, more, err := readText(file, maxOutput)
	if more {
		return "", fmt.Errorf("%q has more than the %d bytes that can be returned", file.Name(), maxOutput)
	}
	return text, err
}

// openRegular opens a file to read it whole: a device or a pipe may have no end.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a regular file", path)
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func access(_ context.Context, _ *Env, args Args) (any, error) {
	mode, ok := map[string]uint32{"f": 0, "r": 4, "w": 2, "x": 1}[args.Text("mode")]
	if !ok {
		return nil, fmt.Errorf("mode %q is not f, r, w or x", args.Text("mode"))
	}
	return syscall.Access(expandHome(args.Text("path")), mode) == nil, nil
}

func fileSum(path, kind string) (string, error) {
	size := map[string]int{"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}[strings.ToLower(kind)]
	if size == 0 {
		return "", fmt.Errorf("hash %q is not md5, sha1, sha224, sha256, sha384 or sha512", kind)
	}
	file, err := openRegular(expandHome(path))
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum, err := sumOf(file, hashes[size])
	return fmt.Sprintf("%x", sum), err
}

// stats is file.stats.
func stats(_ context.Context, _ *Env, args Args) (any, error) {
	path := expandHome(args.Text("path"))
	look := os.Lstat
	if args.Bool("follow_symlinks") {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return nil, err
	}
	kind := "file"
	switch mode := info.Mode(); {
	case mode.IsDir():
		kind = "dir"
	case mode&fs.ModeSymlink != 0:
		kind = "link"
	case mode&fs.ModeCharDevice != 0:
		kind = "char"
	case mode&fs.ModeDevice != 0:
		kind = "block"
	case mode&fs.ModeNamedPipe != 0:
		kind = "pipe"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	}
	out := map[string]any{"target": path, "type": kind, "mode": formatMode(info.Mode()), "size": info.Size(), "mtime": seconds(info.ModTime().UnixNano())}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		out["uid"], out["gid"], out["inode"] = int64(stat.Uid), int64(stat.Gid), int64(stat.Ino)
		out["user"], out["group"] = userName(int(stat.Uid)), groupName(int(stat.Gid))
		out["atime"], out["ctime"] = seconds(stat.Atim.Nano()), seconds(stat.Ctim.Nano())
	}
	if hash := args.Text("hash_type"); hash != "" && kind == "file" {
		if out["sum"], err = fileSum(path, hash); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func seconds(nano int64) float64 { return float64(nano) / 1e9 }
