package document

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

const (
	// maxNodes bounds what aliases may expand to, so that a few lines cannot fill the memory.
	maxNodes = 1_000_000
	// MaxNested is how deep values may nest: it leaves what is around them room below the bus's own bound of 64.
	MaxNested = 50
)

// Reader makes data of the nodes of one document. The zero value is ready to use.
type Reader struct {
	// Tags gives the values of nodes with a tag of their own, such as !encrypted; other such tags are errors.
	Tags map[string]func(node *yaml.Node) (any, error)

	nodes int
}

// Value returns the data of a node with its mappings in order, as *Map.
func (r *Reader) Value(node *yaml.Node) (any, error) { return r.value(node, true, 0) }

// Plain returns the data of a node with its mappings as map[string]any.
func (r *Reader) Plain(node *yaml.Node) (any, error) { return r.value(node, false, 0) }

// Map returns the data of a mapping.
func (r *Reader) Map(node *yaml.Node) (*Map, error) {
	m := NewMap(len(node.Content) / 2)
	return m, r.fill(node, true, 0, m.Set)
}

func (r *Reader) value(node *yaml.Node, ordered bool, depth int) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, Errorf(node, "the file expands to more than %d values", maxNodes)
	}
	if depth > MaxNested {
		return nil, Errorf(node, "nested deeper than %d", MaxNested)
	}
	if tagged := r.Tags[node.Tag]; tagged != nil {
		return tagged(node)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return r.value(node.Alias, ordered, depth+1)
	case yaml.ScalarNode:
		return scalar(node)
	case yaml.SequenceNode:
		if err := plainTag(node, "!!seq"); err != nil {
			return nil, err
		}
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			var err error
			if list[i], err = r.value(item, ordered, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		if err := plainTag(node, "!!map"); err != nil {
			return nil, err
		}
		if ordered {
			m := NewMap(len(node.Content) / 2)
			return m, r.fill(node, true, depth, m.Set)
		}
		m := make(map[string]any, len(node.Content)/2)
		return m, r.fill(node, false, depth, func(key string, v any) { m[key] = v })
	}
	return nil, Errorf(node, "unexpected YAML")
}

func (r *Reader) fill(node *yaml.Node, ordered bool, depth int, set func(string, any)) error {
	return r.Pairs(node, func(key string, _, value *yaml.Node) error {
		v, err := r.value(value, ordered, depth+1)
		set(key, v)
		return err
	})
}

func plainTag(node *yaml.Node, tag string) error {
	if node.Tag != tag && node.Tag != "" {
		return Errorf(node, "unknown YAML tag %s", node.Tag)
	}
	return nil
}

// Pairs calls do for each key of a mapping in the order that they have in Salt: what is merged in (<<), from the last of
// several mappings to the first, then the mapping's own. A merged key gives way to the mapping's own; any other key that
// is there twice is an error.
func (r *Reader) Pairs(node *yaml.Node, do func(key string, keyNode, value *yaml.Node) error) error {
	if len(node.Content) == 2 { // as most arguments are
		if key := Resolve(node.Content[0]); key.Kind == yaml.ScalarNode && key.Tag != "!!merge" {
			return do(key.Value, key, node.Content[1])
		}
	}
	pairs, err := r.collect(node, 0)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := do(p.key.Value, p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

type keyValue struct{ key, value *yaml.Node }

func (r *Reader) collect(node *yaml.Node, depth int) ([]keyValue, error) {
	if depth > MaxNested {
		return nil, Errorf(node, "merge keys (<<) nest too deeply")
	}
	own := make([]keyValue, 0, len(node.Content)/2)
	seen := make(map[string]int, len(node.Content)/2)
	var sources []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := Resolve(node.Content[i]), node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return nil, Errorf(key, "a list or mapping cannot be a key: is it a template expression without quotes?")
		}
		if key.Tag == "!!merge" {
			sources = append(sources, value)
			continue
		}
		if line, twice := seen[key.Value]; twice {
			return nil, Errorf(key, "%q is there twice, first on line %d", key.Value, line)
		}
		seen[key.Value] = key.Line
		own = append(own, keyValue{key, value})
	}
	if len(sources) == 0 {
		return own, nil
	}
	var merged []keyValue
	for _, value := range sources {
		more, err := r.merged(value, depth)
		if err != nil {
			return nil, err
		}
		merged = append(merged, more...)
	}
	merged = slices.DeleteFunc(merged, func(p keyValue) bool { _, given := seen[p.key.Value]; return given })
	for _, p := range merged {
		if line, twice := seen[p.key.Value]; twice {
			return nil, Errorf(sources[0], "%q is merged in (<<) twice, from lines %d and %d", p.key.Value, min(line, p.key.Line), max(line, p.key.Line))
		}
		seen[p.key.Value] = p.key.Line
	}
	return append(merged, own...), nil
}

// merged gives the pairs that one merge key brings in.
func (r *Reader) merged(value *yaml.Node, depth int) ([]keyValue, error) {
	list := []*yaml.Node{Resolve(value)}
	if list[0].Kind == yaml.SequenceNode {
		list = list[0].Content
	}
	var out []keyValue
	for _, source := range slices.Backward(list) {
		source = Resolve(source)
		if r.nodes += len(source.Content); r.nodes > maxNodes {
			return nil, Errorf(value, "the file expands to more than %d values", maxNodes)
		}
		if source.Kind != yaml.MappingNode {
			return nil, Errorf(value, "a merge key (<<) takes mappings")
		}
		pairs, err := r.collect(source, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, pairs...)
	}
	return out, nil
}
