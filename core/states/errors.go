package states

import (
	"fmt"
	"strings"
)

// Error is a mistake in a file of the tree.
type Error struct {
	// File is the path in the tree, Line counts from 1 in the file as it is written, not as rendered; 0 is unknown.
	File string
	Line int
	Msg  string
	err  error
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Msg
	case e.Line == 0:
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

func (e *Error) Unwrap() error { return e.err }

// CompileError is every mistake that a compile found, in the order of the files.
type CompileError struct{ Errors []*Error }

// Error is all of them, one to a line.
func (e *CompileError) Error() string {
	lines := make([]string, len(e.Errors))
	for i, err := range e.Errors {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each mistake.
func (e *CompileError) Unwrap() []error {
	out := make([]error, len(e.Errors))
	for i, err := range e.Errors {
		out[i] = err
	}
	return out
}
