package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/render"
)

// settingsFile is one file as it came out of rendering. Immutable.
type settingsFile struct {
	data     *Map
	includes []include
	secrets  []secret
	rendered bool // as in document
}

// secret is an !encrypted value.
type secret struct {
	text  string // encrypted, without white space
	where error  // the start of an error
}

// has says whether the file gives this secret too.
func (f *settingsFile) has(s secret) bool {
	return slices.ContainsFunc(f.secrets, func(own secret) bool { return own.text == s.text })
}

// include is another file that this one builds on.
type include struct {
	name
	key      []string       // where in the settings its data goes; empty for the top
	defaults map[string]any // more variables for its template
}

// parseFile reads a rendered file. source is the file itself: encrypted text is taken only if it stands there, since
// text that has come in by way of a fact or another file is not what the file's author meant to be decrypted.
func parseFile(d *sheet, source []byte, a Account) (*settingsFile, error) {
	node, err := d.parse()
	if err != nil {
		return nil, err
	}
	if node == nil {
		return &settingsFile{}, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, d.at(node.Line, "a settings file is a mapping")
	}
	f := &settingsFile{data: NewMap(len(node.Content) / 2), rendered: d.rendered}
	r := d.reader(func(n *yaml.Node) (any, error) {
		f.secrets = append(f.secrets, secret{squeeze(n.Value), d.at(n.Line, "an !encrypted value")})
		return decrypt(d, n, source, a)
	})
	err = r.Pairs(node, func(key string, _, value *yaml.Node) error {
		if key == "include" {
			return f.addIncludes(d, r, document.Resolve(value))
		}
		v, err := r.Value(value)
		f.data.Set(key, v)
		return err
	})
	if err != nil {
		return nil, d.located(err)
	}
	return f, nil
}

func decrypt(d *sheet, n *yaml.Node, source []byte, a Account) (any, error) {
	if n.Kind != yaml.ScalarNode {
		return nil, d.at(n.Line, "!encrypted takes a text, as \"zester settings encrypt\" prints it")
	}
	plain, err := a.DecryptValue(n.Value)
	if err != nil {
		return nil, d.at(n.Line, "!encrypted: %w", err)
	}
	if !standsIn(source, n.Value) {
		return nil, d.at(n.Line, "!encrypted: this text does not stand in the file itself: write it here, not into a file that is included or a variable")
	}
	if !utf8.Valid(plain) {
		return plain, nil
	}
	return string(plain), nil
}

// standsIn compares without white space, which YAML folds.
func standsIn(source []byte, text string) bool {
	return strings.Contains(squeeze(string(source)), squeeze(text))
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func (f *settingsFile) addIncludes(d *sheet, r *document.Reader, node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return d.at(node.Line, "include: expected a list of files")
	}
	for _, item := range node.Content {
		item = document.Resolve(item)
		in := include{name: name{text: item.Value, line: item.Line}}
		if item.Kind == yaml.MappingNode && len(item.Content) == 2 && item.Content[0].Kind == yaml.ScalarNode {
			in.text = item.Content[0].Value
			if err := in.options(d, r, document.Resolve(item.Content[1])); err != nil {
				return err
			}
		} else if item.Kind != yaml.ScalarNode || document.IsNull(item) {
			return d.at(item.Line, "include: expected the name of a file")
		}
		f.includes = append(f.includes, in)
	}
	return nil
}

func (in *include) options(d *sheet, r *document.Reader, node *yaml.Node) error {
	if document.IsNull(node) {
		return nil
	}
	v, err := r.Value(node)
	if err != nil {
		return err
	}
	options, ok := v.(*Map)
	if !ok {
		return d.at(node.Line, "include %q: expected the options \"defaults\" and \"key\"", in.text)
	}
	for option, v := range options.All() {
		switch v := v.(type) {
		case nil:
			continue
		case *Map:
			if option == "defaults" {
				in.defaults = maps.Collect(v.All())
				continue
			}
		case string:
			if option == "key" {
				in.key = strings.Split(v, ":")
				continue
			}
		}
		return d.at(node.Line, "include %q: %q: expected \"defaults\", a mapping, or \"key\", a text", in.text, option)
	}
	return nil
}

var errShebang = errors.New("the first line names a renderer that there is not: use \"#!jinja|yaml\", \"#!yaml\" or none")

// renderers reads a file's first line: whether the file is a template.
func renderers(source []byte) (template bool, err error) {
	line, _, _ := strings.Cut(string(source), "\n")
	spec, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return true, nil
	}
	switch strings.ReplaceAll(strings.TrimSpace(spec), " ", "") {
	case "jinja|yaml", "jinja":
		return true, nil
	case "yaml":
		return false, nil
	}
	return false, errShebang
}

// render makes the text of a file for one peel, with one of the tree's engines.
func (t *tree) render(ctx context.Context, engine *render.Engine, path string, source []byte, vars map[string]any) (*sheet, error) {
	template, err := renderers(source)
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", inTree(ctx, path), err)
	}
	if !template {
		return &sheet{name: inTree(ctx, path), text: string(source)}, nil
	}
	text, err := engine.Render(ctx, path, source, vars)
	if err != nil {
		if env := files.EnvironmentOf(ctx); env != files.Base {
			err = fmt.Errorf("environment %q: %w", env, err)
		}
		return nil, err
	}
	same := strings.TrimRight(text, "\n") == strings.TrimRight(string(source), "\n")
	return &sheet{name: inTree(ctx, path), text: text, rendered: !same}, nil
}

// file renders and reads a file; equal texts are read once.
func (t *tree) file(ctx context.Context, engine *render.Engine, path string, source []byte, vars map[string]any, a Account) (*settingsFile, error) {
	d, err := t.render(ctx, engine, path, source, vars)
	if err != nil {
		return nil, err
	}
	key := parseKey{d.name, d.text}
	t.mu.Lock()
	f := t.files[key]
	t.mu.Unlock()
	if f != nil {
		return f, nil
	}
	if f, err = parseFile(d, source, a); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.files) >= maxParsed {
		clear(t.files)
	}
	t.files[key] = f
	return f, nil
}
