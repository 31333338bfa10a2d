package files

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/server"
)

// TestFollow changes a directory in every way there is and waits for the peel to see it.
func TestFollow(t *testing.T) {
	srv := server.StartTest(t)
	base := t.TempDir()
	dir := filepath.Join(base, "states")
	p := newPublisher(t, srv, func(o *PublisherOptions) { o.Trees = map[string]string{"states": dir} })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.o.Conn.Lease(ctx, "publisher", "m1", 10*time.Second, p.Follow) })
	defer running.Wait()
	defer cancel()
	waitFor(t, "the missing directory to be told", func() bool {
		err := p.Problems()["states"]
		return err != nil && strings.Contains(err.Error(), "file does not exist")
	})
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	see := func(what, path, want string) {
		t.Helper()
		waitFor(t, what, func() bool {
			got, err := tree.Load(t.Context(), path)
			return err == nil && string(got) == want
		})
	}
	content{"a/f": "1"}.write(t, dir)
	see("a directory that appears", "a/f", "1")
	content{"a/f": "2"}.write(t, dir)
	see("a file that changes", "a/f", "2")
	content{"b/c/d/f": "3"}.write(t, dir)
	see("a file in new directories", "b/c/d/f", "3")
	content{"b/c/d/f": "4"}.write(t, dir)
	see("a file there that changes", "b/c/d/f", "4")
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a file that goes", func() bool {
		_, err := tree.Load(t.Context(), "a/f")
		return err != nil
	})
	content{"a/f": "5"}.write(t, filepath.Join(base, "next"))
	if err := os.Rename(dir, filepath.Join(base, "last")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(base, "next"), dir); err != nil {
		t.Fatal(err)
	}
	see("a directory that is exchanged", "a/f", "5")
	srv.Restart(t)
	content{"a/f": "6"}.write(t, dir)
	see("a change while the server restarts", "a/f", "6")
}

func TestPublisherAndReadersAtOnce(t *testing.T) {
	srv := server.StartTest(t)
	p, dir := newPublisher(t, srv), content{"f": "1"}.write(t, t.TempDir())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := p.Publish(t.Context(), "states", dir); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := p.Publish(t.Context(), "reactor", dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	for range 4 {
		all.Go(func() {
			if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "1" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
}
