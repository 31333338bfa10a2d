package render

import "strings"

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
