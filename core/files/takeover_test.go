package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

// age gives everything in a directory one modification time.
func age(t testing.TB, dir string, at time.Time) string {
	t.Helper()
	err := filepath.Walk(dir, func(p string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(p, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTakeOver(t *testing.T) {
	srv := server.StartTest(t)
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	master := func(name string, force bool) *Publisher {
		return newPublisher(t, srv, func(o *PublisherOptions) { o.Master, o.Force = name, force })
	}
	first := age(t, content{"f": "1"}.write(t, t.TempDir()), day)
	current := age(t, content{"f": "2"}.write(t, t.TempDir()), day.Add(time.Hour))
	older := age(t, content{"f": "old"}.write(t, t.TempDir()), day)
	newer := age(t, content{"f": "new"}.write(t, t.TempDir()), day.Add(2*time.Hour))
	again := age(t, content{"f": "1"}.write(t, t.TempDir()), day.Add(3*time.Hour))
	m1 := master("m1", false)
	publish(t, m1, first)
	publish(t, m1, current)

	m2 := master("m2", false)
	const remedy = `bring the directory up to date, or start zester-master with --force-publish`
	for _, c := range []struct {
		dir  string
		is   error
		want string
	}{
		{older, ErrOlder, `the last change in the directory is of 2026-01-02T00:00:00Z, that of revision 2, published by "m1", of 2026-01-02T01:00:00Z: ` + remedy},
		{again, ErrOlder, `the directory holds what revision 2, published by "m1", has replaced: ` + remedy},
		{t.TempDir(), ErrEmptied, `revision 2 has 1 files: is the directory mounted? Put a file there, or use --force-publish`},
	} {
		changed, err := m2.Publish(t.Context(), "states", c.dir)
		want := fmt.Sprintf("tree %q: %v: %s", "states", c.is, c.want)
		if changed || !errors.Is(err, c.is) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if !errors.Is(m2.Problems()["states"], c.is) {
			t.Errorf("Problems() = %v", m2.Problems())
		}
	}
	if publish(t, m2, current) || len(m2.Problems()) != 0 {
		t.Error("equal content is no change, and no problem")
	}
	if !publish(t, m2, older) {
		t.Error("who agreed with what is published goes on from there")
	}
	if !publish(t, master("m3", false), newer) || !publish(t, master("m3", false), older) {
		t.Error("newer content, or a new start of the same master, replaces anything")
	}
	if !publish(t, master("m4", true), t.TempDir()) {
		t.Error("force replaces anything")
	}
	if changed, err := m1.Publish(t.Context(), "states", newer); !errors.Is(err, ErrOlder) && err != nil || !changed && err == nil {
		t.Errorf("a publisher whose tree was replaced: %v, %v", changed, err)
	}
}

func TestForeignPointer(t *testing.T) {
	srv, other := server.StartTest(t), server.StartTest(t)
	dir := content{"f": "1"}.write(t, t.TempDir())
	publish(t, newPublisher(t, other), dir)
	foreign, err := other.Core(t).Get(t.Context(), bus.BucketTrees, "states")
	if err != nil {
		t.Fatal(err)
	}
	core := srv.Core(t)
	if _, err := core.Put(t.Context(), bus.BucketTrees, "states", foreign.Value); err != nil {
		t.Fatal(err)
	}
	_, err = newPublisher(t, srv).Publish(t.Context(), "states", dir)
	want := `tree "states": pointer: the signature is not the account's: is account.seed the one of the master that published it? --force-publish replaces the tree`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	_, err = tree.Load(t.Context(), "f")
	want = `tree "states": pointer: the signature is not the account's: the master that published it has another account.seed than the one this peel enrolled with`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	forced := newPublisher(t, srv, func(o *PublisherOptions) { o.Force = true })
	if !publish(t, forced, dir) {
		t.Error("force must replace a foreign pointer")
	}
	if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "1" {
		t.Errorf("Load after the repair: %q, %v", got, err)
	}
}

// chunks lists the chunks that the bucket holds.
func chunks(t testing.TB, conn *bus.Conn) map[string]bool {
	t.Helper()
	entries, err := conn.GetMany(t.Context(), bus.BucketFiles, ">")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, e := range entries {
		out[e.Key] = true
	}
	return out
}

func TestCollect(t *testing.T) {
	srv := server.StartTest(t)
	core, p, dir := srv.Core(t), newPublisher(t, srv), t.TempDir()
	text := func(i int) string { return fmt.Sprint("version ", i) }
	has := func(i int) bool { return chunks(t, core)[digestOf([]byte(text(i))).String()] }
	for i := range keepManifests + 3 {
		publish(t, p, content{"f": text(i), "same": "same"}.write(t, dir))
	}
	for i := range keepManifests + 3 {
		if want := i >= 3; has(i) != want {
			t.Errorf("version %d is in the bucket: %v", i, !want)
		}
	}
	if n := len(chunks(t, core)); n != 2*keepManifests+1 {
		t.Errorf("%d chunks", n)
	}
	publish(t, p, content{"f": text(0)}.write(t, dir)) // deleted by now, and wanted again
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	if got := readAll(t, tree); !maps.Equal(got, content{"f": text(0), "same": "same"}) {
		t.Errorf("got %q", got)
	}
	orphan := []byte("nobody needs this")
	if _, err := core.Put(t.Context(), bus.BucketFiles, digestOf(orphan).String(), orphan); err != nil {
		t.Fatal(err)
	}
	before := chunks(t, core)
	publish(t, newPublisher(t, srv), dir)
	if !maps.Equal(chunks(t, core), before) {
		t.Error("a young orphan must stay: it may belong to a publication at work")
	}
	next := newPublisher(t, srv)
	next.orphanAge = 0
	publish(t, next, dir)
	delete(before, digestOf(orphan).String())
	if got := chunks(t, core); !maps.Equal(got, before) {
		t.Errorf("%d chunks instead of %d", len(got), len(before))
	}
}

// TestInterrupted stops a publication half-way: readers see the old tree, and what was sent is not sent again.
func TestInterrupted(t *testing.T) {
	chunks := 200
	for !interrupted(t, chunks) { // the publication was over before it could be stopped
		if chunks *= 2; chunks > 2000 {
			t.Fatal("no publication could be interrupted")
		}
	}
}

func interrupted(t *testing.T, chunks int) (done bool) {
	srv := server.StartTest(t)
	core, p, dir := srv.Core(t), newPublisher(t, srv), t.TempDir()
	publish(t, p, content{"f": "old"}.write(t, dir))
	want := content{"f": "new"}
	for i := range chunks {
		want[fmt.Sprintf("g%03d", i)] = strings.Repeat(fmt.Sprintf("%07d\n", i), ChunkSize/8)
	}
	want.write(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() {
		_, err := p.Publish(ctx, "states", dir)
		stopped <- err
	}()
	first := digestOf([]byte(want["g000"])).String()
	count := func() (n int, hasFirst bool) {
		names, err := core.StreamSubjects(t.Context(), filesStream, bus.ValueSubject(bus.BucketFiles, ">"))
		if err != nil {
			t.Fatal(err)
		}
		_, hasFirst = names[bus.ValueSubject(bus.BucketFiles, first)]
		return len(names), hasFirst
	}
	waitFor(t, "some chunks, the first among them", func() bool { n, hasFirst := count(); return hasFirst && n > 5 })
	cancel()
	if err := <-stopped; err == nil {
		return false
	} else if !errors.Is(err, context.Canceled) {
		t.Fatalf("the publication was meant to be interrupted: %v", err)
	}
	peel := srv.Peel(t, "p")
	if got := readAll(t, newTree(t, srv, peel, t.TempDir())); !maps.Equal(got, content{"f": "old"}) {
		t.Fatalf("after the interruption: %d files", len(got))
	}
	sent, _ := count()
	next := newPublisher(t, srv) // as after a crash
	publish(t, next, dir)
	if got := readAll(t, newTree(t, srv, peel, t.TempDir())); !maps.Equal(got, want) {
		t.Fatalf("after the second try: %d files", len(got))
	}
	e, err := core.Get(t.Context(), bus.BucketFiles, first)
	if err != nil || int(e.Revision) > sent {
		t.Errorf("the first chunk was sent again, as revision %d after %d: %v", e.Revision, sent, err)
	}
	return true
}

// TestLostBucket: chunks that are gone come back when a master starts.
func TestLostBucket(t *testing.T) {
	srv := server.StartTest(t)
	core, dir := srv.Core(t), content{"f": "1"}.write(t, t.TempDir())
	publish(t, newPublisher(t, srv), dir)
	if _, err := core.Request(t.Context(), "$JS.API.STREAM.PURGE."+filesStream, nil); err != nil {
		t.Fatal(err)
	}
	tree := newTree(t, srv, srv.Peel(t, "p"), t.TempDir())
	if _, err := tree.Load(t.Context(), "f"); !errors.Is(err, ErrMissing) {
		t.Errorf("Load without chunks: %v", err)
	}
	if publish(t, newPublisher(t, srv), dir) {
		t.Error("the tree has not changed")
	}
	if got, err := tree.Load(t.Context(), "f"); err != nil || string(got) != "1" {
		t.Errorf("Load after the repair: %q, %v", got, err)
	}
}
