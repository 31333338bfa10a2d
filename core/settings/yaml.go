package settings

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
)

// sheet is the text of one rendered file.
type sheet struct {
	name     string // path in the tree
	text     string
	rendered bool // the text is not what stands in the file, so its lines are others
}

// at makes an error that names a line of the file.
func (s *sheet) at(line int, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	switch {
	case line == 0:
		return fmt.Errorf("%s: %w", s.name, err)
	case s.rendered:
		return fmt.Errorf("%s: line %d as rendered: %w", s.name, line, err)
	}
	return fmt.Errorf("%s:%d: %w", s.name, line, err)
}

// located names the file of an error that names a line.
func (s *sheet) located(err error) error {
	var problem *document.Error
	if !errors.As(err, &problem) {
		return err
	}
	return s.at(problem.Line, "%w", problem.Err)
}

// parse returns the top node, nil for an empty file.
func (s *sheet) parse() (*yaml.Node, error) {
	node, err := document.Parse(s.text)
	if err != nil {
		return nil, s.located(err)
	}
	return node, nil
}

// reader reads the file's values. decrypt is for !encrypted.
func (s *sheet) reader(decrypt func(node *yaml.Node) (any, error)) *document.Reader {
	return &document.Reader{Tags: map[string]func(*yaml.Node) (any, error){"!encrypted": decrypt}}
}
