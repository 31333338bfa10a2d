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

// folder reads files below one directory.
type folder struct{ path string }

// open opens a file and refuses, through os.Root, links that lead out of the directory.
func (d folder) open(name string) (*os.File, fs.FileInfo, string, error) {
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

func (d folder) openFile(name string) (*os.File, fs.FileInfo, string, error) {
	f, info, clean, err := d.open(name)
	if err == nil && info.IsDir() {
		f.Close()
		return nil, nil, "", fmt.Errorf("%s: is a directory", clean)
	}
	return f, info, clean, err
}

func (d folder) load(name string) ([]byte, error) {
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

// stream reads the file twice, once for the digest.
func (d folder) stream(ctx context.Context, name string) (io.ReadCloser, Info, error) {
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

// stat reads the file for its digest.
func (d folder) stat(ctx context.Context, name string) (Info, error) {
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

func (d folder) list(ctx context.Context, dir string) ([]Info, error) {
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
			info, err := d.stat(ctx, e.path)
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

func (d folder) names(ctx context.Context) ([]string, error) {
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
