package client

import (
	"fmt"
	"strings"
	"time"
)

// isReport says whether a return is the report of a state run, whose keys core/states documents.
func isReport(v any) (map[string]any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	_, states := m["states"].([]any)
	_, summary := m["summary"].(map[string]any)
	return m, states && summary
}

// report writes a state run as Salt's highstate outputter does.
func (p *printer) report(peel string, report map[string]any) {
	states, _ := report["states"].([]any)
	for _, s := range states {
		if m, ok := s.(map[string]any); ok {
			p.state(m)
		}
	}
	p.summary(peel, report)
}

func (p *printer) state(s map[string]any) {
	changes, _ := s["changes"].(map[string]any)
	color := stateColor(s["result"], changes)
	fmt.Fprintln(p.out, p.paint(color, "----------"))
	field := func(name string, value any) {
		lines := strings.Split(strings.TrimRight(printable(scalar(value)), "\n"), "\n")
		fmt.Fprintf(p.out, "%s\n", p.paint(color, fmt.Sprintf("%12s: %s", name, lines[0])))
		for _, line := range lines[1:] {
			fmt.Fprintf(p.out, "%s\n", p.paint(color, strings.Repeat(" ", 14)+line))
		}
	}
	field("ID", s["id"])
	field("Function", s["function"])
	if s["name"] != s["id"] {
		field("Name", s["name"])
	}
	field("Result", s["result"])
	field("Comment", s["comment"])
	if warnings, _ := s["warnings"].([]any); len(warnings) > 0 {
		for _, w := range warnings {
			field("Warning", w)
		}
	}
	field("Started", clock(s["started"]))
	field("Duration", fmt.Sprintf("%s ms", scalar(s["duration"])))
	if len(changes) == 0 {
		fmt.Fprintf(p.out, "%s\n", p.paint(color, "     Changes:"))
		return
	}
	fmt.Fprintf(p.out, "%s\n", p.paint(color, "     Changes:"))
	p.nested(changes, 14)
}

func stateColor(result any, changes map[string]any) string {
	switch {
	case result == nil:
		return yellow
	case result != true:
		return red
	case len(changes) > 0:
		return cyan
	}
	return green
}

// clock shows a time of day where the report has a whole time.
func clock(v any) string {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return s
	}
	return t.Local().Format("15:04:05.000000")
}

func (p *printer) summary(peel string, report map[string]any) {
	sum, _ := report["summary"].(map[string]any)
	count := func(key string) int64 { n, _ := sum[key].(int64); return n }
	title := "Summary for " + peel
	rule := strings.Repeat("-", max(12, len(title)))
	fmt.Fprintf(p.out, "\n%s\n%s\n", p.paint(cyan, title), p.paint(cyan, rule))
	var notes []string
	if n := count("would_change"); n > 0 {
		notes = append(notes, fmt.Sprintf("unchanged=%d", n))
	}
	if n := count("changed"); n > 0 {
		notes = append(notes, fmt.Sprintf("changed=%d", n))
	}
	note := ""
	if len(notes) > 0 {
		note = " (" + strings.Join(notes, ", ") + ")"
	}
	fmt.Fprintln(p.out, p.paint(green, fmt.Sprintf("Succeeded: %d", count("succeeded")+count("would_change")))+note)
	failed := count("failed")
	failedLine := fmt.Sprintf("Failed:    %d", failed)
	if n := count("blocked"); n > 0 {
		failedLine += fmt.Sprintf(" (and %d stopped by them)", n)
	}
	failedColor := cyan
	if failed > 0 {
		failedColor = red
	}
	fmt.Fprintln(p.out, p.paint(failedColor, failedLine))
	fmt.Fprintf(p.out, "%s\n", p.paint(cyan, rule))
	fmt.Fprintf(p.out, "Total states run: %5d\n", count("total"))
	duration, _ := report["duration"].(float64)
	if duration >= 1000 {
		fmt.Fprintf(p.out, "Total run time: %7.3f s\n", duration/1000)
	} else {
		fmt.Fprintf(p.out, "Total run time: %7.3f ms\n", duration)
	}
}
