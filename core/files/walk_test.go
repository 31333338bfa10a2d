package files

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/ptorbus/zester/core/server"
)

func TestLinks(t *testing.T) {
	outside := content{"secret": "s"}.write(t, t.TempDir())
	dir := content{"real/f": "1"}.write(t, t.TempDir())
	for link, to := range map[string]string{
		"file":        "real/f",
		"directory":   "real",
		"real/loop":   "..",
		"dangling":    "nowhere",
		"out":         outside,
		"out-file":    outside + "/secret",
		"up":          "../../../../etc/passwd",
		"absolute":    dir + "/real/f",
		"real/.#lock": "user@host",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	warned := map[string]string{}
	w, err := walk(t.Context(), root, func(p, msg string) { warned[p] = msg })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range w.files {
		got = append(got, f.path)
	}
	if want := "directory/f file real/f"; strings.Join(got, " ") != want {
		t.Errorf("files: %q, want %s", got, want)
	}
	const link = "left out: the link leads nowhere, or out of the tree; only relative links inside it are followed"
	const loop = "left out: the link leads to a directory that holds it"
	want := map[string]string{
		"dangling": link, "out": link, "out-file": link, "up": link, "absolute": link,
		"real/loop": loop, "directory/loop": loop, "pipe": "left out: neither a file nor a directory",
	}
	if !maps.Equal(warned, want) {
		t.Errorf("warnings: %q", warned)
	}
	for _, path := range []string{"out/secret", "out-file", "up", "absolute", "pipe"} {
		if data, err := Dir(dir).Load(t.Context(), path); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Dir.Load(%q) = %q, %v", path, data, err)
		}
	}
	if data, err := Dir(dir).Load(t.Context(), "directory/f"); err != nil || string(data) != "1" {
		t.Errorf("Dir.Load through a link inside: %q, %v", data, err)
	}
}

// TestUnreadable gives up root's rights for a thread to see what another user would.
func TestUnreadable(t *testing.T) {
	srv := server.StartTest(t)
	p, dir := newPublisher(t, srv), content{"a": "1", "d/locked": "2"}.write(t, t.TempDir())
	publish(t, p, dir)
	content{"a": "changed"}.write(t, dir)
	if err := os.Chmod(filepath.Join(dir, "d/locked"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	p = newPublisher(t, srv) // without a record of what it has read
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	_, err := p.Publish(t.Context(), "states", dir)
	if err := syscall.Setfsuid(os.Getuid()); err != nil {
		t.Fatal(err)
	}
	want := `tree "states": d/locked: permission denied: make it readable for this user, or move it out of the tree`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got, err := newTree(t, srv, srv.Peel(t, "p"), t.TempDir()).Load(t.Context(), "a"); err != nil || string(got) != "1" {
		t.Errorf("what is published after the error: %q, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	srv := server.StartTest(t)
	p := newPublisher(t, srv)
	for name, want := range map[string]string{
		"":       `tree "": a name has 1 to 64 characters`,
		"a.b":    `tree "a.b": '.' is not allowed in a name: use a-z, 0-9, '_' and '-'`,
		"states": `tree "states": directory /nowhere/at/all: file does not exist`,
	} {
		if _, err := p.Publish(t.Context(), name, "/nowhere/at/all"); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", name, err, want)
		}
	}
	dir := content{"f": ""}.write(t, t.TempDir())
	if _, err := p.Publish(t.Context(), "states", filepath.Join(dir, "f")); err == nil || !strings.HasSuffix(err.Error(), "/f: not a directory") {
		t.Errorf("a file instead of a directory: %v", err)
	}
}
