package modules

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// content is what a file should hold: in memory, or to be streamed.
type content struct {
	data []byte
	open func() (io.ReadCloser, error) // nil for data
	// mode of a local source, for mode: keep.
	mode   fs.FileMode
	remote bool // on a server
	// sum is the hash it is known to have, if any.
	sum     []byte
	newHash func() hash.Hash
}

func (c *content) reader() (io.ReadCloser, error) {
	if c.open != nil {
		return c.open()
	}
	return io.NopCloser(bytes.NewReader(c.data)), nil
}

const blockSize = 64 << 10

var blocks = sync.Pool{New: func() any { b := make([]byte, blockSize); return &b }}

// equals compares with the file at path without holding either in memory.
func (c *content) equals(path string, size int64) (bool, error) {
	if c.open == nil && int64(len(c.data)) != size {
		return false, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if c.open == nil {
		return equalData(c.data, file)
	}
	if c.sum != nil {
		got, err := sumOf(file, c.newHash)
		return bytes.Equal(got, c.sum), err
	}
	source, err := c.open()
	if err != nil {
		return false, err
	}
	defer source.Close()
	return equalStreams(source, file)
}

func equalData(want []byte, file io.Reader) (bool, error) {
	block := blocks.Get().(*[]byte)
	defer blocks.Put(block)
	for {
		n, err := file.Read(*block)
		if n > len(want) || !bytes.Equal((*block)[:n], want[:n]) {
			return false, nil
		}
		want = want[n:]
		switch {
		case errors.Is(err, io.EOF):
			return len(want) == 0, nil
		case err != nil:
			return false, err
		}
	}
}

func equalStreams(a, b io.Reader) (bool, error) {
	blockA, blockB := blocks.Get().(*[]byte), blocks.Get().(*[]byte)
	defer blocks.Put(blockA)
	defer blocks.Put(blockB)
	for {
		n, errA := io.ReadFull(a, *blockA)
		m, errB := io.ReadFull(b, *blockB)
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if n != m || !bytes.Equal((*blockA)[:n], (*blockB)[:m]) {
			return false, nil
		}
		if n < blockSize {
			return true, nil
		}
	}
}

// wanted returns the content that the arguments of file.managed ask for, nil if they ask for none.
func (s *fileStates) wanted(ctx context.Context, call *states.Call) (*content, error) {
	args := call.Args
	var kinds []string
	for _, key := range []string{"contents", "contents_pillar", "contents_grains", "source"} {
		if args.Has(key) {
			kinds = append(kinds, key)
		}
	}
	switch len(kinds) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, fmt.Errorf("%s cannot be used together", strings.Join(kinds, " and "))
	}
	if kinds[0] == "source" {
		return s.sourceContent(ctx, call)
	}
	value := args[kinds[0]]
	if key, ok := strings.CutPrefix(kinds[0], "contents_"); ok {
		data := s.env.settings()
		if key == "grains" {
			data = s.env.grains()
		}
		var found bool
		if value, found = dig(data, args.Text(kinds[0]), cmp.Or(args.Text("contents_delimiter"), ":")); !found {
			return nil, fmt.Errorf("%s: there is no %q", kinds[0], args.Text(kinds[0]))
		}
	}
	text, err := contentText(value, !args.Has("contents_newline") || args.Bool("contents_newline"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kinds[0], err)
	}
	if args.Has("template") {
		template := text
		if text, err = s.render(ctx, call, call.SLS+":"+call.ID, template); err != nil {
			return nil, err
		}
		if strings.HasSuffix(template, "\n") {
			text += "\n"
		}
	}
	return encoded(text, args)
}

// encoded is a text in the encoding of the arguments.
func encoded(text string, args Args) (*content, error) {
	set, err := newCharset(args.Text("encoding"))
	if err != nil {
		return nil, err
	}
	if text, err = set.encode(text); err != nil {
		return nil, err
	}
	return &content{data: []byte(text)}, nil
}

// contentText joins lines and ends the last one, as Salt does.
func contentText(value any, newline bool) (string, error) {
	var text string
	switch value := value.(type) {
	case nil:
	case map[string]any:
		return "", errors.New("takes text or a list of lines, not a mapping")
	case []any:
		parts := make([]string, len(value))
		for i, line := range value {
			switch line.(type) {
			case map[string]any, []any:
				return "", errors.New("takes text or a list of lines")
			}
			parts[i] = strings.TrimSuffix(python(line), "\n")
		}
		text = strings.Join(parts, "\n")
	default:
		text = python(value)
	}
	if newline && text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text, nil
}

// python writes a scalar as a Salt user expects it in a file.
func python(v any) string {
	switch v {
	case true:
		return "True"
	case false:
		return "False"
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// sourceContent finds the first source that exists.
func (s *fileStates) sourceContent(ctx context.Context, call *states.Call) (*content, error) {
	sources := call.Args.Strings("source")
	for _, source := range sources {
		c, err := s.open(ctx, source, call.Args)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", public(source), err)
		}
		sum, newHash, err := s.wantedSum(ctx, source, call.Name, call.Args)
		switch {
		case err != nil:
			return nil, err
		case sum != nil:
			c = c.verified(sum, newHash)
		case isURL(source) && !call.Args.Bool("skip_verify"):
			return nil, fmt.Errorf("source %q cannot be verified: add source_hash, or skip_verify: true", public(source))
		}
		if err := c.present(len(sources) > 1); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("source %q: %w", public(source), err)
		}
		if !call.Args.Has("template") {
			return c, nil
		}
		if err := c.load(); err != nil {
			return nil, fmt.Errorf("source %q: %w", public(source), err)
		}
		text, err := s.render(ctx, call, treePath(source), string(c.data))
		if err != nil {
			return nil, err
		}
		// As Salt does: a template keeps the newline at its end, which the renderer takes off.
		if bytes.HasSuffix(c.data, []byte("\n")) {
			text += "\n"
		}
		return encoded(text, call.Args)
	}
	if len(sources) == 1 {
		return nil, fmt.Errorf("source %q is not there", public(sources[0]))
	}
	return nil, fmt.Errorf("none of the sources is there: %s", public(strings.Join(sources, ", ")))
}

// treePath is the path in the tree of a salt:// or zy:// source, other sources as they are.
func treePath(source string) string {
	for _, scheme := range []string{"salt://", "zy://"} {
		if path, ok := strings.CutPrefix(source, scheme); ok {
			path, _, _ = strings.Cut(path, "?")
			return path
		}
	}
	return source
}

// present reads the beginning of a source that may be on a server or not be what its hash says: where there are others to
// take instead, and where its hash can be checked at no cost.
func (c *content) present(others bool) error {
	if !others && c.sum == nil || c.open == nil {
		return nil
	}
	if c.remote && !others {
		return nil
	}
	source, err := c.open()
	if err != nil {
		return err
	}
	return source.Close()
}

func (s *fileStates) open(ctx context.Context, source string, args Args) (*content, error) {
	if path := treePath(source); path != source {
		return s.openTree(inSource(ctx, source), path)
	}
	if isURL(source) {
		return s.openURL(ctx, source, args), nil
	}
	path := strings.TrimPrefix(source, "file://")
	if !filepath.IsAbs(path) {
		return nil, errors.New("a source is salt://, zy://, http://, https:// or an absolute path")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("is a directory")
	}
	return &content{open: func() (io.ReadCloser, error) { return os.Open(path) }, mode: info.Mode() & modeBits}, nil
}

// openTree loads a file of the tree, or streams one that is too large to load.
func (s *fileStates) openTree(ctx context.Context, path string) (*content, error) {
	if s.env.Tree == nil {
		return nil, errors.New("there is no states tree")
	}
	data, err := s.env.Tree.Load(ctx, path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || s.env.Open == nil {
		return &content{data: data}, err
	}
	open := func() (io.ReadCloser, error) { return s.env.Open(ctx, path) }
	probe, err := open()
	if err != nil {
		return nil, err
	}
	return &content{open: open}, probe.Close()
}

// load brings a streamed content into memory, for templates.
func (c *content) load() error {
	if c.open == nil {
		return nil
	}
	source, err := c.open()
	if err != nil {
		return err
	}
	defer source.Close()
	c.data, err = io.ReadAll(source)
	c.open = nil
	return err
}

// hashes are those that a source_hash can be, by the size of their sums.
var hashes = map[int]func() hash.Hash{
	md5.Size: md5.New, sha1.Size: sha1.New, sha256.Size224: sha256.New224, sha256.Size: sha256.New, sha512.Size384: sha512.New384, sha512.Size: sha512.New,
}

// render renders a file template: the variables of the SLS file, then defaults, then context.
func (s *fileStates) render(ctx context.Context, call *states.Call, name, text string) (string, error) {
	if kind := call.Args.Text("template"); kind != "jinja" {
		return "", fmt.Errorf("template %q is not supported: use jinja", kind)
	}
	vars := call.Vars()
	vars["source"], vars["accumulator"] = name, s.accumulated.named(call.Name)
	if !strings.Contains(name, ":") {
		dir := filepath.Dir(name)
		vars["tplfile"], vars["tpldir"], vars["tpldot"] = name, dir, strings.ReplaceAll(dir, "/", ".")
	}
	for _, name := range [...]string{"defaults", "context"} {
		for key, value := range call.Args.Ordered(name).All() {
			vars[key] = templateValue(value)
		}
	}
	return s.env.Engine.Render(ctx, name, []byte(text), vars)
}

// templateValue gives a template its own copy of a value, mappings in their order.
func templateValue(v any) any {
	switch v := v.(type) {
	case *settings.Map:
		dict := render.NewDict()
		for key, value := range v.All() {
			dict.Set(key, templateValue(value))
		}
		return dict
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = templateValue(item)
		}
		return render.NewList(items...)
	}
	return v
}
