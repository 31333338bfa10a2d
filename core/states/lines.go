package states

import (
	"regexp"
	"strings"
)

// maxAligned bounds the work of aligning a file: its lines times its rendered lines. Beyond it lines are given as
// rendered.
const maxAligned = 4_000_000

// sourceLine finds which line of the file as written most likely produced a line of it as rendered. A renderer keeps no
// account of that, so the texts are aligned: a rendered line comes from a line that has its literal parts, and lines
// come in order, except where a loop goes back. It is used for error messages only, and worked out once per file.
func (f *slsFile) sourceLine(rendered int) int {
	f.aligned.Do(func() {
		from, to := strings.Split(f.source, "\n"), strings.Split(f.rendered, "\n")
		if !sameText(f.source, f.rendered) && len(from)*len(to) <= maxAligned {
			f.lines = align(patterns(from), to)
		}
	})
	if rendered >= 1 && rendered <= len(f.lines) {
		return f.lines[rendered-1]
	}
	// YAML has more line breaks than the newline, and sees a line after the last.
	return min(rendered, strings.Count(f.source, "\n")+1)
}

// sameText reports whether rendering has changed nothing but the newline at the end.
func sameText(source, rendered string) bool {
	return strings.TrimSuffix(source, "\n") == strings.TrimSuffix(rendered, "\n")
}

// align is the forward pass of a Viterbi search: best[i] is the cost of the cheapest way to explain the rendered lines
// so far with the last of them coming from source line i. It returns for each rendered line the cheapest, from 1.
func align(patterns []linePattern, rendered []string) []int {
	const unexplained = 1 << 30
	best, next := make([]int, len(patterns)), make([]int, len(patterns))
	lines := make([]int, len(rendered))
	for n, text := range rendered {
		// forward is the cheapest way from a line before i, a step of one costing nothing and a skipped line one;
		// back is that of a loop's jump.
		forward, back := unexplained, unexplained
		for _, cost := range best {
			back = min(back, cost+8)
		}
		for i := range patterns {
			reach := min(forward, back)
			if n == 0 {
				reach = i
			}
			next[i] = reach + patterns[i].cost(text)
			forward = min(forward+1, best[i])
		}
		best, next = next, best
		for i := range best {
			if best[i] < best[lines[n]] {
				lines[n] = i
			}
		}
	}
	for n := range lines {
		lines[n]++
	}
	return lines
}

type linePattern struct {
	text    string
	dynamic bool
	// empty is a line of statements and comments only: what it leaves is blank.
	empty bool
	// prefix is what its text begins with; most lines are told apart by that.
	prefix string
	re     *regexp.Regexp
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
			p.prefix = parts[0]
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
	case p.dynamic && !p.empty && strings.HasPrefix(rendered, p.prefix) && p.re.MatchString(rendered):
		return 1
	case p.dynamic:
		// A multi-line value, a macro, an include.
		return 6
	}
	return 20
}
