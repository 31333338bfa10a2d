package settings

import (
	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/render"
)

// Map is a mapping of settings, in the order in which the files give its keys: what templates iterate over.
type Map = document.Map

var _ render.Ordered = (*Map)(nil)

// NewMap returns an empty Map with room for n keys.
func NewMap(n int) *Map { return document.NewMap(n) }

// FromPlain makes a Map of plain data, at every depth, with the keys sorted: the data has no order.
func FromPlain(data map[string]any) *Map { return document.FromPlain(data) }

// Plain turns a value of a Map into plain data; any other value is returned as it is.
func Plain(v any) any { return document.Plain(v) }

// Parse reads the text of a settings file that is no template: name stands in errors. Nothing in it can be !encrypted.
func Parse(name string, text []byte) (*Map, error) {
	s := &sheet{name: name, text: string(text)}
	node, err := s.parse()
	if err != nil {
		return nil, err
	}
	if node == nil {
		return NewMap(0), nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, s.at(node.Line, "a settings file is a mapping")
	}
	m, err := s.reader(func(n *yaml.Node) (any, error) {
		return nil, document.Errorf(n, "an !encrypted value can be read on a master only: write the value itself")
	}).Map(node)
	if err != nil {
		return nil, s.located(err)
	}
	return m, nil
}
