package document

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Error is a mistake in a document. Line counts from 1; 0 is unknown.
type Error struct {
	Line int
	Err  error // what is wrong
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes the error of a node; %w wraps.
func Errorf(node *yaml.Node, format string, args ...any) error {
	return &Error{Line: node.Line, Err: fmt.Errorf(format, args...)}
}

var libraryLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// unexpected starts the errors for which the library gives the line where the list or mapping around begins.
const unexpected = "did not find expected "

// Parse returns the top node of a text, nil for an empty document. The error is an *Error.
func Parse(text string) (*yaml.Node, error) {
	var top, more yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(text))
	err := decoder.Decode(&top)
	if err == nil {
		if err = decoder.Decode(&more); err == nil {
			return nil, Errorf(&more, "a second YAML document begins here: a file holds one")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, located(text, err)
	}
	if len(top.Content) == 0 {
		return nil, nil
	}
	if node := Resolve(top.Content[0]); !IsNull(node) {
		return node, nil
	}
	return nil, nil
}

// located finds the line of a syntax error.
func located(text string, err error) *Error {
	line, msg := 0, err.Error()
	if m := libraryLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	switch {
	case strings.HasPrefix(msg, unexpected):
		line = firstLine(text, msg)
	case line == 0:
		line = 1 // the library does not say so of the first line
	}
	return &Error{Line: line, Err: errors.New(msg)}
}

// firstLine is the line with which a text gets its error: the last of the shortest beginning that has it too.
func firstLine(text, msg string) int {
	lines := strings.SplitAfter(text, "\n")
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		var node yaml.Node
		err := yaml.Unmarshal([]byte(strings.Join(lines[:i+1], "")), &node)
		return err != nil && strings.HasSuffix(err.Error(), msg)
	})
}

// Resolve follows aliases.
func Resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// IsNull reports whether a node is null or empty.
func IsNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// Describe names a node in an error: "a list", "a mapping", or its text quoted.
func Describe(node *yaml.Node) string {
	switch node = Resolve(node); node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	return strconv.Quote(node.Value)
}
