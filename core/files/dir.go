package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Directory is a Source over a directory, read at each call: for zester local and for masters. It shows the files a Publisher
// would publish, those of the context's environment.
type Directory struct {
	path         string
	environments map[string]string
}

var _ Source = Directory{}

// Dir returns the Source over a directory, which need not exist yet. Directories named @NAME in it are environments.
func Dir(path string) Directory { return Directory{path: path} }

// Dirs is Dir with environments that have their directories elsewhere.
func Dirs(path string, environments map[string]string) Directory {
	return Directory{path, environments}
}

// look finds the directory that holds a place, and the path in it.
func (d Directory) look(ctx context.Context, name string) (in folder, path string, p place, err error) {
	if p, err = locate(ctx, name); err != nil {
		return in, "", p, err
	}
	if dir, ok := d.environments[p.environment]; ok {
		return folder{dir}, p.path, p, nil
	}
	return folder{d.path}, p.inTree(), p, nil
}

// Load implements Source and render.Loader.
func (d Directory) Load(ctx context.Context, name string) ([]byte, error) {
	in, path, _, err := d.look(ctx, name)
	if err != nil {
		return nil, err
	}
	return in.load(path)
}

// Open implements Source. It reads the file twice, once for the digest.
func (d Directory) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	in, path, p, err := d.look(ctx, name)
	if err != nil {
		return nil, Info{}, err
	}
	r, info, err := in.stream(ctx, path)
	return r, p.seen(info), err
}

// Stat implements Source. It reads the file for its digest.
func (d Directory) Stat(ctx context.Context, name string) (Info, error) {
	in, path, p, err := d.look(ctx, name)
	if err != nil {
		return Info{}, err
	}
	info, err := in.stat(ctx, path)
	return p.seen(info), err
}

// List implements Source.
func (d Directory) List(ctx context.Context, dir string) ([]Info, error) {
	in, path, p, err := d.look(ctx, dir)
	if err != nil {
		return nil, err
	}
	return p.seenAll(in.list(ctx, path))
}

// Names returns the paths of all files of the context's environment, sorted, without reading them.
func (d Directory) Names(ctx context.Context) ([]string, error) {
	in, path, p, err := d.look(ctx, ".")
	if err != nil {
		return nil, err
	}
	names, err := in.names(ctx)
	if err != nil || path == "." && p.environment != Base {
		return names, err
	}
	own := names[:0]
	for _, name := range names {
		rest, inside := strings.CutPrefix(name, environmentRoot(p.environment))
		if inside && (p.environment != Base || !strings.HasPrefix(name, environmentMark)) {
			own = append(own, rest)
		}
	}
	return own, nil
}

// Environments lists what there is: Base, then the others by name.
func (d Directory) Environments(context.Context) ([]string, error) {
	found := maps.Clone(d.environments)
	if found == nil {
		found = map[string]string{}
	}
	delete(found, Base)
	root, err := openRoot(d.path)
	if err == nil {
		defer root.Close()
		err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == "." {
				return err
			}
			if name, ok := strings.CutPrefix(path, environmentMark); ok && otherEnvironment(name) {
				if info, err := root.Stat(path); err == nil && info.IsDir() {
					found[name] = path
				}
			}
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return append([]string{Base}, slices.Sorted(maps.Keys(found))...), nil
}
