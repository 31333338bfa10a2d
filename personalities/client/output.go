package client

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

// printer writes answers in the format the user asked for.
type printer struct {
	out    io.Writer
	format string // text, json or yaml
	states string // how state runs are printed as text: states.Outputs
	color  bool
}

// newPrinter colours text on a terminal only, and never where NO_COLOR is set.
func newPrinter(out io.Writer, format, states string, environ []string) *printer {
	quiet := slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, "NO_COLOR=") && e != "NO_COLOR=" })
	return &printer{out: out, format: format, states: states, color: !quiet && isTerminal(out)}
}

// sink remembers the first failure of a write: most printing has no other way to tell.
type sink struct {
	io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// file is the file that a stream is, or nil.
func file(w io.Writer) *os.File {
	if s, ok := w.(*sink); ok {
		w = s.Writer
	}
	f, _ := w.(*os.File)
	return f
}

func isTerminal(w io.Writer) bool {
	f := file(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// isPipe tells whether another program reads a stream.
func isPipe(w io.Writer) bool {
	f := file(w)
	if f == nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// colours by what they mean.
const (
	green  = "32"
	red    = "31"
	yellow = "33"
	cyan   = "36"
)

func (p *printer) paint(color, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// answer writes one whole answer: text calls the function given, the others encode data.
func (p *printer) answer(data any, text func()) error {
	switch p.format {
	case "json":
		return p.json(data)
	case "yaml":
		return p.yaml(data)
	}
	text()
	return nil
}

func (p *printer) json(data any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(data)
}

func (p *printer) yaml(data any) error {
	e := yaml.NewEncoder(p.out)
	e.SetIndent(2)
	if err := e.Encode(data); err != nil {
		return err
	}
	return e.Close()
}

// nested writes plain data as Salt's nested outputter does.
func (p *printer) nested(v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 {
			fmt.Fprintf(p.out, "%s----------\n", pad)
			return
		}
		fmt.Fprintf(p.out, "%s%s\n", pad, p.paint(cyan, "----------"))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			fmt.Fprintf(p.out, "%s%s\n", pad, p.paint(cyan, k+":"))
			p.nested(x[k], indent+4)
		}
	case []any:
		for _, e := range x {
			switch e.(type) {
			case map[string]any, []any:
				fmt.Fprintf(p.out, "%s%s\n", pad, p.paint(cyan, "|_"))
				p.nested(e, indent+2)
			default:
				fmt.Fprintf(p.out, "%s- %s\n", pad, p.paint(green, strings.TrimLeft(indented(scalar(e), pad+"  "), " ")))
			}
		}
	default:
		for line := range strings.Lines(scalar(v)) {
			fmt.Fprintf(p.out, "%s%s\n", pad, p.paint(scalarColor(v), printable(strings.TrimRight(line, "\r\n"))))
		}
	}
}

func scalarColor(v any) string {
	switch v.(type) {
	case bool, int64, float64, nil:
		return yellow
	}
	return green
}

// scalar is a single value as Salt prints it: Python's spelling of what is not text.
func scalar(v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case bool:
		if x {
			return "True"
		}
		return "False"
	case string:
		return x
	case []byte:
		return string(x)
	case float64:
		text := strconv.FormatFloat(x, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(v)
}

// indented puts the pad before every line.
func indented(text, pad string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(pad + printable(line))
	}
	return b.String()
}

// printable replaces control characters, with which a peel could rewrite the operator's screen.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// line writes one of many records as it comes: a line of JSON, or an item of a YAML list.
func (p *printer) line(record map[string]any) error {
	if p.format == "yaml" {
		return p.yaml([]any{record})
	}
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(record)
}
