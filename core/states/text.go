package states

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// TextOptions say how WriteReport writes.
type TextOptions struct {
	// Output is Salt's --state-output: full (the default, also for ""), terse, changes (full for what changed or
	// failed) or mixed (full for what failed), the others terse.
	Output string
	// Color uses ANSI colours.
	Color bool
}

// Outputs are the values of TextOptions.Output.
var Outputs = []string{"full", "terse", "changes", "mixed"}

// IsReport reports whether a job's return value is the Data of a Report.
func IsReport(value any) bool {
	report, ok := value.(map[string]any)
	if !ok {
		return false
	}
	_, hasStates := report["states"].([]any)
	_, hasSummary := report["summary"].(map[string]any)
	return hasStates && hasSummary
}

const (
	red    = "\x1b[0;31m"
	green  = "\x1b[0;32m"
	yellow = "\x1b[0;33m"
	cyan   = "\x1b[0;36m"
	reset  = "\x1b[0m"
)

// WriteReport writes the Data of a Report as Salt prints it: a block or a line for each state, then a summary. The
// order is that of the report. Control characters, which could do things to a terminal, are shown as U+FFFD.
func WriteReport(w io.Writer, title string, report map[string]any, opts TextOptions) error {
	t := &textWriter{TextOptions: opts}
	list, _ := report["states"].([]any)
	for _, item := range list {
		if s, ok := item.(map[string]any); ok {
			t.state(s)
		}
	}
	t.summary(title, report)
	_, err := io.WriteString(w, t.String())
	return err
}

type textWriter struct {
	TextOptions
	strings.Builder
}

func (t *textWriter) line(color, format string, args ...any) {
	text := strings.Map(printable, fmt.Sprintf(format, args...))
	if t.Color && color != "" {
		text = color + text + reset
	}
	t.WriteString(text + "\n")
}

// printable replaces control characters other than newline and tab.
func printable(r rune) rune {
	if r == '\n' || r == '\t' || r >= ' ' && r < 0x7f || r > 0x9f {
		return r
	}
	return '\ufffd'
}

func (t *textWriter) state(s map[string]any) {
	changes, _ := s["changes"].(map[string]any)
	failed := s["result"] == false
	color := green
	switch {
	case failed:
		color = red
	case s["result"] == nil:
		color = yellow
	case len(changes) > 0:
		color = cyan
	}
	switch {
	case t.Output == "terse", t.Output == "mixed" && !failed, t.Output == "changes" && !failed && len(changes) == 0 && s["result"] != nil:
		t.terse(color, s, changes)
	default:
		t.full(color, s, changes)
	}
}

func (t *textWriter) terse(color string, s, changes map[string]any) {
	t.line(color, "  Name: %v - Function: %v - Result: %s - Started: %s - Duration: %s",
		s["name"], s["function"], word(s, changes), clock(s["started"]), span(s["duration"]))
}

// word is the result in one word.
func word(s, changes map[string]any) string {
	switch {
	case s["blocked"] == true:
		return "Not run"
	case s["result"] == false:
		return "Failed"
	case s["result"] == nil:
		return "Differs"
	case len(changes) > 0:
		return "Changed"
	}
	return "Clean"
}

func (t *textWriter) full(color string, s, changes map[string]any) {
	t.line(color, "----------")
	t.line(color, "          ID: %v", s["id"])
	t.line(color, "    Function: %v", s["function"])
	if s["name"] != s["id"] {
		t.line(color, "        Name: %v", s["name"])
	}
	result := map[any]string{true: "True", false: "False", nil: "None"}[s["result"]]
	if s["blocked"] == true {
		result += " (not run)"
	}
	t.line(color, "      Result: %s", result)
	comment, _ := s["comment"].(string)
	t.line(color, "     Comment: %s", strings.ReplaceAll(strings.TrimRight(comment, "\n"), "\n", "\n              "))
	t.line(color, "     Started: %s", clock(s["started"]))
	t.line(color, "    Duration: %s", span(s["duration"]))
	warnings, _ := s["warnings"].([]any)
	for _, warning := range warnings {
		t.line(color, "     Warning: %v", warning)
	}
	t.line(color, "     Changes:")
	t.value(color, strings.Repeat(" ", 14), changes)
}

// value writes plain data as an outline, mappings by name.
func (t *textWriter) value(color, indent string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 {
			t.line(color, "%s----------", indent)
		}
		for _, key := range sortedKeys(v) {
			t.line(color, "%s%s:", indent, key)
			t.value(color, indent+"    ", v[key])
		}
	case []any:
		for _, item := range v {
			if _, nested := item.(map[string]any); nested {
				t.value(color, indent+"  ", item)
				continue
			}
			t.line(color, "%s- %v", indent, item)
		}
	case nil:
		t.line(color, "%sNone", indent)
	case bool:
		t.line(color, "%s%s", indent, map[bool]string{true: "True", false: "False"}[v])
	default:
		text := strings.TrimRight(fmt.Sprint(v), "\n")
		t.line(color, "%s%s", indent, strings.ReplaceAll(text, "\n", "\n"+indent))
	}
}

func (t *textWriter) summary(title string, report map[string]any) {
	s, _ := report["summary"].(map[string]any)
	count := func(key string) int64 { n, _ := Int.convert(s[key]); i, _ := n.(int64); return i }
	heading := "Summary for " + title
	t.line("", "")
	t.line(cyan, "%s", heading)
	t.line(cyan, "%s", strings.Repeat("-", len(heading)))
	var notes []string
	if n := count("would_change"); n > 0 {
		notes = append(notes, fmt.Sprintf("unchanged=%d", n))
	}
	if n := count("changed") + announced(report); n > 0 {
		notes = append(notes, fmt.Sprintf("changed=%d", n))
	}
	succeeded := fmt.Sprintf("Succeeded: %d", count("succeeded")+count("would_change"))
	if len(notes) > 0 {
		succeeded += " (" + strings.Join(notes, ", ") + ")"
	}
	t.line(green, "%s", succeeded)
	failedColor := cyan
	if count("failed")+count("blocked") > 0 {
		failedColor = red
	}
	t.line(failedColor, "Failed:    %d", count("failed"))
	if n := count("blocked"); n > 0 {
		t.line(failedColor, "Not run:   %d (because of what failed)", n)
	}
	t.line(cyan, "%s", strings.Repeat("-", len(heading)))
	t.line(cyan, "Total states run: %5d", count("total"))
	if n, _ := Int.convert(report["omitted"]); n != nil && n != int64(0) {
		t.line("", "%d of them are not listed: the report was too large", n)
	}
	t.line(cyan, "Total run time:   %s", span(report["duration"]))
}

// announced counts the states that would change and say what: as Salt does, the summary has them among those with changes.
func announced(report map[string]any) (n int64) {
	list, _ := report["states"].([]any)
	for _, item := range list {
		s, _ := item.(map[string]any)
		if changes, _ := s["changes"].(map[string]any); s["result"] == nil && len(changes) > 0 {
			n++
		}
	}
	return n
}

// clock is the local time of day of a time stamp.
func clock(value any) string {
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return at.Local().Format("15:04:05.000000")
}

// span writes a duration in milliseconds.
func span(value any) string {
	n, ok := Number.convert(value)
	if !ok {
		return fmt.Sprint(value)
	}
	ms := n.(float64)
	if ms >= 1000 {
		return fmt.Sprintf("%.3f s", ms/1000)
	}
	return fmt.Sprintf("%.3f ms", ms)
}
