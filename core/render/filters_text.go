package render

import "strings"

// filterWordWrap breaks lines that are too long, as Python's textwrap does.
func filterWordWrap(_ *frame, v any, a args) any {
	b := a.bind("wordwrap", 0, "width", "break_long_words", "wrapstring", "break_on_hyphens")
	width := wantInt(or(b[0], int64(79)))
	if width <= 0 {
		throw("ValueError", "invalid width %d (must be > 0)", width)
	}
	breakLong, hyphens := truth(or(b[1], true)), truth(or(b[3], true))
	sep := "\n"
	if s := or(b[2], nil); s != nil {
		sep = wantStr(s)
	}
	var out []string
	for _, line := range linesOf(wantLines(v), false) {
		out = append(out, strings.Join(wrapLine(line, width, breakLong, hyphens), sep))
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

// wrapLine wraps one line; chunks are runs of blanks and of other characters.
func wrapLine(line string, width int, breakLong, hyphens bool) []string {
	chunks := wrapChunks(line, hyphens)
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && strings.TrimFunc(chunks[0], isSpace) == "" {
			chunks = chunks[1:]
		}
		var cur []string
		n := 0
		for len(chunks) > 0 && n+runeLen(chunks[0]) <= width {
			n += runeLen(chunks[0])
			cur = append(cur, chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && runeLen(chunks[0]) > width {
			if breakLong {
				r := []rune(chunks[0])
				space := max(width-n, 0)
				if hyphens && len(r) > space {
					if i := strings.LastIndexByte(string(r[:space]), '-'); i > 0 && strings.Trim(string(r[:space])[:i], "-") != "" {
						space = runeLen(string(r[:space])[:i+1])
					}
				}
				if space > 0 {
					cur = append(cur, string(r[:space]))
					chunks[0] = string(r[space:])
				}
			} else if len(cur) == 0 {
				cur = append(cur, chunks[0])
				chunks = chunks[1:]
			}
		}
		if n := len(cur); n > 0 && strings.TrimFunc(cur[n-1], isSpace) == "" {
			cur = cur[:n-1]
		}
		if len(cur) > 0 {
			lines = append(lines, strings.Join(cur, ""))
		}
	}
	return lines
}

func wrapChunks(line string, hyphens bool) []string {
	var chunks []string
	for line != "" {
		blank := isSpace([]rune(line)[0])
		i := strings.IndexFunc(line, func(r rune) bool { return isSpace(r) != blank })
		if i < 0 {
			i = len(line)
		}
		if blank || !hyphens {
			chunks = append(chunks, line[:i])
		} else {
			chunks = append(chunks, splitHyphens(line[:i])...)
		}
		line = line[i:]
	}
	return chunks
}

// splitHyphens cuts a word after hyphens that join letters.
func splitHyphens(w string) []string {
	var out []string
	r := []rune(w)
	start := 0
	for i := 2; i+2 < len(r)+0; i++ {
		if r[i] != '-' || !isLetter(r[i-1]) || !isLetter(r[i-2]) || !isLetter(r[i+1]) || !isLetter(r[i+2]) && r[i+2] != '-' {
			continue
		}
		out = append(out, string(r[start:i+1]))
		start = i + 1
	}
	return append(out, string(r[start:]))
}

func isLetter(r rune) bool { return isWordRune(r) && (r < '0' || r > '9') }

func filterPprint(_ *frame, v any, a args) any {
	a.none("pprint")
	return pprint(v)
}

// pprint is pprint.pformat: like repr, with sorted keys, broken at 80 columns.
func pprint(v any) string { return string(appendPretty(nil, v, 0, 0, 0)) }

func appendPretty(b []byte, v any, indent, allowance, depth int) []byte {
	if depth > maxNesting {
		tooDeep()
	}
	flat := prettyFlat(v, depth)
	if runeLen(flat) <= 80-indent-allowance {
		return append(b, flat...)
	}
	switch x := v.(type) {
	case *List:
		return append(prettyItems(append(b, '['), x.items, indent, allowance, depth), ']')
	case *Tuple:
		b = append(b, '(')
		if len(x.items) == 1 {
			allowance++
		}
		b = prettyItems(b, x.items, indent, allowance, depth)
		if len(x.items) == 1 {
			b = append(b, ',')
		}
		return append(b, ')')
	case *Dict:
		keys := prettyKeys(x)
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ",\n"...)
				b = append(b, strings.Repeat(" ", indent+1)...)
			}
			ks := prettyFlat(k, depth+1)
			b = append(append(b, ks...), ": "...)
			val, _ := x.get(k)
			extra := 1
			if i == len(keys)-1 {
				extra = allowance + 1
			}
			b = appendPretty(b, val, indent+1+runeLen(ks)+2, extra, depth+1)
		}
		return append(b, '}')
	case string:
		return prettyString(b, x, indent, allowance, depth)
	}
	return append(b, flat...)
}

func prettyItems(b []byte, items []any, indent, allowance, depth int) []byte {
	for i, x := range items {
		extra := 1
		if i > 0 {
			b = append(b, ",\n"...)
			b = append(b, strings.Repeat(" ", indent+1)...)
		}
		if i == len(items)-1 {
			extra = allowance + 1
		}
		b = appendPretty(b, x, indent+1, extra, depth+1)
	}
	return b
}

// prettyKeys are a dict's keys sorted, keys of different types by type name.
func prettyKeys(d *Dict) []any {
	keys := d.keys()
	sortItems(keys, func(k any) any {
		kind := typeName(k)
		if isNumber(k) {
			kind = "int"
			return &Tuple{items: []any{kind, k}}
		}
		if s, ok := text(k); ok {
			return &Tuple{items: []any{kind, s}}
		}
		return &Tuple{items: []any{kind, repr(k)}}
	}, false)
	return keys
}

// prettyFlat is repr on one line with sorted keys.
func prettyFlat(v any, depth int) string {
	if depth > maxNesting {
		tooDeep()
	}
	var parts []string
	switch x := v.(type) {
	case *Dict:
		for _, k := range prettyKeys(x) {
			val, _ := x.get(k)
			parts = append(parts, prettyFlat(k, depth+1)+": "+prettyFlat(val, depth+1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case *List:
		for _, y := range x.items {
			parts = append(parts, prettyFlat(y, depth+1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *Tuple:
		for _, y := range x.items {
			parts = append(parts, prettyFlat(y, depth+1))
		}
		if len(parts) == 1 {
			return "(" + parts[0] + ",)"
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	return repr(v)
}

// prettyString breaks a long string into adjacent literals at blanks.
func prettyString(b []byte, s string, indent, allowance, depth int) []byte {
	lines := linesOf(s, true)
	top := depth == 0
	if top {
		indent++
		allowance++
	}
	var chunks []string
	limit := 80 - indent
	for i, line := range lines {
		last := i == len(lines)-1
		room := limit
		if last {
			room -= allowance
		}
		if runeLen(repr(line)) <= room {
			chunks = append(chunks, repr(line))
			continue
		}
		cur := ""
		parts := wordParts(line)
		for j, p := range parts {
			room := limit
			if j == len(parts)-1 && last {
				room -= allowance
			}
			if runeLen(repr(cur+p)) > room {
				if cur != "" {
					chunks = append(chunks, repr(cur))
				}
				cur = p
			} else {
				cur += p
			}
		}
		if cur != "" {
			chunks = append(chunks, repr(cur))
		}
	}
	if len(chunks) == 1 {
		return append(b, chunks[0]...)
	}
	if top {
		b = append(b, '(')
	}
	b = append(b, strings.Join(chunks, "\n"+strings.Repeat(" ", indent))...)
	if top {
		b = append(b, ')')
	}
	return b
}

// wordParts cuts a line into words, each with the blanks that follow it.
func wordParts(line string) []string {
	var parts []string
	for line != "" {
		i := strings.IndexFunc(line, isSpace)
		if i < 0 {
			return append(parts, line)
		}
		j := strings.IndexFunc(line[i:], func(r rune) bool { return !isSpace(r) })
		if j < 0 {
			return append(parts, line)
		}
		parts = append(parts, line[:i+j])
		line = line[i+j:]
	}
	return parts
}
