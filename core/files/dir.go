package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Directory is a Source over a directory, read at each call: for zester local and for masters. It shows the files a Publisher
// would publish.
type Directory struct{ path string }

var _ Source = Directory{}

// Dir returns the Source over a directory, which need not exist yet.
func Dir(path string) Directory { return Directory{path} }

// open opens a file and refuses, through os.Root, links that lead out of the directory.
func (d Directory) open(name string) (*os.File, fs.FileInfo, string, error) {
	clean, err := Clean(name)
	if err != nil {
		return nil, nil, "", err
	}
	root, err := openRoot(d.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = notExist(clean)
		}
		return nil, nil, "", err
	}
	defer root.Close()
	info, err := root.Stat(clean) // before opening: a named pipe would block
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, nil, "", fmt.Errorf("%s: neither a file nor a directory", clean)
	}
	var f *os.File
	if err == nil {
		f, err = root.Open(clean)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, nil, "", notExist(clean)
	case err != nil:
		return nil, nil, "", unreadable(clean, err)
	}
	return f, info, clean, nil
}

func (d Directory) openFile(name string) (*os.File, fs.FileInfo, string, error) {
	f, info, clean, err := d.open(name)
	if err == nil && info.IsDir() {
		f.Close()
		return nil, nil, "", fmt.Errorf("%s: is a directory", clean)
	}
	return f, info, clean, err
}

// Load implements Source and render.Loader.
func (d Directory) Load(_ context.Context, name string) ([]byte, error) {
	f, info, clean, err := d.openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > MaxLoad {
		return nil, tooLarge(clean, info.Size())
	}
	var b bytes.Buffer
	b.Grow(int(info.Size()) + 1)
	n, err := io.Copy(&b, io.LimitReader(f, MaxLoad+1))
	if err != nil {
		return nil, unreadable(clean, err)
	}
	if n > MaxLoad {
		return nil, tooLarge(clean, n)
	}
	return b.Bytes(), nil
}

// Open implements Source. It reads the file twice, once for the digest.
func (d Directory) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	f, stat, clean, err := d.openFile(name)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := describe(ctx, f, stat, clean)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, Info{}, err
	}
	return f, info, nil
}

// Stat implements Source. It reads the file for its digest.
func (d Directory) Stat(ctx context.Context, name string) (Info, error) {
	f, stat, clean, err := d.open(name)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	if stat.IsDir() {
		return Info{Path: clean, Dir: true}, nil
	}
	return describe(ctx, f, stat, clean)
}

// List implements Source.
func (d Directory) List(ctx context.Context, dir string) ([]Info, error) {
	f, stat, clean, err := d.open(dir)
	if err != nil {
		return nil, err
	}
	f.Close()
	if !stat.IsDir() {
		return nil, fmt.Errorf("%s: is a file", clean)
	}
	root, err := openRoot(d.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	w, err := walk(ctx, root, func(string, string) {})
	if err != nil {
		return nil, err
	}
	var out []Info
	for _, e := range w.files {
		if clean == "." || strings.HasPrefix(e.path, clean+"/") {
			info, err := d.Stat(ctx, e.path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, info)
		}
	}
	return out, nil
}

func describe(ctx context.Context, f *os.File, stat fs.FileInfo, clean string) (Info, error) {
	h := sha256.New()
	size, err := io.Copy(h, &contextReader{ctx, f})
	if err != nil {
		return Info{}, unreadable(clean, err)
	}
	return Info{Path: clean, Size: size, Exec: executable(stat), Digest: hex.EncodeToString(h.Sum(nil))}, nil
}

func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Names returns the paths of all files, sorted, without reading them.
func (d Directory) Names(ctx context.Context) ([]string, error) {
	root, err := openRoot(d.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	w, err := walk(ctx, root, func(string, string) {})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(w.files))
	for i, f := range w.files {
		out[i] = f.path
	}
	return out, nil
}
