package document

import (
	"math"
	"math/big"

	"go.yaml.in/yaml/v3"
)

// scalar is the value of a scalar node. Numbers that not everything here can carry are refused.
func scalar(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!str", "!!null", "!!bool", "!!int", "!!float", "!!timestamp":
	case "!!binary":
		return nil, Errorf(node, "!!binary is not supported: use a source file, or text")
	default:
		return nil, Errorf(node, "unknown YAML tag %s", node.Tag)
	}
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if node.Style&quoted != 0 || node.Style&yaml.TaggedStyle != 0 && node.Tag == "!!str" {
		return node.Value, nil
	}
	switch v := Implicit(node.Value).(type) {
	case *big.Int:
		return nil, Errorf(node, "the number does not fit 64 bits: quote it if it is text")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, Errorf(node, "infinite and undefined numbers cannot be used: quote it if it is text")
		}
		return v, nil
	default:
		return v, nil
	}
}
