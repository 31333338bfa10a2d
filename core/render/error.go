package render

import (
	"fmt"
	"strings"
)

// Error is a template that cannot be compiled or rendered. Error() gives it in
// full: place, reason and expression, the files and macros it was reached
// through, and the source line with a marker.
type Error struct {
	Name   string  // file the error is in
	Line   int     // 1-based
	Column int     // 1-based, in code points
	Kind   string  // Python's name for it: "UndefinedError", "TypeError", "TemplateSyntaxError", ...
	Msg    string  // the reason
	Expr   string  // the expression or tag, shortened to one line
	Source string  // the offending source line
	Chain  []Place // where the file was included, imported or the macro called, innermost first
	Err    error   // the cause, when it came from outside the template
}

// Place is a line of a template and how the next file or macro was entered there.
type Place struct {
	Name string
	Line int
	How  string // "included from", "imported from", "macro f called from", ...
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s", e.Name, e.Line, e.Msg)
	if e.Expr != "" {
		fmt.Fprintf(&b, " (in %q)", e.Expr)
	}
	for _, p := range e.Chain {
		fmt.Fprintf(&b, "\n  %s %s:%d", p.How, p.Name, p.Line)
	}
	if e.Source != "" {
		no := fmt.Sprintf("%5d", e.Line)
		line, col := window(e.Source, e.Column-1)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", no, line, strings.Repeat(" ", len(no)), blank(line, col))
	}
	return b.String()
}

// Unwrap gives the cause, so that errors.Is sees context.Canceled, fs.ErrNotExist
// and the errors of functions a template called.
func (e *Error) Unwrap() error { return e.Err }

// window cuts a long source line down to what surrounds the marked column.
func window(line string, col int) (string, int) {
	const width = 100
	r := []rune(strings.TrimRight(line, "\r\n"))
	col = max(0, min(col, len(r)))
	if len(r) <= width {
		return string(r), col
	}
	from := max(0, min(col-width/2, len(r)-width))
	return string(r[from : from+width]), col - from
}

// blank is col columns of white space that line up under line.
func blank(line string, col int) string {
	var b strings.Builder
	for i, c := range []rune(line) {
		if i >= col {
			break
		}
		if c == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}
