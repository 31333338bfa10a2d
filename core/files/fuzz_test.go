package files

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

func manifestOf(t testing.TB, names ...string) []byte {
	t.Helper()
	m := &manifest{}
	for i, n := range names {
		big := newBlob(ChunkSize+int64(i), digestOf([]byte(n)), []Digest{digestOf(nil), digestOf([]byte(n))})
		m.files = append(m.files, file{Path: n, Exec: i%2 == 0, Body: big})
	}
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzManifest: what is accepted comes out the same, and names nothing outside a directory.
func FuzzManifest(f *testing.F) {
	f.Add(manifestOf(f))
	f.Add(manifestOf(f, "a", "b/c", "b/d"))
	f.Add(manifestOf(f, "../a"))
	f.Add(manifestOf(f, "/a"))
	f.Add(manifestOf(f, "a", "a/b"))
	f.Add(manifestOf(f, "b", "a"))
	f.Add([]byte{0x82})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data)
		if err != nil {
			if m != nil {
				t.Fatal("a manifest and an error")
			}
			return
		}
		for i := range m.files {
			e := &m.files[i]
			if p := e.Path; !fs.ValidPath(p) || p == "." || path.Clean(p) != p || strings.HasPrefix(p, "/") {
				t.Fatalf("path %q", p)
			}
			if m.find(e.Path) != e {
				t.Fatalf("%q is not found", e.Path)
			}
			for k := range min(e.Body.count(), 10) {
				if n := e.Body.chunkLen(k); n < 1 || n > ChunkSize {
					t.Fatalf("chunk %d of %q has %d bytes", k, e.Path, n)
				}
				e.Body.chunk(k)
			}
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		same, err := decodeManifest(again)
		if err != nil || !slices.EqualFunc(m.files, same.files, func(a, b file) bool {
			return a.info() == b.info() && bytes.Equal(a.Body.Chunks, b.Body.Chunks)
		}) {
			t.Fatalf("encoding and decoding changes it: %v", err)
		}
	})
}

// FuzzPointer: nothing is accepted that the account has not signed for the tree.
func FuzzPointer(f *testing.F) {
	account := testAccount(f)
	p := (*pointer)(nil).next("states", "m", time.Unix(1, 0), time.Unix(1, 0), 1, newBlob(3, digestOf(nil), nil))
	good, err := p.seal(account)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := openPointer("states", account.Public(), good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	unsigned, err := bus.Marshal(signedPointer{Pointer: []byte{0x80}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unsigned)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := openPointer("states", account.Public(), data)
		if err != nil {
			if got != nil {
				t.Fatal("a pointer and an error")
			}
			return
		}
		var signed, original signedPointer
		if bus.Unmarshal(data, &signed) != nil || bus.Unmarshal(good, &original) != nil || !bytes.Equal(signed.Pointer, original.Pointer) {
			t.Fatal("accepted what was never signed")
		}
	})
}

func testAccount(t testing.TB) *keys.Account {
	h, err := keys.NewHierarchy("test")
	if err != nil {
		t.Fatal(err)
	}
	return h.Account()
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", ".", "a/b", "a/../b", "../a", "/a", "a//b/", "a/../../b", "\xff", "a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, err := Clean(s)
		if err != nil {
			if clean != "" || !errors.Is(err, ErrPath) {
				t.Fatalf("%q: %q, %v", s, clean, err)
			}
			return
		}
		if again, err := Clean(clean); err != nil || again != clean {
			t.Fatalf("%q becomes %q becomes %q: %v", s, clean, again, err)
		}
		if clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "/") || strings.ContainsRune(clean, 0) {
			t.Fatalf("%q leaves the tree as %q", s, clean)
		}
	})
}
