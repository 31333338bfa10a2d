package render

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
)

// loadAs reads the text of a load_yaml, load_json or load_text block or file.
func loadAs(format string, v any) any {
	s := str(v)
	switch format {
	case "yaml":
		return loadYAML(s)
	case "json":
		out, err := DecodeJSON([]byte(s))
		if err != nil {
			throw("TemplateRuntimeError", "%s", err)
		}
		return out
	}
	return s
}

func loadYAML(s string) any {
	v, err := DecodeYAML([]byte(s))
	if err != nil {
		throw("TemplateRuntimeError", "%s", err)
	}
	return v
}

// DecodeYAML reads one YAML document as Salt does: YAML 1.1 scalars, dates as
// strings, a key given twice is an error. Mappings keep the order of their keys.
func DecodeYAML(data []byte) (v any, err error) {
	defer catch(&err)
	node, err := document.Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("yaml: %w", err)
	}
	if node == nil {
		return nil, nil
	}
	d := &yamlDecoder{budget: 1_000_000}
	return d.value(node, 0), nil
}

type yamlDecoder struct{ budget int }

func (d *yamlDecoder) value(n *yaml.Node, depth int) any {
	if d.budget--; d.budget < 0 || depth > maxNesting {
		throw("ValueError", "yaml: line %d: document too large or nested too deeply", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		l := &List{}
		for _, c := range n.Content {
			l.items = append(l.items, d.value(c, depth+1))
		}
		return l
	case yaml.MappingNode:
		return d.mapping(n, depth)
	}
	return yamlScalar(n)
}

func (d *yamlDecoder) mapping(n *yaml.Node, depth int) any {
	out := &Dict{}
	own := &Dict{}
	merges := func(k *yaml.Node) bool {
		return k.Tag == "!!merge" || k.Value == "<<" && k.Style == 0 && k.Kind == yaml.ScalarNode
	}
	for i := 0; i+1 < len(n.Content); i += 2 { // what is merged comes first
		if merges(n.Content[i]) {
			d.merge(out, n.Content[i+1], depth)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if merges(k) {
			continue
		}
		key := d.value(k, depth+1)
		if l, ok := key.(*List); ok {
			key = &Tuple{items: l.items}
		}
		if !hashable(key) {
			throw("ValueError", "yaml: line %d: found unhashable key", k.Line)
		}
		if own.find(key) >= 0 {
			throw("ValueError", "yaml: line %d: key %s is given twice", k.Line, repr(key))
		}
		own.put(key, nil)
		out.put(key, d.value(v, depth+1))
	}
	return out
}

// merge takes over the keys of <<; what is already there stays.
func (d *yamlDecoder) merge(out *Dict, n *yaml.Node, depth int) {
	var from []any
	switch v := d.value(n, depth+1).(type) {
	case *Dict:
		from = []any{v}
	case *List:
		from = v.items
	}
	for _, m := range from {
		src, ok := m.(*Dict)
		if !ok {
			throw("ValueError", "yaml: line %d: << needs a mapping", n.Line)
		}
		for k, v := range src.All() {
			if out.find(k) < 0 {
				out.put(k, v)
			}
		}
	}
}

var notBase64 = regexp.MustCompile(`[^A-Za-z0-9+/=]`)

func yamlScalar(n *yaml.Node) any {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.Tag {
		case "!!str":
			return n.Value
		case "!!binary":
			b, err := base64.StdEncoding.DecodeString(notBase64.ReplaceAllString(n.Value, ""))
			if err != nil {
				throw("ValueError", "yaml: line %d: failed to decode base64 data", n.Line)
			}
			if utf8.Valid(b) { // as Salt takes all bytes it can for text
				return string(b)
			}
			return b
		case "!!int", "!!float", "!!bool", "!!null":
			if v := document.Implicit(n.Value); v != any(n.Value) {
				if i, ok := v.(int64); ok && n.Tag == "!!float" {
					return float64(i)
				}
				return v
			}
			throw("ValueError", "yaml: line %d: %s is no %s", n.Line, repr(n.Value), n.Tag)
		}
		if strings.HasPrefix(n.Tag, "!") {
			throw("ValueError", "yaml: line %d: could not determine a constructor for the tag %s", n.Line, repr(n.Tag))
		}
		return n.Value
	}
	if !plain {
		return n.Value
	}
	if n.Value == "<<" {
		throw("ValueError", "yaml: line %d: << is a key, it has no meaning as a value (quote it)", n.Line)
	}
	return document.Implicit(n.Value)
}
