package client

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/bus"
)

var keyValue = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=((?s).*)$`)

// parseArgs splits a function's arguments into positional ones and key=value. Values are read
// as Salt reads them: numbers, booleans, [lists] and {maps} in YAML's way, everything else as text.
func parseArgs(words []string) (args []any, kwargs map[string]any) {
	for _, w := range words {
		if m := keyValue.FindStringSubmatch(w); m != nil {
			if kwargs == nil {
				kwargs = map[string]any{}
			}
			kwargs[m[1]] = parseValue(m[2])
			continue
		}
		args = append(args, parseValue(w))
	}
	return args, kwargs
}

var plainNumber = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// parseValue keeps text that YAML would read as something surprising: 0644, 1_000, dates, null.
func parseValue(word string) any {
	trimmed := strings.TrimSpace(word)
	if trimmed == "" {
		return word
	}
	switch {
	case strings.ContainsRune("[{", rune(trimmed[0])):
	case plainNumber.MatchString(trimmed) && plain(trimmed):
	case isBool(trimmed):
	default:
		return word
	}
	var v any
	if err := yaml.Unmarshal([]byte(trimmed), &v); err != nil {
		return word
	}
	return bus.Plain(v)
}

// plain tells whether a number is spelled as it would be printed: a version of 1.10 is no 1.1.
func plain(number string) bool {
	if !strings.ContainsAny(number, ".eE") {
		return true
	}
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && strconv.FormatFloat(f, 'f', -1, 64) == number
}

func isBool(s string) bool {
	switch s {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return true
	}
	return false
}
