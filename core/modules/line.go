package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/states"
)

// lineText is file.line.
func (s *fileStates) lineText(_ context.Context, call *states.Call, before string) (string, error) {
	args := call.Args
	e := lineEdit{content: args.Text("content"), location: args.Text("location"), indent: !args.Has("indent") || args.Bool("indent")}
	mode := strings.ToLower(args.Text("mode"))
	switch {
	case !slices.Contains([]string{"insert", "ensure", "delete", "replace"}, mode):
		return "", fmt.Errorf("mode %q is not insert, ensure, delete or replace", args.Text("mode"))
	case mode != "delete" && !args.Has("content"):
		return "", fmt.Errorf("mode: %s needs content", mode)
	}
	if before != "" {
		e.lines = slices.Collect(strings.Lines(before))
	}
	// An empty line after the last newline stands for the end of the file.
	if strings.HasSuffix(before, "\n") {
		e.lines = append(e.lines, "")
	}
	pattern := args.Text("match")
	if pattern == "" && !args.Has("before") && !args.Has("after") {
		pattern = e.content
	}
	raw := bytewiseOf(before)
	var err error
	for _, find := range []struct {
		pattern string
		into    *[]string
	}{{pattern, &e.match}, {args.Text("before"), &e.before}, {args.Text("after"), &e.after}} {
		if *find.into, err = matching(e.lines, find.pattern, raw); err != nil {
			return "", err
		}
	}
	e.hasBefore, e.hasAfter = args.Text("before") != "", args.Text("after") != ""
	if err := map[string]func() error{"insert": e.insert, "ensure": e.ensure, "delete": e.remove, "replace": e.replace}[mode](); err != nil {
		return "", err
	}
	for i, line := range e.lines {
		if !strings.HasSuffix(line, "\n") && i+1 < len(e.lines) {
			e.lines[i] = strings.TrimRight(line, " \t\r\n") + newlineOf(before)
		}
	}
	return strings.Join(e.lines, ""), nil
}

// lineEdit is one edit of file.line, with the lines that its patterns match.
type lineEdit struct {
	lines                []string
	content, location    string
	match, before, after []string
	hasBefore, hasAfter  bool
	indent               bool
}

// matching lists the lines that a pattern matches, or that have it as plain text.
func matching(lines []string, pattern string, raw bytewise) ([]string, error) {
	if pattern == "" || len(lines) == 0 {
		return nil, nil
	}
	re, err := compileExpression(raw.in(pattern), "s")
	if err != nil {
		// Content that is no pattern, such as one with an open bracket, is looked for as it is.
		if re, err = compileExpression(raw.in(render.EscapeRegexp(pattern)), "s"); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, line := range lines {
		fits, err := re.search(raw.in(line))
		if err != nil {
			return nil, err
		}
		if fits || strings.Contains(line, pattern) {
			out = append(out, line)
		}
	}
	return out, nil
}

func newlineOf(text string) string {
	if first, _, ok := strings.Cut(text, "\n"); ok && strings.HasSuffix(first, "\r") {
		return "\r\n"
	}
	return "\n"
}

// indented is the content with the indentation of another line.
func (e *lineEdit) indented(like int) string {
	if !e.indent || like < 0 || like >= len(e.lines) {
		return e.content
	}
	line := e.lines[like]
	space := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	return space + strings.TrimLeft(e.content, " \t\r\n")
}

func (e *lineEdit) is(i int) bool {
	return i >= 0 && i < len(e.lines) && strings.TrimRight(e.lines[i], "\r\n") == strings.TrimRight(e.content, "\r\n")
}

func (e *lineEdit) put(i int, line string) { e.lines = slices.Insert(e.lines, i, line) }

// only is the position of the one line that before or after matches.
func (e *lineEdit) only(found []string, argument string) (int, error) {
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%s matches no line", argument)
	case 1:
		return slices.Index(e.lines, found[0]), nil
	}
	return 0, fmt.Errorf("%s matches %d lines, and may match only one", argument, len(found))
}

func (e *lineEdit) remove() error {
	if len(e.match) > 0 {
		e.lines = slices.DeleteFunc(e.lines, func(line string) bool { return line == e.match[0] })
	}
	return nil
}

func (e *lineEdit) replace() error {
	if len(e.match) > 0 {
		i := slices.Index(e.lines, e.match[0])
		e.lines[i] = e.indented(i)
	}
	return nil
}

func (e *lineEdit) insert() error {
	switch {
	case e.location == "end": // as in Salt without a newline, and after the empty line where the file ends with one
		e.lines = append(e.lines, e.indented(len(e.lines)-1))
		return nil
	case e.location == "start":
		e.put(0, strings.TrimRight(e.content, " \t\r\n")+"\n")
		return nil
	case e.location != "":
		return fmt.Errorf("location %q is not start or end", e.location)
	case !e.hasBefore && !e.hasAfter:
		return errors.New("mode: insert needs location, before or after")
	}
	before, after := 0, 0
	var err error
	if e.hasBefore {
		if before, err = e.only(e.before, "before"); err != nil {
			return err
		}
	}
	if e.hasAfter {
		if after, err = e.only(e.after, "after"); err != nil {
			return err
		}
	}
	switch {
	case e.hasBefore && e.hasAfter:
		e.put(before, e.indented(before))
	case e.hasAfter && !e.is(after+1):
		e.put(after+1, e.indented(after))
	case e.hasBefore && !e.is((before-1+len(e.lines))%len(e.lines)): // the line before the first is the last, as in Salt
		e.put(before, e.indented(before))
	}
	return nil
}

func (e *lineEdit) ensure() error {
	before, after := 0, 0
	var err error
	if e.hasAfter {
		if after, err = e.only(e.after, "after"); err != nil {
			return err
		}
	}
	if e.hasBefore {
		if before, err = e.only(e.before, "before"); err != nil {
			return err
		}
	}
	switch {
	case e.hasBefore && e.hasAfter:
		if slices.ContainsFunc(e.lines, func(line string) bool {
			return strings.Trim(line, " \t\r\n") == strings.Trim(e.content, " \t\r\n")
		}) {
			return nil
		}
		switch before - after {
		case 1:
			e.put(before, e.indented(after))
		case 2:
			e.lines[after+1] = e.indented(after) + "\n"
		default:
			return errors.New("there is more than one line between the lines of after and before")
		}
	case e.hasBefore && !e.is(before-1):
		e.put(before, e.indented(max(before-1, 0)))
	case e.hasAfter && !e.is(after+1):
		e.put(after+1, e.indented(after))
	case !e.hasBefore && !e.hasAfter:
		return errors.New("mode: ensure needs before or after")
	}
	return nil
}
