package files

import (
	"context"
	"fmt"
	"io"
)

// Source is a tree to read from: a Snapshot, a Tree, or a directory. A file that is not there is fs.ErrNotExist, a path
// that cannot be one is ErrPath. All methods may be called concurrently.
type Source interface {
	// Load returns the content of a file of at most MaxLoad bytes.
	Load(ctx context.Context, path string) ([]byte, error)
	// Open streams a file of any size. The context governs all reading; the caller closes.
	Open(ctx context.Context, path string) (io.ReadCloser, Info, error)
	// Stat describes a file or a directory without reading content over the network.
	Stat(ctx context.Context, path string) (Info, error)
	// List returns all files below a directory, at any depth, sorted by path.
	List(ctx context.Context, dir string) ([]Info, error)
}

// MaxLoad bounds what Load takes into memory: nothing that is text to a renderer is larger.
const MaxLoad = 64 << 20

func tooLarge(name string, size int64) error {
	return fmt.Errorf("%s: %d bytes are too many to load at once (the limit is %d): use it as a plain source file, not as a template", name, size, MaxLoad)
}
