package files

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/bus"
)

// manifestVersion is the format written; readers refuse others.
const manifestVersion = 1

// file is one file of a manifest.
type file struct {
	Path string `msgpack:"path"`
	Exec bool   `msgpack:"exec"`
	Body blob   `msgpack:"body"`
}

func (f *file) info() Info {
	return Info{Path: f.Path, Size: f.Body.Size, Exec: f.Exec, Digest: f.Body.sum().String()}
}

// manifest is the list of a tree's files, sorted by path. It is immutable.
type manifest struct {
	files []file
}

type manifestWire struct {
	Version int    `msgpack:"version"`
	Files   []file `msgpack:"files"`
}

// encode gives equal bytes for equal trees.
func (m *manifest) encode() ([]byte, error) {
	return bus.Marshal(manifestWire{Version: manifestVersion, Files: m.files})
}

// decodeManifest reads what encode wrote and checks every path and digest list. The error means that there is no manifest.
func decodeManifest(data []byte) (*manifest, error) {
	var wire manifestWire
	if err := bus.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if wire.Version != manifestVersion {
		return nil, fmt.Errorf("manifest: version %d; this zester reads version %d: upgrade the older side", wire.Version, manifestVersion)
	}
	for i := range wire.Files {
		f := &wire.Files[i]
		if err := checkEntry(f.Path); err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		if err := f.Body.check(); err != nil {
			return nil, fmt.Errorf("manifest: %q: %w", f.Path, err)
		}
		if i > 0 && f.Path <= wire.Files[i-1].Path {
			return nil, fmt.Errorf("manifest: %q is out of order", f.Path)
		}
	}
	m := &manifest{wire.Files}
	for i := range m.files {
		if below := m.below(m.files[i].Path); len(below) > 0 {
			return nil, fmt.Errorf("manifest: %q is a file and a directory", m.files[i].Path)
		}
	}
	return m, nil
}

// find returns the file with this clean path, or nil.
func (m *manifest) find(name string) *file {
	i, ok := slices.BinarySearchFunc(m.files, name, func(f file, name string) int { return strings.Compare(f.Path, name) })
	if !ok {
		return nil
	}
	return &m.files[i]
}

// below returns the files of a directory given by clean path, at any depth.
func (m *manifest) below(dir string) []file {
	if dir == "." {
		return m.files
	}
	at := func(bound string) int {
		i, _ := slices.BinarySearchFunc(m.files, bound, func(f file, b string) int { return strings.Compare(f.Path, b) })
		return i
	}
	return m.files[at(dir+"/"):at(dir+"0")] // '0' follows '/'
}

// digests calls each for every chunk of every file; a chunk may come several times.
func (m *manifest) digests(each func(Digest)) {
	for i := range m.files {
		b := &m.files[i].Body
		for k := range b.count() {
			each(b.chunk(k))
		}
	}
}
