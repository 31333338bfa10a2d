package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ptorbus/zester/core/states"
)

// blockText is file.blockreplace: it replaces what is between two marked lines.
func (s *fileStates) blockText(ctx context.Context, call *states.Call, before string) (string, error) {
	args := call.Args
	where := 0
	for _, name := range []string{"append_if_not_found", "prepend_if_not_found"} {
		if args.Bool(name) {
			where++
		}
	}
	for _, name := range []string{"insert_before_match", "insert_after_match"} {
		if args.Text(name) != "" {
			where++
		}
	}
	if where > 1 {
		return "", errors.New("only one of append_if_not_found, prepend_if_not_found, insert_before_match and insert_after_match can be given")
	}
	parts := s.accumulated.of(call)
	if content := args.Text("content"); content != "" {
		parts = append([]string{content}, parts...)
	}
	content := strings.Join(parts, "\n")
	texts, err := s.sourceTexts(ctx, call)
	if err != nil {
		return "", err
	}
	newline := !strings.HasSuffix(content, "\n")
	if content += strings.Join(texts, ""); args.Has("append_newline") {
		newline = args.Bool("append_newline")
	} else if texts != nil {
		newline = !strings.HasSuffix(content, "\n")
	}
	b := block{start: args.Text("marker_start"), end: args.Text("marker_end"), separator: "\n", content: content, newline: newline}
	if first, _, ok := strings.Cut(before, "\n"); ok && strings.HasSuffix(first, "\r") {
		b.separator = "\r\n"
	}
	lines, found, err := b.replace(before)
	if err != nil || found {
		return strings.Join(lines, ""), err
	}
	switch {
	case args.Bool("prepend_if_not_found"):
		return strings.Join(b.whole(), "") + before, nil
	case args.Bool("append_if_not_found"):
		if before != "" && !strings.HasSuffix(before, b.separator) {
			before += b.separator
		}
		return before + strings.Join(b.whole(), ""), nil
	}
	return b.insert(before, args.Text("insert_before_match"), args.Text("insert_after_match"))
}

// block is what stands between two marked lines.
type block struct {
	start, end, separator, content string
	newline                        bool // between the content and the end marker
}

// body is the content and the end marker, as the file has it.
func (b block) body(end string) string {
	content := strings.ReplaceAll(b.content, "\r\n", "\n")
	if b.newline {
		content += "\n"
	}
	return strings.ReplaceAll(content, "\n", b.separator) + strings.TrimRight(end, "\r\n") + b.separator
}

func (b block) whole() []string { return []string{b.start + b.separator, b.body(b.end)} }

// replace puts the content between the markers, and says whether it found them.
func (b block) replace(text string) (lines []string, found bool, err error) {
	inside := false
	for line := range strings.Lines(text) {
		switch end := strings.Index(line, b.end); {
		case strings.Contains(line, b.start):
			inside = true
			lines = append(lines, line)
		case inside && end >= 0:
			inside, found = false, true
			lines = append(lines, b.body(line[end:]))
		case !inside:
			lines = append(lines, line)
		}
	}
	if inside {
		return nil, false, fmt.Errorf("the block that %q begins has no end: there is no %q after it", b.start, b.end)
	}
	return lines, found, nil
}

// insert puts a new block before or after the first line that matches.
func (b block) insert(text, before, after string) (string, error) {
	pattern := before + after
	if pattern != "" {
		re, err := compileExpression(bytewiseOf(text).in(pattern), "")
		if err != nil {
			return "", err
		}
		lines := slices.Collect(strings.Lines(text))
		for i, line := range lines {
			fits, err := re.search(bytewiseOf(text).in(line))
			if err != nil {
				return "", err
			}
			if !fits {
				continue
			}
			if after != "" {
				if i++; !strings.HasSuffix(line, "\n") {
					lines[i-1] += b.separator
				}
			}
			return strings.Join(slices.Insert(lines, i, b.whole()...), ""), nil
		}
	}
	return "", fmt.Errorf("the markers are not in the file: put %q and %q there, or add append_if_not_found: true", b.start, b.end)
}

// accumulators are the texts that file.accumulated has collected in a run, for file.blockreplace and for templates.
type accumulators struct {
	mu    sync.Mutex
	files map[string]map[string][]string // file -> accumulator -> texts
	order map[string][]string            // file -> accumulators as they came
}

func (a *accumulators) add(file, name string, texts []string) (added bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.files == nil {
		a.files, a.order = map[string]map[string][]string{}, map[string][]string{}
	}
	if a.files[file] == nil {
		a.files[file] = map[string][]string{}
	}
	if _, known := a.files[file][name]; !known {
		a.order[file] = append(a.order[file], name)
		a.files[file][name] = nil
	}
	for _, text := range texts {
		if !slices.Contains(a.files[file][name], text) {
			a.files[file][name] = append(a.files[file][name], text)
			added = true
		}
	}
	return added
}

// of returns the texts for the file of a call: those of the accumulators that it requires, or else of all.
func (a *accumulators) of(call *states.Call) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all, required []string
	for _, name := range a.order[call.Name] {
		texts := a.files[call.Name][name]
		all = append(all, texts...)
		if slices.Contains(call.Required(), states.Reference{Function: "file.accumulated", Name: name}) {
			required = append(required, texts...)
		}
	}
	if required != nil {
		return required
	}
	return all
}

// named is what templates see as accumulator.
func (a *accumulators) named(file string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]any{}
	for name, list := range a.files[file] {
		out[name] = texts(list)
	}
	return out
}

// accumulate is file.accumulated.
func (s *fileStates) accumulate(_ context.Context, call *states.Call) (states.Result, error) {
	var list []string
	for _, item := range call.Args.List("text") {
		list = append(list, python(item))
	}
	file := call.Args.Text("filename")
	result := states.Result{Outcome: states.Succeeded}
	if s.accumulated.add(file, call.Name, list) {
		result.Comment = fmt.Sprintf("Accumulator %s for file %s was charged by text", call.Name, file)
	}
	return result, nil
}
