package states

import (
	"regexp"
	"strings"
)

// maxAligned bounds the work of aligning a file: lines times lines. Beyond it lines are given as rendered.
const maxAligned = 20_000_000

// sourceLine finds which line of source most likely produced the given line of rendered. A renderer keeps no account
// of it, so the texts are aligned: a rendered line comes from a source line whose literal parts it has, and lines come
// in order, except where a loop goes back. It is used for error messages only.
func sourceLine(source, rendered string, line int) int {
	if sameText(source, rendered) {
		// YAML has more line breaks than the newline, and sees a line after the last.
		return min(line, strings.Count(source, "\n")+1)
	}
	from, to := strings.Split(source, "\n"), strings.Split(rendered, "\n")
	if line < 1 || line > len(to) || len(from)*line > maxAligned {
		return line
	}
	return align(patterns(from), to[:line])
}

// sameText reports whether rendering has changed nothing but the newline at the end.
func sameText(source, rendered string) bool {
	return strings.TrimSuffix(source, "\n") == strings.TrimSuffix(rendered, "\n")
}

// align is a Viterbi search: best[i] is the cost of the cheapest way to explain the lines so far with the last of them
// coming from source line i. It returns the source line, from 1, of the last rendered line.
func align(patterns []linePattern, rendered []string) int {
	const unexplained = 1 << 30
	best := make([]int, len(patterns))
	next := make([]int, len(patterns))
	for i := range best {
		best[i] = i
	}
	for n, text := range rendered {
		// forward[i] is the cheapest predecessor before i, a step of one costing nothing and a skipped line one;
		// back is the cheapest predecessor of a loop's jump.
		forward, back := unexplained, unexplained
		for _, cost := range best {
			back = min(back, cost+8)
		}
		for i := range patterns {
			reach := min(forward, back)
			if n == 0 {
				reach = best[i]
			}
			next[i] = reach + patterns[i].cost(text)
			forward = min(forward+1, best[i])
		}
		best, next = next, best
	}
	at := 0
	for i := range best {
		if best[i] < best[at] {
			at = i
		}
	}
	return at + 1
}

type linePattern struct {
	text    string
	dynamic bool
	// empty is a line of statements and comments only: what it leaves is blank.
	empty bool
	re    *regexp.Regexp
}

var (
	expression = regexp.MustCompile(`\{\{.*?\}\}`)
	statement  = regexp.MustCompile(`\{%.*?%\}|\{#.*?#\}`)
)

func patterns(lines []string) []linePattern {
	out := make([]linePattern, len(lines))
	for i, line := range lines {
		p := linePattern{text: line}
		if strings.Contains(line, "{{") || strings.Contains(line, "{%") || strings.Contains(line, "{#") {
			p.dynamic = true
			bare := statement.ReplaceAllString(line, "")
			p.empty = strings.TrimSpace(bare) == ""
			parts := expression.Split(bare, -1)
			for j := range parts {
				parts[j] = regexp.QuoteMeta(parts[j])
			}
			p.re = regexp.MustCompile(`^` + strings.Join(parts, `.*`) + `\s*$`)
		}
		out[i] = p
	}
	return out
}

// cost of explaining a rendered line by this source line.
func (p *linePattern) cost(rendered string) int {
	switch {
	case !p.dynamic && p.text == rendered:
		return 0
	case p.dynamic && p.empty && strings.TrimSpace(rendered) == "":
		return 0
	case p.dynamic && !p.empty && p.re.MatchString(rendered):
		return 1
	case p.dynamic:
		// A multi-line value, a macro, an include.
		return 6
	}
	return 20
}
