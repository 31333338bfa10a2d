package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ChunkSize is the size of every chunk of a file but the last.
const ChunkSize = 256 << 10

// Digest is the SHA-256 of a chunk or a whole file.
type Digest [sha256.Size]byte

// String is the digest in hexadecimal: a chunk's key in the bucket.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

func digestOf(data []byte) Digest { return sha256.Sum256(data) }

// parseDigest reads the form of String.
func parseDigest(text string) (Digest, error) {
	var d Digest
	if len(text) != 2*len(d) {
		return d, fmt.Errorf("%.80q is not a SHA-256 in hexadecimal", text)
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil || d.String() != text {
		return Digest{}, fmt.Errorf("%.80q is not a SHA-256 in hexadecimal", text)
	}
	return d, nil
}

// blob is a sequence of bytes stored as chunks: a file's content, or a manifest.
type blob struct {
	Size   int64  `msgpack:"size"`
	Sum    []byte `msgpack:"sum"`    // of the whole
	Chunks []byte `msgpack:"chunks"` // digests one after the other; empty if one chunk is the whole
}

// newBlob makes a blob of its chunks' digests.
func newBlob(size int64, sum Digest, chunks []Digest) blob {
	b := blob{Size: size, Sum: bytes.Clone(sum[:])}
	if len(chunks) > 1 {
		b.Chunks = make([]byte, 0, len(chunks)*len(sum))
		for _, c := range chunks {
			b.Chunks = append(b.Chunks, c[:]...)
		}
	}
	return b
}

func (b *blob) check() error {
	if b.Size < 0 || len(b.Sum) != sha256.Size {
		return fmt.Errorf("size %d with a digest of %d bytes", b.Size, len(b.Sum))
	}
	want := int64(0)
	if b.Size > ChunkSize {
		want = (b.Size-1)/ChunkSize + 1
	}
	if int64(len(b.Chunks)) != want*sha256.Size {
		return fmt.Errorf("%d bytes of chunk digests for a size of %d", len(b.Chunks), b.Size)
	}
	return nil
}

func (b *blob) sum() Digest { return Digest(b.Sum) }

// count is the number of chunks.
func (b *blob) count() int {
	if b.Size == 0 {
		return 0
	}
	return max(1, len(b.Chunks)/sha256.Size)
}

// chunk is the digest of the i-th chunk.
func (b *blob) chunk(i int) Digest {
	if len(b.Chunks) == 0 {
		return b.sum()
	}
	return Digest(b.Chunks[i*sha256.Size:])
}

// chunkLen is the length of the i-th chunk.
func (b *blob) chunkLen(i int) int64 {
	return min(ChunkSize, b.Size-int64(i)*ChunkSize)
}
