package files

import (
	"context"
	"io"
)

// Opener is a source's Open for those who only read.
func Opener(s Source) func(ctx context.Context, path string) (io.ReadCloser, error) {
	return func(ctx context.Context, path string) (io.ReadCloser, error) {
		r, _, err := s.Open(ctx, path)
		return r, err
	}
}
