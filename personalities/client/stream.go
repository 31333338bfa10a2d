package client

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/jobs"
)

// maxLine is how much of a line without an end is held back for the rest of it.
const maxLine = 4 << 10

// outputs prints what commands print on the peels while they run, by lines, each with its peel. Formats for programs keep
// standard output for the returns.
type outputs struct {
	out    io.Writer
	print  *printer
	parted map[string]string // beginnings of lines, by peel and stream
}

func (s *session) newOutputs() *outputs {
	o := &outputs{out: s.stdio.Out, print: s.print, parted: map[string]string{}}
	if s.print.format != "text" {
		o.out = s.stdio.Err
	}
	return o
}

func (o *outputs) event(e jobs.Event) {
	switch e := e.(type) {
	case jobs.Output:
		o.take(e)
	case jobs.Return: // which has the ends of the lines
		o.finish(e.Peel)
	}
}

func (o *outputs) take(e jobs.Output) {
	key := streamKey(e.Peel, e.Stderr)
	if e.Missing {
		o.finish(e.Peel)
		fmt.Fprintf(o.out, "%s %s\n", o.print.paint(cyan, e.Peel+":"), o.print.paint(yellow, "[some output is not shown here; the return has it]"))
	}
	text := o.parted[key] + e.Text
	for {
		end := strings.IndexAny(text, "\r\n") // of progress shown on one line, each step is one here
		if end < 0 {
			break
		}
		o.line(e.Peel, e.Stderr, text[:end])
		text = strings.TrimPrefix(text[end:], "\r")
		text = strings.TrimPrefix(text, "\n")
	}
	if len(text) > maxLine {
		o.line(e.Peel, e.Stderr, text)
		text = ""
	}
	if o.parted[key] = text; text == "" {
		delete(o.parted, key)
	}
}

// finish prints what is held back of a peel.
func (o *outputs) finish(peel string) {
	for _, stderr := range []bool{false, true} {
		key := streamKey(peel, stderr)
		if text := o.parted[key]; text != "" {
			o.line(peel, stderr, text)
			delete(o.parted, key)
		}
	}
}

// close prints what is held back of peels that have not returned.
func (o *outputs) close() {
	for _, key := range slices.Sorted(maps.Keys(o.parted)) {
		peel, _, _ := strings.Cut(key, " ")
		o.finish(peel)
	}
}

func streamKey(peel string, stderr bool) string { return fmt.Sprintf("%s %t", peel, stderr) }

func (o *outputs) line(peel string, stderr bool, text string) {
	text = printable(strings.ToValidUTF8(text, "\uFFFD"))
	if stderr {
		text = o.print.paint(red, text)
	}
	fmt.Fprintf(o.out, "%s %s\n", o.print.paint(cyan, peel+":"), text)
}
