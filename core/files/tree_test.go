package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func TestHints(t *testing.T) {
	srv := server.StartTest(t)
	p, dir := newPublisher(t, srv), t.TempDir()
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	_, err := tree.Load(t.Context(), "f")
	if want := `tree "states": not published: a master does that when it starts; does it have the directory?`; !errors.Is(err, ErrNoTree) || err.Error() != want {
		t.Errorf("before the first publication: %v", err)
	}
	state := func() (stale bool, hinted time.Time) {
		tree.mu.Lock()
		defer tree.mu.Unlock()
		return tree.stale, tree.hinted
	}
	stale := func() bool { stale, _ := state(); return stale }
	for i := range 3 {
		text := fmt.Sprint(i)
		_, last := state()
		publish(t, p, content{"f": text}.write(t, dir))
		waitFor(t, "the hint at revision "+text, func() bool { _, hinted := state(); return hinted.After(last) }) // it may be slower than an answer
		if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != text {
			t.Errorf("revision %s: %q, %v", text, got, err)
		}
		if stale() {
			t.Error("after a hint has been answered nothing must be asked")
		}
	}
	if err := srv.Core(t).Publish(bus.Republished(bus.BucketTrees, "states"), nil); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a hint that means nothing", stale)
	if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "2" {
		t.Errorf("after a forged hint: %q, %v", got, err)
	}
}

func TestOldPointerIsNotTaken(t *testing.T) {
	srv := server.StartTest(t)
	core, p, dir, cache := srv.Core(t), newPublisher(t, srv), t.TempDir(), t.TempDir()
	publish(t, p, content{"f": "1"}.write(t, dir))
	old, err := core.Get(t.Context(), bus.BucketTrees, "states")
	if err != nil {
		t.Fatal(err)
	}
	publish(t, p, content{"f": "2"}.write(t, dir))
	peel := srv.Peel(t, "p")
	tree := newTree(t, srv, peel, cache)
	if _, err := tree.Load(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Put(t.Context(), bus.BucketTrees, "states", old.Value); err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]*Tree{"running": tree, "restarted": newTree(t, srv, peel, cache)} {
		if err := tree.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "2" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	// A pointer of another tree, signed as it is, is none of this one.
	if _, err := core.Put(t.Context(), bus.BucketTrees, "reactor", old.Value); err != nil {
		t.Fatal(err)
	}
	reactor, err := NewTree(peel, "reactor", cache, srv.Account.Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reactor.Close()
	if err := reactor.Refresh(t.Context()); err == nil || err.Error() != `tree "reactor": pointer: made for tree "states"` {
		t.Errorf("a pointer of another tree: %v", err)
	}
}

// TestSnapshot reads two files that always change together, from many goroutines, while they change.
func TestSnapshot(t *testing.T) {
	srv := server.StartTest(t)
	p, dir := newPublisher(t, srv), t.TempDir()
	state := func(i int) content { return content{"a": fmt.Sprint(i), "b": fmt.Sprint(i)} }
	publish(t, p, state(0).write(t, dir))
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				ctx, err := tree.Pin(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				a, errA := tree.Load(ctx, "a")
				b, errB := tree.Load(ctx, "b")
				if errA != nil || errB != nil || string(a) != string(b) {
					t.Errorf("a is %q (%v), b is %q (%v)", a, errA, b, errB)
					return
				}
			}
		})
	}
	first, err := tree.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		publish(t, p, state(i+1).write(t, dir))
	}
	close(done)
	readers.Wait()
	if got, err := first.Load(t.Context(), "a"); err != nil || string(got) != "0" || first.Revision() != 1 {
		t.Errorf("the first snapshot now says %q, revision %d: %v", got, first.Revision(), err)
	}
	if tree.Refresh(t.Context()) != nil {
		t.Error("cannot refresh")
	}
	if s, err := tree.Snapshot(t.Context()); err != nil || s.Revision() != 7 || s.Digest() == first.Digest() || s.Len() != 2 {
		t.Errorf("the last snapshot: %+v, %v", s, err)
	}
}

// damage changes every file below a directory.
func damage(t testing.TB, dir string, how func([]byte) []byte) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n++
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(p, how(data), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDamagedCache(t *testing.T) {
	srv := server.StartTest(t)
	want := content{"f": "content", "d/large": strings.Repeat("0123456789", ChunkSize)}
	publish(t, newPublisher(t, srv), want.write(t, t.TempDir()))
	peel := srv.Peel(t, "p")
	flip := func(d []byte) []byte { d[len(d)/2] ^= 1; return d }
	half := func(d []byte) []byte { return d[:len(d)/2] }
	none := func([]byte) []byte { return nil }
	for name, how := range map[string]func([]byte) []byte{"flipped": flip, "cut": half, "empty": none} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			tree := newTree(t, srv, peel, cache)
			if got := readAll(t, tree); !maps.Equal(got, want) {
				t.Fatal("first reading")
			}
			if n := damage(t, filepath.Join(cache, "states", "chunks"), how); n < 3 {
				t.Fatalf("only %d chunks in the cache", n)
			}
			if got := readAll(t, tree); !maps.Equal(got, want) {
				t.Error("the tree does not mend its cache")
			}
			damage(t, cache, how) // the pointer among them
			if got := readAll(t, newTree(t, srv, peel, cache)); !maps.Equal(got, want) {
				t.Error("a restart does not mend the cache")
			}
			if got := readAll(t, newTree(t, srv, nil, cache)); !maps.Equal(got, want) {
				t.Error("the mended cache does not serve without the bus")
			}
			damage(t, cache, how)
			if _, err := newTree(t, srv, nil, cache).Load(t.Context(), "f"); !errors.Is(err, ErrOffline) {
				t.Errorf("without bus and cache: %v", err)
			}
		})
	}
}

func TestOffline(t *testing.T) {
	srv := server.StartTest(t)
	want := content{"f": "content", "not/fetched": "x"}
	publish(t, newPublisher(t, srv), want.write(t, t.TempDir()))
	conn, cache := srv.Peel(t, "p"), t.TempDir()
	tree := newTree(t, srv, conn, cache)
	tree.fetch.wait = patience
	if _, err := tree.Load(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	waitFor(t, "the connection to break", func() bool { return !conn.Connected() })
	for name, tree := range map[string]*Tree{"running": tree, "restarted": newTree(t, srv, conn, cache)} {
		if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "content" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	srv.Start(t)
	if got, err := tree.Load(t.Context(), "not/fetched"); err != nil || string(got) != "x" {
		t.Errorf("after the server came back: %q, %v", got, err)
	}
}

// TestRestartWhileReading: a stream goes on when the server comes back.
func TestRestartWhileReading(t *testing.T) {
	srv := server.StartTest(t)
	want := strings.Repeat("0123456789abcdef", 4*ChunkSize)
	publish(t, newPublisher(t, srv), content{"f": want}.write(t, t.TempDir()))
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	tree.fetch.wait = patience
	r, _, err := tree.Open(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	srv.Restart(t)
	rest, err := io.ReadAll(r)
	if err != nil || string(head)+string(rest) != want {
		t.Errorf("read %d bytes in all: %v", len(head)+len(rest), err)
	}
}

func TestPrune(t *testing.T) {
	c := cache{filepath.Join(t.TempDir(), "chunks")}
	week := time.Now().Add(-8 * 24 * time.Hour)
	put := func(text string, at time.Time) Digest {
		d := digestOf([]byte(text))
		if err := c.put(d, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(c.path(d), at, at); err != nil {
			t.Fatal(err)
		}
		return d
	}
	wanted, old, young := put("wanted", week), put("old", week), put("young", time.Now())
	temp := filepath.Join(filepath.Dir(c.path(old)), tempPrefix+"1")
	if err := os.WriteFile(temp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(temp, week, week); err != nil {
		t.Fatal(err)
	}
	if err := c.prune(time.Now().Add(-keepUnused), func(d Digest) bool { return d == wanted }); err != nil {
		t.Fatal(err)
	}
	_, err := os.Stat(temp)
	if c.get(wanted, 6) == nil || c.get(young, 5) == nil || c.get(old, 3) != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Error("pruned the wrong chunks")
	}
}
