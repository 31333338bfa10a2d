package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// content is a tree as a test writes it: path to what is in the file.
type content map[string]string

func (c content) write(t testing.TB, dir string) string {
	t.Helper()
	for name, data := range c {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newPublisher(t testing.TB, srv *server.TestServer, change ...func(*PublisherOptions)) *Publisher {
	t.Helper()
	o := PublisherOptions{Conn: srv.Core(t), Account: srv.Account, Master: "m1", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&o)
	}
	return NewPublisher(o)
}

func publish(t testing.TB, p *Publisher, dir string) bool {
	t.Helper()
	changed, err := p.Publish(t.Context(), "states", dir)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func newTree(t testing.TB, srv *server.TestServer, conn *bus.Conn, cache string) *Tree {
	t.Helper()
	tree, err := NewTree(conn, "states", cache, srv.Account.Public(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Close)
	return tree
}

// readAll gives everything in a source.
func readAll(t testing.TB, s Source) content {
	t.Helper()
	infos, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := content{}
	for _, info := range infos {
		r, opened, err := s.Open(t.Context(), info.Path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if opened != info || info.Digest != digestOf(data).String() || info.Size != int64(len(data)) {
			t.Errorf("%s: List says %+v, Open %+v, of %d bytes", info.Path, info, opened, len(data))
		}
		out[info.Path] = string(data)
	}
	return out
}

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestPublishAndFetch(t *testing.T) {
	srv := server.StartTest(t)
	want := content{"top.zy": "base:\n  '*': [a]\n", "a/init.zy": "x: y\n", "empty": "", "UPPER/ümlaut": "ß", ".hidden/file": "kept"}
	dir := want.write(t, t.TempDir())
	content{".git/HEAD": "ref", "a/.git/x": "", "a/.#lock": "", ".init.zy.swp": ""}.write(t, dir)
	if err := os.Chmod(filepath.Join(dir, "a/init.zy"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := newPublisher(t, srv)
	if !publish(t, p, dir) || publish(t, p, dir) {
		t.Fatal("the first publication must change the tree, the second must not")
	}
	tree := newTree(t, srv, srv.Peel(t, "web-01"), t.TempDir())
	if got := readAll(t, tree); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for path, want := range map[string]string{
		"top.zy":       `{top.zy false 17 false `,
		"a/init.zy":    `{a/init.zy false 5 true `,
		"./a//init.zy": `{a/init.zy false 5 true `,
		"a":            `{a true 0 false }`,
		"":             `{. true 0 false }`,
	} {
		info, err := tree.Stat(t.Context(), path)
		if got := fmt.Sprint(info); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("Stat(%q) = %s, %v", path, got, err)
		}
	}
	infos, err := tree.List(t.Context(), "a")
	if err != nil || len(infos) != 1 || infos[0].Path != "a/init.zy" {
		t.Errorf("List(a) = %v, %v", infos, err)
	}
}

// TestSameFace compares a published tree with the directory it was made of, errors among it.
func TestSameFace(t *testing.T) {
	srv := server.StartTest(t)
	dir := content{"a/b": "1", "a.b": "2", "c": "3"}.write(t, t.TempDir())
	publish(t, newPublisher(t, srv), dir)
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	for path, want := range map[string]string{
		"a/b":      "",
		"no":       "no: file does not exist",
		"c/d":      "c/d: file does not exist",
		"a":        "a: is a directory",
		"":         ".: is a directory",
		"../x":     `"../x": not a path inside the tree: write it relative to the tree's root, without ".."`,
		"/etc/x":   `"/etc/x": not a path inside the tree: write it relative to the tree's root, without ".."`,
		"a/../../": `"a/../../": not a path inside the tree: write it relative to the tree's root, without ".."`,
		"a\x00":    `"a\x00": not a path inside the tree: write it relative to the tree's root, without ".."`,
	} {
		for kind, s := range map[string]Source{"tree": tree, "dir": Dir(dir)} {
			_, err := s.Load(t.Context(), path)
			if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
				t.Errorf("%s: Load(%q): %v, want %s", kind, path, err, want)
			}
			if strings.HasSuffix(want, "not exist") != errors.Is(err, fs.ErrNotExist) || strings.Contains(want, "inside") != errors.Is(err, ErrPath) {
				t.Errorf("%s: Load(%q): %v is the wrong sentinel", kind, path, err)
			}
		}
	}
	for _, path := range []string{"c", "nowhere"} {
		_, a := tree.List(t.Context(), path)
		_, b := Dir(dir).List(t.Context(), path)
		if a == nil || b == nil || a.Error() != b.Error() {
			t.Errorf("List(%q): tree %v, dir %v", path, a, b)
		}
	}
	if a, b := readAll(t, tree), readAll(t, Dir(dir)); !maps.Equal(a, b) {
		t.Errorf("tree %q, dir %q", a, b)
	}
}

func TestRandomTrees(t *testing.T) {
	srv := server.StartTest(t)
	rng := rand.New(rand.NewPCG(1, 2))
	p := newPublisher(t, srv)
	conn, cache := srv.Peel(t, "p"), t.TempDir()
	want := content{}
	dir := t.TempDir()
	for round := range 8 {
		for range 10 {
			size := []int{0, 1, 100, ChunkSize - 1, ChunkSize, ChunkSize + 1, 3*ChunkSize + 7, 10 * ChunkSize}[rng.IntN(8)]
			data := make([]byte, size)
			for i := 0; i < len(data); i += 1 + rng.IntN(5000) { // mostly zeros, so that chunks repeat
				data[i] = byte(rng.Uint32())
			}
			name := fmt.Sprintf("d%d/f%d", rng.IntN(4), rng.IntN(20))
			want[name] = string(data)
		}
		for name := range want {
			if rng.IntN(5) == 0 {
				delete(want, name)
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		want.write(t, dir)
		publish(t, p, dir)
		tree := newTree(t, srv, conn, cache) // takes up the cache of the round before
		if err := tree.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, tree); !maps.Equal(got, want) {
			t.Fatalf("round %d: the trees differ: %q and %q", round, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		tree.Close()
	}
}

func TestPrefetch(t *testing.T) {
	srv := server.StartTest(t)
	want := content{"big": strings.Repeat("x", 3*ChunkSize)}
	for i := range 600 {
		want[fmt.Sprintf("many/f%03d", i)] = fmt.Sprint("content ", i)
	}
	publish(t, newPublisher(t, srv), want.write(t, t.TempDir()))
	cacheDir := t.TempDir()
	tree := newTree(t, srv, srv.Peel(t, "p"), cacheDir)
	s, err := tree.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prefetch(t.Context(), ".", ChunkSize); err != nil {
		t.Fatal(err)
	}
	offline := newTree(t, srv, nil, cacheDir)
	delete(want, "big")
	for name, data := range want {
		if got, err := offline.Load(t.Context(), name); err != nil || string(got) != data {
			t.Fatalf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := offline.Load(t.Context(), "big"); !errors.Is(err, ErrOffline) {
		t.Errorf("a file that was not fetched: %v", err)
	}
	if err := s.Prefetch(t.Context(), "no", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Prefetch of a directory that is not there: %v", err)
	}
}

// TestLargeFile streams a file many times larger than what may be in memory.
func TestLargeFile(t *testing.T) {
	const size = 96 << 20
	srv := server.StartTest(t)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(f, rng, size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	publish(t, newPublisher(t, srv), dir)
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	r, info, err := tree.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	same := rand.NewChaCha8([32]byte{1})
	var n int64
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		k, err := io.ReadFull(r, got)
		same.Read(want[:k])
		if !bytes.Equal(got[:k], want[:k]) {
			t.Fatalf("differs near byte %d", n)
		}
		n += int64(k)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != size || info.Size != size {
		t.Errorf("%d bytes, of %d", n, info.Size)
	}
	if _, err := tree.Load(t.Context(), "large"); err == nil || !strings.Contains(err.Error(), "large: 100663296 bytes are too many to load at once") {
		t.Errorf("Load: %v", err)
	}
}

func TestOpenEndsEarly(t *testing.T) {
	srv := server.StartTest(t)
	publish(t, newPublisher(t, srv), content{"f": strings.Repeat("abc", 20*ChunkSize)}.write(t, t.TempDir()))
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := tree.Open(ctx, "f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); err == nil {
		t.Error("reading to the end after the context ended must fail")
	}
	r.Close()
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("reading after Close must fail")
	}
}
