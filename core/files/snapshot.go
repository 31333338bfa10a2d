package files

import (
	"context"
	"fmt"
	"io"
)

// Snapshot is one revision of a tree. It stays what it is while the tree moves on, and is safe for concurrent use.
type Snapshot struct {
	tree     string
	revision revision
	manifest *manifest
	fetch    fetcher
}

var _ Source = (*Snapshot)(nil)

// Revision is the tree's revision number, 1 for the first.
func (s *Snapshot) Revision() uint64 { return s.revision.Number }

// Digest identifies the whole content: equal for equal trees.
func (s *Snapshot) Digest() string { return s.revision.Manifest.sum().String() }

// Len is the number of files.
func (s *Snapshot) Len() int { return len(s.manifest.files) }

func (s *Snapshot) file(name string) (*file, error) {
	clean, err := Clean(name)
	if err != nil {
		return nil, err
	}
	f := s.manifest.find(clean)
	switch {
	case f != nil:
		return f, nil
	case clean == "." || len(s.manifest.below(clean)) > 0:
		return nil, fmt.Errorf("%s: is a directory", clean)
	}
	return nil, notExist(clean)
}

// Load implements Source and render.Loader.
func (s *Snapshot) Load(ctx context.Context, name string) ([]byte, error) {
	f, err := s.file(name)
	if err != nil {
		return nil, err
	}
	if f.Body.Size > MaxLoad {
		return nil, tooLarge(f.Path, f.Body.Size)
	}
	data, err := s.read(ctx, &f.Body)
	if err != nil {
		return nil, s.at(f.Path, err)
	}
	return data, nil
}

func (s *Snapshot) read(ctx context.Context, b *blob) ([]byte, error) {
	if b.count() != 1 {
		return readBlob(ctx, s.fetch, b)
	}
	parts, err := s.fetch.window(ctx, b.list(0, 1))
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// Open implements Source.
func (s *Snapshot) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	f, err := s.file(name)
	if err != nil {
		return nil, Info{}, err
	}
	return &named{newReader(ctx, s.fetch, &f.Body), func(err error) error { return s.at(f.Path, err) }}, f.info(), nil
}

// named is a reader whose errors say which file it is.
type named struct {
	*reader
	explain func(error) error
}

func (n *named) Read(p []byte) (int, error) {
	i, err := n.reader.Read(p)
	if err != nil && err != io.EOF {
		err = n.explain(err)
	}
	return i, err
}

func (s *Snapshot) at(name string, err error) error {
	return fmt.Errorf("tree %q: %s: %w", s.tree, name, err)
}

// Stat implements Source. It costs nothing.
func (s *Snapshot) Stat(_ context.Context, name string) (Info, error) {
	clean, err := Clean(name)
	if err != nil {
		return Info{}, err
	}
	if f := s.manifest.find(clean); f != nil {
		return f.info(), nil
	}
	if clean == "." || len(s.manifest.below(clean)) > 0 {
		return Info{Path: clean, Dir: true}, nil
	}
	return Info{}, notExist(clean)
}

// List implements Source.
func (s *Snapshot) List(_ context.Context, dir string) ([]Info, error) {
	below, err := s.dir(dir)
	if err != nil {
		return nil, err
	}
	out := make([]Info, len(below))
	for i := range below {
		out[i] = below[i].info()
	}
	return out, nil
}

func (s *Snapshot) dir(name string) ([]file, error) {
	clean, err := Clean(name)
	if err != nil {
		return nil, err
	}
	below := s.manifest.below(clean)
	switch {
	case s.manifest.find(clean) != nil:
		return nil, fmt.Errorf("%s: is a file", clean)
	case len(below) == 0 && clean != ".":
		return nil, notExist(clean)
	}
	return below, nil
}

// Prefetch brings all files below a directory that have at most limit bytes into the cache, many in one request: worth it
// before reading a directory file by file.
func (s *Snapshot) Prefetch(ctx context.Context, dir string, limit int64) error {
	below, err := s.dir(dir)
	if err != nil {
		return err
	}
	var chunks []chunk
	for i := range below {
		if b := &below[i].Body; b.Size <= limit {
			chunks = append(chunks, b.list(0, b.count())...)
		}
	}
	if err := s.fetch.prefetch(ctx, chunks); err != nil {
		return s.at(dir, err)
	}
	return nil
}
