package files

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// settled is the age from which a modification time tells of every change: a younger file may change once more within the
// resolution of the clock that stamps it.
const settled = 2 * time.Second

// seen is a file as it was when it was last read.
type seen struct {
	info   fs.FileInfo
	read   time.Time
	result file
}

func (s *seen) still(info fs.FileInfo) bool {
	return s != nil && sameStat(s.info, info) && os.SameFile(s.info, info) && s.read.Sub(info.ModTime()) > settled
}

func sameStat(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && executable(a) == executable(b)
}

// scanned is a directory read for publishing.
type scanned struct {
	manifest *manifest
	newest   time.Time
	seen     map[string]*seen
}

// scan reads a directory, and those of environments that have their own, and hands every chunk to up. Files that have not
// changed since before was made, and whose chunks the bucket has, are not read again.
func scan(ctx context.Context, dir string, environments map[string]string, before map[string]*seen, up *upload, warn func(path, msg string)) (*scanned, error) {
	out := &scanned{manifest: &manifest{}, seen: map[string]*seen{}}
	if err := out.add(ctx, dir, "", environments, before, up, warn); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(environments)) {
		if err := CheckEnvironment(name); err != nil {
			return nil, err
		}
		if err := out.add(ctx, environments[name], environmentRoot(name), nil, before, up, warn); err != nil {
			return nil, fmt.Errorf("environment %q: %w", name, err)
		}
	}
	slices.SortFunc(out.manifest.files, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	if now := time.Now(); out.newest.After(now) {
		out.newest = now // a file from the future must not block every publisher until then
	}
	return out, nil
}

// add reads one directory, whose files are published below prefix.
func (out *scanned) add(ctx context.Context, dir, prefix string, elsewhere map[string]string, before map[string]*seen, up *upload, warn func(path, msg string)) error {
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	w, err := walk(ctx, root, warn)
	if err != nil {
		return err
	}
	if w.newest.After(out.newest) {
		out.newest = w.newest
	}
	for _, f := range w.files {
		if name, ok := strings.CutPrefix(f.path, environmentMark); ok && elsewhere != nil {
			name, _, _ = strings.Cut(name, "/")
			if other, ok := elsewhere[name]; ok {
				warn(environmentMark+name, "left out: the environment has another directory, "+other)
				continue
			}
		}
		s := before[prefix+f.path]
		if !s.still(f.info) || !up.hasAll(&s.result.Body) {
			s, err = readStable(ctx, root, f.path, up)
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed in the meantime
			}
			if err != nil {
				return err
			}
			s.result.Path = prefix + f.path
		}
		out.seen[s.result.Path] = s
		out.manifest.files = append(out.manifest.files, s.result)
	}
	return nil
}

func (u *upload) hasAll(b *blob) bool {
	for i := range b.count() {
		if !u.s.has(b.chunk(i)) {
			return false
		}
	}
	return true
}

// readStable reads a file, and again if it changes under its hands.
func readStable(ctx context.Context, root *os.Root, name string, up *upload) (*seen, error) {
	const attempts = 5
	for range attempts {
		s, stable, err := readOnce(ctx, root, name, up)
		if err != nil || stable {
			return s, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("%s: it changes while it is read: move it out of the tree, or replace it by renaming a complete file", name)
}

func readOnce(ctx context.Context, root *os.Root, name string, up *upload) (s *seen, stable bool, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, false, unreadable(name, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, false, unreadable(name, err)
	}
	read := time.Now()
	body, err := readChunks(ctx, f, name, before.Size(), up)
	if err != nil {
		return nil, false, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, false, unreadable(name, err)
	}
	s = &seen{info: after, read: read, result: file{Path: name, Exec: executable(after), Body: body}}
	return s, sameStat(before, after) && body.Size == after.Size(), nil
}

// readChunks cuts a file into chunks. hint is its size; if that is wrong the result is, too, and the file has to be read again.
func readChunks(ctx context.Context, f *os.File, name string, hint int64, up *upload) (blob, error) {
	whole := sha256.New()
	var size int64
	var chunks []Digest
	for {
		if err := ctx.Err(); err != nil {
			return blob{}, err
		}
		buf := make([]byte, min(ChunkSize, max(hint-size, 0)+1))
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			d := digestOf(buf[:n])
			whole.Write(buf[:n])
			size += int64(n)
			chunks = append(chunks, d)
			if err := up.add(d, buf[:n]); err != nil {
				return blob{}, err
			}
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return newBlob(size, Digest(whole.Sum(nil)), chunks), nil
		case err != nil:
			return blob{}, unreadable(name, err)
		}
	}
}
