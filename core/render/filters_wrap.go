package render

import (
	"strings"
	"sync"
)

// filterWordWrap breaks lines that are too long, as Python's textwrap does.
func filterWordWrap(_ *frame, v any, a args) any {
	b := a.bind("wordwrap", 0, "width", "break_long_words", "wrapstring", "break_on_hyphens")
	lines := linesOf(wantLines(v), false)
	w := wrapper{width: wantInt(or(b[0], int64(79))), long: truth(or(b[1], true)), hyphens: truth(or(b[3], true))}
	if w.width <= 0 && len(lines) > 0 {
		throw("ValueError", "invalid width %d (must be > 0)", w.width)
	}
	sep := "\n"
	if s := or(b[2], nil); s != nil {
		sep = wantStr(s)
	}
	var out []string
	for _, line := range lines {
		out = append(out, strings.Join(w.wrap(line), sep))
	}
	return strings.Join(out, sep)
}

// wantLines is a str that a filter splits into lines.
func wantLines(v any) string {
	s, ok := text(v)
	if !ok {
		refuseOperand(v)
		throw("TypeError", "'%s' object has no attribute 'splitlines'", typeName(v))
	}
	return s
}

// wrapper breaks lines at blanks and, where it may, after hyphens and within
// words that are longer than a line.
type wrapper struct {
	width         int
	long, hyphens bool
}

func (w wrapper) wrap(line string) []string {
	chunks := w.chunks(line)
	blank := func(c []rune) bool { return strings.TrimFunc(string(c), isSpace) == "" }
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && blank(chunks[0]) {
			chunks = chunks[1:]
		}
		var cur [][]rune
		n := 0
		for len(chunks) > 0 && n+len(chunks[0]) <= w.width {
			n += len(chunks[0])
			cur = append(cur, chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > w.width {
			if c := chunks[0]; w.long {
				end := w.cut(c, w.width-n)
				cur = append(cur, c[:end]) // also when that is nothing: the blank before it then stays
				chunks[0] = c[end:]
			} else if len(cur) == 0 {
				cur = append(cur, c)
				chunks = chunks[1:]
			}
		}
		if last := len(cur) - 1; last >= 0 && blank(cur[last]) {
			cur = cur[:last]
		}
		if len(cur) > 0 {
			var b strings.Builder
			for _, c := range cur {
				b.WriteString(string(c))
			}
			lines = append(lines, b.String())
		}
	}
	return lines
}

// cut tells how much of a long word goes into the room that is left.
func (w wrapper) cut(word []rune, room int) int {
	if !w.hyphens {
		return room
	}
	for i := room - 1; i > 0; i-- {
		if word[i] == '-' {
			if strings.Trim(string(word[:i]), "-") != "" {
				return i + 1
			}
			break
		}
	}
	return room
}

const wrapSpace = "\t\n\v\f\r "

// wrapWords is textwrap's expression for what a line is made of: blanks, words,
// parts of hyphenated words, and dashes.
var wrapWords = sync.OnceValue(func() *Regexp {
	re, err := CompileRegexp(`[\t\n\x0b\x0c\r\ ]+|(?<=[\w!"'&.,?])-{2,}(?=\w)|[^\t\n\x0b\x0c\r\ ]+?(?:`+
		`-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[\w!"'&.,?]-))(?=[^\d\W]-?[^\d\W])`+
		`|(?=[\t\n\x0b\x0c\r\ ]|\Z)|(?<=[\w!"'&.,?])(?=-{2,}\w))`, 0)
	if err != nil {
		panic(err)
	}
	return re
})

func (w wrapper) chunks(line string) [][]rune {
	if w.hyphens && strings.Contains(line, "-") {
		return hyphenated(line)
	}
	var out [][]rune
	for line != "" {
		blank := strings.IndexByte(wrapSpace, line[0]) >= 0
		n := strings.IndexFunc(line, func(r rune) bool { return strings.ContainsRune(wrapSpace, r) != blank })
		if n < 0 {
			n = len(line)
		}
		out = append(out, []rune(line[:n]))
		line = line[n:]
	}
	return out
}

// hyphenated cuts a line the way re.split does: what lies between two matches counts as well.
func hyphenated(line string) [][]rune {
	all, err := wrapWords().FindAll(line, 0)
	if err != nil {
		throw("ValueError", "%s", err)
	}
	var out [][]rune
	add := func(s string) {
		if s != "" {
			out = append(out, []rune(s))
		}
	}
	last := 0
	for _, m := range all {
		add(line[last:m[0]])
		add(line[m[0]:m[1]])
		last = m[1]
	}
	add(line[last:])
	return out
}
