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

// replaceText is file.replace.
func (s *fileStates) replaceText(_ context.Context, call *states.Call, before string) (string, error) {
	text, err := newCharset(call.Args.Text("encoding"))
	if err != nil {
		return "", err
	}
	decoded, err := text.decode(before)
	if err != nil {
		return "", err
	}
	after, err := replaced(call.Args, decoded)
	if err != nil || after == decoded {
		return before, err
	}
	return text.encode(after)
}

func replaced(args Args, before string) (string, error) {
	if args.Bool("append_if_not_found") && args.Bool("prepend_if_not_found") {
		return "", errors.New("append_if_not_found and prepend_if_not_found cannot be used together")
	}
	flags, err := expressionFlags(args["flags"])
	if err != nil {
		return "", err
	}
	raw := bytewiseOf(before)
	pattern, template := raw.in(args.Text("pattern")), raw.in(args.Text("repl"))
	re, err := compileExpression(pattern, flags)
	if err != nil {
		return "", err
	}
	if args.Bool("backslash_literal") {
		template = strings.ReplaceAll(template, `\`, `\\`)
	}
	after, found, err := re.Sub(template, raw.in(before), int(args.Int("count")))
	if err != nil {
		return "", err
	}
	after = raw.out(after)
	if found > 0 || !args.Bool("append_if_not_found") && !args.Bool("prepend_if_not_found") {
		return after, nil
	}
	missing := args.Text("repl")
	if args.Text("not_found_content") != "" {
		missing = args.Text("not_found_content")
	}
	there, err := compileExpression("^"+render.EscapeRegexp(raw.in(missing))+`($|(?=\r\n))`, flags)
	if err != nil {
		return "", err
	}
	if known, err := there.search(raw.in(before)); known || err != nil {
		return after, err
	}
	if args.Bool("prepend_if_not_found") {
		return missing + "\n" + after, nil
	}
	return appended(after, missing+"\n"), nil
}

// anchors are the flags and the anchors around a pattern of file.comment.
func anchors(pattern string) (flags, bare string) {
	if strings.HasPrefix(pattern, "(?") && len(pattern) > 4 && pattern[3] == ')' && strings.ContainsRune("iLmsux", rune(pattern[2])) {
		flags, pattern = pattern[:4], pattern[4:]
	}
	return flags, strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$")
}

// commentText is file.comment: it puts char before the lines that begin with a match.
func (s *fileStates) commentText(_ context.Context, call *states.Call, before string) (string, error) {
	raw := bytewiseOf(before)
	char := call.Args.Text("char")
	flags, bare := anchors(raw.in(call.Args.Text("regex")))
	mark := render.EscapeRegexp(raw.in(char))
	open, err := found(flags, `^(?!\s*`+mark+`)\s*`+bare, raw.in(before))
	if err != nil {
		return "", err
	}
	if !open {
		closed, err := found(flags, mark+bare, raw.in(before))
		switch {
		case err != nil:
			return "", err
		case closed || call.Args.Bool("ignore_missing"):
			return before, nil
		}
		return "", fmt.Errorf("no line matches %q", call.Args.Text("regex"))
	}
	after, err := editLines(before, flags+"^("+bare+")"+ending(call.Args.Text("regex")), func(line string) string { return char + line })
	if err != nil {
		return "", err
	}
	if done, err := found(flags, mark+bare, raw.in(after)); err != nil || !done {
		return "", errors.Join(err, fmt.Errorf("%q matches only after the white space that lines begin with: add it to the pattern", call.Args.Text("regex")))
	}
	return after, nil
}

// uncommentText is file.uncomment: it takes char away from lines that begin with it and a match.
func (s *fileStates) uncommentText(_ context.Context, call *states.Call, before string) (string, error) {
	raw := bytewiseOf(before)
	char := call.Args.Text("char")
	flags, bare := "", strings.TrimLeft(raw.in(call.Args.Text("regex")), "^")
	mark := render.EscapeRegexp(raw.in(char))
	commented, err := found(flags, mark+`[ \t]*`+bare, raw.in(before))
	if err != nil {
		return "", err
	}
	if !commented {
		if open, err := found(flags, `^[ \t]*`+bare, raw.in(before)); open || err != nil {
			return before, err
		}
		return "", fmt.Errorf("no line matches %q", call.Args.Text("regex"))
	}
	_, inner := anchors(bare)
	after, err := editLines(before, `^`+mark+`\s*(`+inner+")"+ending(bare), func(line string) string { return strings.TrimLeft(line, char) })
	if err != nil {
		return "", err
	}
	if done, err := found(flags, `^[ \t]*`+bare, raw.in(after)); err != nil || !done {
		return "", errors.Join(err, fmt.Errorf("%q matches, but not right after %q at the beginning of a line", call.Args.Text("regex"), char))
	}
	return after, nil
}

func ending(pattern string) string {
	if strings.HasSuffix(pattern, "$") {
		return "$"
	}
	return ""
}

func found(flags, pattern, text string) (bool, error) {
	re, err := compileExpression(flags+pattern, "m")
	if err != nil {
		return false, err
	}
	return re.search(text)
}

// editLines changes the lines that begin with a match.
func editLines(text, pattern string, change func(string) string) (string, error) {
	re, err := compileExpression(pattern, "")
	if err != nil {
		return "", err
	}
	raw := bytewiseOf(text)
	list := slices.Collect(strings.Lines(text))
	for i, line := range list {
		fits, err := re.match(raw.in(line))
		if err != nil {
			return "", err
		}
		if fits {
			list[i] = change(line)
		}
	}
	return strings.Join(list, ""), nil
}
