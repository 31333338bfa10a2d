package modules

import (
	"context"
	"errors"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// keyText is file.keyvalue: lines of key, separator and value.
func (s *fileStates) keyText(_ context.Context, call *states.Call, before string) (string, error) {
	pairs, err := keyValues(call.Args)
	if err != nil {
		return "", err
	}
	args := call.Args
	e := keyEdit{args: args, pairs: pairs, left: make([]int, len(pairs)), separator: args.Text("separator")}
	for i := range e.left {
		e.left[i] = int(args.Int("count"))
	}
	var out strings.Builder
	for line := range strings.Lines(before) {
		e.line(&out, line)
	}
	missing := ""
	for i, pair := range pairs {
		switch line := pair.key + e.separator + pair.value + "\n"; {
		case e.left[i] <= 0:
		case args.Bool("append_if_not_found") || args.Bool("create_if_missing") && before == "":
			missing += line
		case args.Bool("prepend_if_not_found"):
			missing = line + missing
		}
	}
	if args.Bool("prepend_if_not_found") && !args.Bool("append_if_not_found") {
		return missing + out.String(), nil
	}
	return appended(out.String(), missing), nil
}

type keyValue struct{ key, value string }

// keyValues are the pairs that are asked for, in the order in which they are written.
func keyValues(args Args) ([]keyValue, error) {
	given := args.Ordered("key_values")
	switch {
	case args.Has("key") && args.Has("value") && given.Len() > 0:
		return nil, errors.New("key_values cannot be used together with key and value")
	case args.Has("key") && args.Has("value"):
		return []keyValue{{args.Text("key"), python(args["value"])}}, nil
	case given.Len() == 0:
		return nil, errors.New("there is nothing to set: give key and value, or key_values")
	}
	var pairs []keyValue
	for key, value := range given.All() {
		pairs = append(pairs, keyValue{key, pythonOrNone(value)})
	}
	return pairs, nil
}

func pythonOrNone(value any) string {
	if value == nil {
		return "None"
	}
	return python(value)
}

// keyEdit is one edit of file.keyvalue. left is how many lines of a pair are still to be made what it says.
type keyEdit struct {
	args      Args
	pairs     []keyValue
	left      []int
	separator string
}

// line writes what becomes of a line: a line of a pair whose count is used up goes.
func (e *keyEdit) line(out *strings.Builder, line string) {
	bare := line
	uncomment := e.args.Text("uncomment")
	if uncomment != "" {
		bare = strings.TrimLeft(line, uncomment)
	} else if !e.args.Has("uncomment") {
		bare = strings.TrimLeft(line, " \t\r\n\v\f") // as in Salt, where no uncomment takes white space away
	}
	uncommented := bare != line
	key, value, separated := strings.Cut(bare, e.separator)
	prefix := false
	for i, pair := range e.pairs {
		if e.starts(bare, pair.key) {
			prefix = true
		}
		if !separated || !e.same(key, pair.key, "key_ignore_case") {
			continue
		}
		same := e.same(strings.TrimSpace(value), strings.TrimSpace(pair.value), "value_ignore_case")
		left := e.left[i]
		if left > 0 {
			e.left[i]--
		}
		switch {
		case left == 0 && uncommented, same && left != 0 && (!uncommented || left < 0):
			out.WriteString(line)
		case left != 0:
			out.WriteString(key + e.separator + pair.value + "\n")
		}
		return
	}
	if prefix || !e.args.Bool("prune") {
		out.WriteString(line)
	}
}

func (e *keyEdit) same(a, b, ignoreCase string) bool {
	if e.args.Bool(ignoreCase) {
		return strings.EqualFold(a, b)
	}
	return a == b
}

func (e *keyEdit) starts(line, key string) bool {
	if e.args.Bool("key_ignore_case") {
		line, key = strings.ToLower(line), strings.ToLower(key)
	}
	return strings.HasPrefix(line, key)
}
