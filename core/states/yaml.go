package states

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may expand to, so that a few lines cannot fill the memory.
const maxNodes = 1_000_000

// reader turns YAML nodes into plain data as Salt's loader does: yes/no/on/off are booleans, 0644 is 644 (the text
// someone wrote as a mode), dates stay text, and a key that is there twice is an error.
type reader struct {
	nodes int
}

type nodeError struct {
	node *yaml.Node
	msg  string
}

func (e *nodeError) Error() string { return e.msg }

func failAt(node *yaml.Node, format string, args ...any) error {
	return &nodeError{node: node, msg: fmt.Sprintf(format, args...)}
}

// value returns the plain data of node.
func (r *reader) value(node *yaml.Node) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, failAt(node, "the file expands to more than %d values", maxNodes)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return r.value(node.Alias)
	case yaml.ScalarNode:
		return scalar(node)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			var err error
			if list[i], err = r.value(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		m := make(map[string]any, len(node.Content)/2)
		err := r.pairs(node, func(key string, _, value *yaml.Node) error {
			v, err := r.value(value)
			m[key] = v
			return err
		})
		return m, err
	}
	return nil, failAt(node, "unexpected YAML")
}

// pairs calls do for each key of a mapping in order; merged keys (<<) come after the mapping's own.
func (r *reader) pairs(node *yaml.Node, do func(key string, keyNode, value *yaml.Node) error) error {
	seen := make(map[string]int, len(node.Content)/2)
	return r.mergedPairs(node, seen, 0, do)
}

func (r *reader) mergedPairs(node *yaml.Node, seen map[string]int, depth int, do func(string, *yaml.Node, *yaml.Node) error) error {
	if depth > 100 {
		return failAt(node, "merge keys (<<) nest too deeply")
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		keyNode, value := node.Content[i], node.Content[i+1]
		if keyNode.Kind == yaml.ScalarNode && keyNode.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		key, err := r.key(keyNode)
		if err != nil {
			return err
		}
		if line, twice := seen[key]; twice {
			if depth > 0 {
				continue
			}
			return failAt(keyNode, "%q is there twice, first on line %d", key, line)
		}
		seen[key] = keyNode.Line
		if err := do(key, keyNode, value); err != nil {
			return err
		}
	}
	for _, value := range merged {
		sources := []*yaml.Node{resolve(value)}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, source := range sources {
			source = resolve(source)
			if source.Kind != yaml.MappingNode {
				return failAt(value, "a merge key (<<) takes mappings")
			}
			if r.nodes += len(source.Content); r.nodes > maxNodes {
				return failAt(node, "the file expands to more than %d values", maxNodes)
			}
			if err := r.mergedPairs(source, seen, depth+1, do); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) key(node *yaml.Node) (string, error) {
	node = resolve(node)
	if node.Kind != yaml.ScalarNode {
		return "", failAt(node, "a list or mapping cannot be a key: is it a template expression without quotes?")
	}
	return node.Value, nil
}

func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

var (
	// The float of YAML 1.1 has a dot, and a sign in its exponent; 1e5 is text, as in a commit id.
	floatText = regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
	intText   = regexp.MustCompile(`^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$`)
)

func scalar(node *yaml.Node) (any, error) {
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
		return strings.EqualFold(text, "true") || strings.EqualFold(text, "yes") || strings.EqualFold(text, "on"), nil
	case "!!int", "!!float":
		return number(node, text)
	case "!!timestamp":
		return text, nil
	case "!!binary":
		return nil, failAt(node, "!!binary is not supported: use a source file")
	}
	return nil, failAt(node, "unknown YAML tag %s", node.Tag)
}

func number(node *yaml.Node, text string) (any, error) {
	plain := strings.ReplaceAll(text, "_", "")
	switch {
	case intText.MatchString(text):
		sign, digits := splitSign(plain)
		base := 10
		switch {
		case strings.HasPrefix(digits, "0b"):
			base, digits = 2, digits[2:]
		case strings.HasPrefix(digits, "0x"):
			base, digits = 16, digits[2:]
		}
		n, err := strconv.ParseInt(sign+digits, base, 64)
		if err != nil {
			return nil, failAt(node, "the number %s does not fit 64 bits: quote it if it is text", text)
		}
		return n, nil
	case floatText.MatchString(text):
		return strconv.ParseFloat(plain, 64)
	case strings.HasSuffix(strings.ToLower(text), ".inf"), strings.HasSuffix(strings.ToLower(text), ".nan"):
		return nil, failAt(node, "%s is not a number that can be used here", text)
	}
	return text, nil
}

func splitSign(digits string) (sign, rest string) {
	switch digits[0] {
	case '-':
		return "-", digits[1:]
	case '+':
		return "", digits[1:]
	}
	return "", digits
}
