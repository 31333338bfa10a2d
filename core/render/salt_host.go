package render

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

func filterFileHash(f *frame, v any, a args) any {
	h := hashByName(wantStr(or(a.bind("file_hashsum", 0, "form")[0], "sha256")))
	file, err := os.Open(wantStr(v))
	if err != nil {
		throw("OSError", "%s", err)
	}
	defer file.Close()
	if _, err := io.Copy(h, &watched{f.r, file}); err != nil {
		throw("OSError", "%s", err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// watched is a reader that stops when the rendering is canceled.
type watched struct {
	r *run
	io.Reader
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.r.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Reader.Read(p)
}

func filterIsEmpty(_ *frame, v any, a args) any {
	a.none("is_empty")
	st, err := os.Stat(wantStr(v))
	return err == nil && st.Size() == 0
}

// firstBlock reads the beginning of a regular file.
func firstBlock(name string) ([]byte, bool) {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() {
		return nil, false
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	b := make([]byte, 512)
	n, err := io.ReadFull(file, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false
	}
	return b[:n], true
}

// binaryBlock guesses, as Salt does: a NUL byte, or many unprintable ones.
func binaryBlock(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return true
	}
	if utf8.Valid(b) {
		return false
	}
	odd := 0
	for _, c := range b {
		if (c < ' ' || c > '~') && !strings.ContainsRune("\n\r\t\f\b", rune(c)) {
			odd++
		}
	}
	return odd*10 > len(b)*3
}

func filterIsText(_ *frame, v any, a args) any {
	a.bind("is_text_file", 0, "blocksize")
	b, ok := firstBlock(wantStr(v))
	return ok && !binaryBlock(b)
}

func filterIsBinary(_ *frame, v any, a args) any {
	a.none("is_bin_file")
	b, ok := firstBlock(wantStr(v))
	return ok && binaryBlock(b)
}

func filterListFiles(f *frame, v any, a args) any {
	a.none("list_files")
	out := &List{}
	_ = filepath.WalkDir(wantStr(v), func(p string, _ fs.DirEntry, err error) error {
		f.r.step()
		if err == nil || len(out.items) == 0 {
			out.items = append(out.items, p)
		}
		return nil // what cannot be read is left out
	})
	return out
}

func filterWhich(_ *frame, v any, a args) any {
	a.none("which")
	exe := wantStr(v)
	if exe == "" {
		return nil
	}
	runs := func(p string) bool {
		st, err := os.Stat(p)
		return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
	}
	if runs(exe) {
		return exe
	}
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")
	for _, d := range dirs {
		if p := filepath.Join(d, exe); runs(p) {
			return p
		}
	}
	return nil
}

func filterUID(_ *frame, v any, a args) any {
	a.none("get_uid")
	u, err := user.Lookup(wantStr(v))
	if err != nil {
		return nil
	}
	n, err := strconv.ParseInt(u.Uid, 10, 64)
	if err != nil {
		return u.Uid
	}
	return n
}
