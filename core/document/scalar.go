package document

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	// A float as YAML 1.1 has it: with a dot, and a sign in its exponent. 1e5 is text, as in a commit id.
	floatText = regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
	// A leading zero is dropped, as by Salt, so that 0644 reads as people mean it; 08 and 09 are text.
	intText = regexp.MustCompile(`^([-+]?)(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$`)
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
		return strings.EqualFold(text, "true"), nil
	case "!!int", "!!float":
		return number(node)
	case "!!timestamp":
		return text, nil
	case "!!binary":
		return nil, Errorf(node, "!!binary is not supported: use a source file, or text")
	}
	return nil, Errorf(node, "unknown YAML tag %s", node.Tag)
}

// number reads what looks like one; what is none in YAML 1.1 stays text.
func number(node *yaml.Node) (any, error) {
	text := node.Value
	if floatText.MatchString(text) {
		n, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil {
			return nil, tooLarge(node)
		}
		return n, nil
	}
	m := intText.FindStringSubmatch(text)
	if m == nil {
		if lower := strings.ToLower(text); strings.HasSuffix(lower, ".inf") || strings.HasSuffix(lower, ".nan") {
			return nil, Errorf(node, "infinite and undefined numbers cannot be used: quote it if it is text")
		}
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
		return nil, tooLarge(node)
	}
	return n, nil
}

func tooLarge(node *yaml.Node) error {
	return Errorf(node, "the number does not fit 64 bits: quote it if it is text")
}
