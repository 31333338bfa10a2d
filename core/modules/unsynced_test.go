package modules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// watched is an unsynced that tells what it made the disk have.
func watched(u *unsynced) (synced *[]string) {
	synced = new([]string)
	file, system := u.file, u.system
	u.file = func(f *os.File) error { *synced = append(*synced, f.Name()); return file(f) }
	u.system = func(f *os.File) error { *synced = append(*synced, "all"); return system(f) }
	return synced
}

// TestSynced: what a call has written is on the disk when it is over, however it was written; many files cost one wait.
func TestSynced(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(root+"/old", []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		function string
		args     []any
		want     []string
	}{
		{"file.write", []any{root + "/new", "text"}, []string{root, root + "/new"}},
		{"file.write", []any{root + "/old", "text"}, []string{root}}, // its content is on the disk before it replaces the old
		{"file.mkdir", []any{root + "/a/b"}, []string{root, root + "/a"}},
		{"file.symlink", []any{"old", root + "/link"}, []string{root}},
		{"file.copy", []any{root + "/old", root + "/a/copy"}, []string{root + "/a", root + "/a/copy"}},
		{"file.rename", []any{root + "/a/copy", root + "/moved"}, []string{root, root + "/a"}},
		{"file.read", []any{root + "/old"}, nil},
	} {
		u := newUnsynced()
		synced := watched(u)
		_, err := Builtin().Call(t.Context(), &Env{unsynced: u}, c.function, c.args, nil)
		if err := errors.Join(err, u.settle(), u.settle()); err != nil {
			t.Errorf("%s: %v", c.function, err)
		}
		if slices.Sort(*synced); !slices.Equal(*synced, c.want) {
			t.Errorf("%s: the disk has %v, want %v", c.function, *synced, c.want)
		}
	}
	u := newUnsynced()
	synced := watched(u)
	for i := range syncedAlone {
		if _, err := Builtin().Call(t.Context(), &Env{unsynced: u}, "file.write", []any{fmt.Sprintf("%s/many/%d", root, i), "x"}, nil); err == nil {
			t.Fatal("there is no directory, and it was written")
		}
		if _, err := Builtin().Call(t.Context(), &Env{unsynced: u}, "file.write", []any{fmt.Sprintf("%s/a/%d", root, i), "x"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.settle(); err != nil || !slices.Equal(*synced, []string{"all"}) {
		t.Errorf("many files: %v (%v)", *synced, err)
	}
}

// TestSyncedGone: what has gone or changed since it was written is nothing to wait for.
func TestSyncedGone(t *testing.T) {
	root := t.TempDir()
	u := newUnsynced()
	synced := watched(u)
	err := errors.Join(syscall.Mkfifo(root+"/fifo", 0o600), os.Symlink("/dev/zero", root+"/link"), os.WriteFile(root+"/file", nil, 0o600))
	for _, name := range []string{"fifo", "link", "gone", "file/below", "gone/below"} {
		err = errors.Join(err, u.written(filepath.Join(root, name)))
	}
	if err = errors.Join(err, u.settle()); err != nil || strings.Contains(fmt.Sprint(*synced), "link") {
		t.Errorf("%v (%v)", *synced, err)
	}
}

// TestNotSynced: a disk that does not take what was written makes the call fail, with what it returned.
func TestNotSynced(t *testing.T) {
	root := t.TempDir()
	for _, c := range []struct {
		value any
		err   error
		want  string
	}{
		{"value", nil, "value"},
		{nil, &Failure{Value: "report", Code: 2, Msg: "1 of 2 states failed"}, "report 1 of 2 states failed; "},
		{nil, errors.New("wrong"), "wrong\n"},
	} {
		u := newUnsynced()
		u.file = func(*os.File) error { return syscall.EIO }
		if err := u.written(root + "/f"); err != nil {
			t.Fatal(err)
		}
		value, err := u.settled(c.value, c.err)
		var failure *Failure
		got := fmt.Sprint(err)
		if errors.As(err, &failure) {
			got = fmt.Sprint(failure.Value, " ", err)
		}
		if want := "what was written may not outlast a power failure: input/output error"; value != nil || !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, want) {
			t.Errorf("%v, %s", value, got)
		}
	}
}
