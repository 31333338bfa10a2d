package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/states"
)

// appendText is file.append.
func (s *fileStates) appendText(ctx context.Context, call *states.Call, before string) (string, error) {
	chunks, err := s.chunks(ctx, call)
	if err != nil {
		return "", err
	}
	args := call.Args
	var add strings.Builder
	for _, chunk := range chunks {
		there, err := holds(before, chunk, !args.Has("ignore_whitespace") || args.Bool("ignore_whitespace"))
		if err != nil {
			return "", err
		}
		if !there {
			writeLines(&add, chunk)
		}
	}
	return appended(before, add.String()), nil
}

// appended is text with more lines after it.
func appended(text, lines string) string {
	if lines != "" && text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + lines
}

// prependText is file.prepend. With header the text must be the first lines of the file, otherwise it may be anywhere.
func (s *fileStates) prependText(ctx context.Context, call *states.Call, before string) (string, error) {
	chunks, err := s.chunks(ctx, call)
	if err != nil {
		return "", err
	}
	var add strings.Builder
	for _, chunk := range chunks {
		there := false
		if !call.Args.Bool("header") {
			if there, err = holds(before, chunk, true); err != nil {
				return "", err
			}
		}
		if !there {
			writeLines(&add, chunk)
		}
	}
	if call.Args.Bool("header") && (strings.HasPrefix(before, add.String()) || before+"\n" == add.String()) {
		return before, nil
	}
	return add.String() + before, nil
}

func writeLines(out *strings.Builder, chunk string) {
	for line := range strings.Lines(chunk) {
		out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
	}
}

// holds reports whether a text has the lines of chunk, however much white space is between their words.
func holds(text, chunk string, anySpace bool) (bool, error) {
	if !anySpace {
		return strings.Contains(text, chunk), nil
	}
	pattern := "(?m)^"
	for line := range strings.Lines(chunk) {
		words := words(strings.TrimRight(line, "\r\n"))
		for i := range words {
			words[i] = render.EscapeRegexp(words[i])
		}
		pattern += `\s*` + strings.Join(words, `\s+`) + `\s*`
	}
	re, err := compileExpression(pattern+"$", "")
	if err != nil {
		return false, err
	}
	return re.search(text)
}

// words splits a line at white space that is not inside double quotes, nor inside single ones where it has no others.
func words(line string) []string {
	quote := '"'
	if strings.Contains(line, `"`) && !strings.Contains(line, "'") {
		quote = '\''
	}
	var words []string
	start, inside := -1, false
	for i, r := range line {
		if r == quote {
			inside = !inside
		}
		switch space := !inside && unicode.IsSpace(r); {
		case space && start >= 0:
			words = append(words, line[start:i])
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	if start >= 0 {
		words = append(words, line[start:])
	}
	return words
}

// chunks are the texts that file.append and file.prepend are given: text, or the rendered sources.
func (s *fileStates) chunks(ctx context.Context, call *states.Call) ([]string, error) {
	texts, err := s.sourceTexts(ctx, call)
	if err != nil || texts != nil {
		return texts, err
	}
	for _, item := range call.Args.List("text") {
		switch item.(type) {
		case map[string]any, []any:
			return nil, fmt.Errorf("text takes text or a list of lines, not %v", item)
		}
		texts = append(texts, python(item))
	}
	if !call.Args.Has("text") {
		return nil, errors.New("there is no text: give text or source")
	}
	return texts, nil
}

// sourceTexts renders source and each of sources; nil where neither is given.
func (s *fileStates) sourceTexts(ctx context.Context, call *states.Call) ([]string, error) {
	sources := call.Args.Strings("sources")
	if call.Args.Has("source") {
		if len(sources) > 0 {
			return nil, errors.New("source and sources cannot be used together")
		}
		sources = []string{call.Args.Text("source")}
	}
	var texts []string
	for _, source := range sources {
		one := *call
		one.Args = Args{"source": []any{source}, "template": call.Args["template"], "context": call.Args["context"],
			"defaults": call.Args["defaults"], "source_hash": call.Args["source_hash"]}
		c, err := s.sourceContent(ctx, &one)
		if err == nil {
			err = c.load()
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(c.data))
	}
	return texts, nil
}
