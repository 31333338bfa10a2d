package settings

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxNodes bounds what aliases may expand to, so that a few lines cannot fill the memory.
	maxNodes = 1_000_000
	// maxNested leaves what is around the settings room below the bus's own bound of 64.
	maxNested = 50
)

// document is the text of one rendered file.
type document struct {
	name     string // path in the tree
	text     string
	rendered bool // the text is not what stands in the file, so its lines are others
}

// at makes an error that names a line of the document.
func (d *document) at(line int, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if d.rendered {
		return fmt.Errorf("%s: line %d as rendered: %w", d.name, line, err)
	}
	return fmt.Errorf("%s:%d: %w", d.name, line, err)
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// parse returns the top node, nil for an empty document.
func (d *document) parse() (*yaml.Node, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(d.text), &node); err != nil {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1])
			return nil, d.at(line, "%s", text[len(m[0]):])
		}
		return nil, fmt.Errorf("%s: %s", d.name, text)
	}
	if node.Kind == 0 || isNull(&node) {
		return nil, nil
	}
	top := node.Content[0]
	if isNull(top) {
		return nil, nil
	}
	return top, nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// reader turns nodes into data as Salt's loader does: yes/no/on/off are booleans, dates stay text, a whole number
// with leading zeros is decimal, and a key that is there twice is an error.
type reader struct {
	doc     *document
	decrypt func(node *yaml.Node) (any, error) // for !encrypted
	nodes   int
}

func (r *reader) value(node *yaml.Node, depth int) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, r.doc.at(node.Line, "the file expands to more than %d values", maxNodes)
	}
	if depth > maxNested {
		return nil, r.doc.at(node.Line, "nested deeper than %d", maxNested)
	}
	if node.Tag == "!encrypted" {
		return r.decrypt(node)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return r.value(node.Alias, depth+1)
	case yaml.ScalarNode:
		return r.scalar(node)
	case yaml.SequenceNode:
		if err := r.plainTag(node, "!!seq"); err != nil {
			return nil, err
		}
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			var err error
			if list[i], err = r.value(item, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		if err := r.plainTag(node, "!!map"); err != nil {
			return nil, err
		}
		return r.mapping(node, depth)
	}
	return nil, r.doc.at(node.Line, "unexpected YAML")
}

func (r *reader) plainTag(node *yaml.Node, tag string) error {
	if node.Tag != tag && node.Tag != "" {
		return r.doc.at(node.Line, "unknown YAML tag %s", node.Tag)
	}
	return nil
}

func (r *reader) mapping(node *yaml.Node, depth int) (*Map, error) {
	m := NewMap(len(node.Content) / 2)
	err := r.pairs(node, depth, func(key string, _, value *yaml.Node) error {
		v, err := r.value(value, depth+1)
		m.Set(key, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// pairs calls do for each key of a mapping in the order that they have in Salt: what is merged in (<<), from the last of
// several mappings to the first, then the mapping's own. Of keys that are there twice, a merged one gives way: to the
// mapping's own, and to that of an earlier mapping.
func (r *reader) pairs(node *yaml.Node, depth int, do func(key string, keyNode, value *yaml.Node) error) error {
	pairs, err := r.collect(node, depth)
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

func (r *reader) collect(node *yaml.Node, depth int) ([]keyValue, error) {
	if depth > maxNested {
		return nil, r.doc.at(node.Line, "merge keys (<<) nest too deeply")
	}
	own := make([]keyValue, 0, len(node.Content)/2)
	seen := make(map[string]int, len(node.Content)/2)
	var sources []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolve(node.Content[i]), node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return nil, r.doc.at(key.Line, "a list or mapping cannot be a key: is it a template expression without quotes?")
		}
		if key.Tag == "!!merge" {
			sources = append(sources, value)
			continue
		}
		if line, twice := seen[key.Value]; twice {
			return nil, r.doc.at(key.Line, "%q is there twice, first on line %d", key.Value, line)
		}
		seen[key.Value] = key.Line
		own = append(own, keyValue{key, value})
	}
	var merged []keyValue
	for _, value := range sources {
		more, err := r.merged(value, seen, depth)
		if err != nil {
			return nil, err
		}
		merged = append(merged, more...)
	}
	return append(merged, own...), nil
}

// merged gives the pairs that one merge key brings in, of keys not seen before.
func (r *reader) merged(value *yaml.Node, seen map[string]int, depth int) ([]keyValue, error) {
	list := []*yaml.Node{resolve(value)}
	if list[0].Kind == yaml.SequenceNode {
		list = list[0].Content
	}
	var out []keyValue
	for _, source := range list {
		source = resolve(source)
		if r.nodes += len(source.Content); r.nodes > maxNodes {
			return nil, r.doc.at(value.Line, "the file expands to more than %d values", maxNodes)
		}
		if source.Kind != yaml.MappingNode {
			return nil, r.doc.at(value.Line, "a merge key (<<) takes mappings")
		}
		pairs, err := r.collect(source, depth+1)
		if err != nil {
			return nil, err
		}
		pairs = slices.DeleteFunc(pairs, func(p keyValue) bool { _, twice := seen[p.key.Value]; return twice })
		for _, p := range pairs {
			seen[p.key.Value] = p.key.Line
		}
		out = append(pairs, out...)
	}
	return out, nil
}

func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

var (
	// A float as YAML 1.1 has it: with a dot, and a sign in its exponent. 1e5 is text, as in a commit id.
	floatText = regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
	intText   = regexp.MustCompile(`^([-+]?)(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$`)
)

func (r *reader) scalar(node *yaml.Node) (any, error) {
	text := node.Value
	switch node.Tag {
	case "!!str":
		if node.Style == 0 {
			switch text {
			case "yes", "Yes", "YES", "on", "On", "ON":
				return true, nil
			case "no", "No", "NO", "off", "Off", "OFF":
				return false, nil
			}
		}
		return text, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(text, "true"), nil
	case "!!int", "!!float":
		v, err := number(text)
		if err != nil {
			return nil, r.doc.at(node.Line, "%w", err)
		}
		return v, nil
	case "!!timestamp":
		return text, nil
	}
	return nil, r.doc.at(node.Line, "unknown YAML tag %s", node.Tag)
}

var errNumber = errors.New("the number does not fit 64 bits: quote it if it is text")

// number reads what looks like one; what is none in YAML 1.1 stays text.
func number(text string) (any, error) {
	if floatText.MatchString(text) {
		return strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	}
	m := intText.FindStringSubmatch(text)
	if m == nil {
		return text, nil
	}
	digits, base := strings.ReplaceAll(m[2], "_", ""), 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		digits, base = digits[2:], 2
	case strings.HasPrefix(digits, "0x"):
		digits, base = digits[2:], 16
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(m[1], "+")+digits, base, 64)
	if err != nil {
		return nil, errNumber
	}
	return n, nil
}
