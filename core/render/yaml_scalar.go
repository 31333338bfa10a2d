package render

import (
	"fmt"
	"strings"
)

// scalarStyles says in which styles a text may be written.
type scalarStyles struct {
	multiline                     bool
	flowPlain, blockPlain, single bool
}

func yamlBreak(r rune) bool { return r == '\n' || r == 0x85 || r == 0x2028 || r == 0x2029 }

func yamlBlank(r rune) bool { return r == 0 || r == ' ' || r == '\t' || r == '\r' || yamlBreak(r) }

func analyzeScalar(s string) scalarStyles {
	if s == "" {
		return scalarStyles{blockPlain: true, single: true}
	}
	r := []rune(s)
	block := strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...")
	flow := block
	var breaks, special, edge, breakSpace, spaceBreak, prevSpace, prevBreak bool
	for i, c := range r {
		followed := i+1 >= len(r) || yamlBlank(r[i+1])
		preceded := i == 0 || yamlBlank(r[i-1])
		switch {
		case i == 0 && strings.ContainsRune("#,[]{}&*!|>'\"%@`", c), c == '-' && i == 0 && followed, c == '#' && preceded:
			flow, block = true, true
		case i == 0 && (c == '?' || c == ':'), c == ':':
			flow = true
			block = block || followed
		case i > 0 && strings.ContainsRune(",?[]{}", c):
			flow = true
		}
		if c != '\n' && (c < ' ' || c > '~') && !(c >= 0xa0 && c <= 0xfffd && c != 0xfeff) {
			special = true
		}
		ends := i == 0 || i == len(r)-1
		switch {
		case c == ' ':
			edge = edge || ends
			breakSpace = breakSpace || prevBreak
			prevSpace, prevBreak = true, false
		case yamlBreak(c):
			breaks = true
			edge = edge || ends
			spaceBreak = spaceBreak || prevSpace
			prevSpace, prevBreak = false, true
		default:
			prevSpace, prevBreak = false, false
		}
	}
	bad := spaceBreak || special
	return scalarStyles{
		multiline:  breaks,
		flowPlain:  !(edge || breaks || breakSpace || bad || flow),
		blockPlain: !(edge || breaks || breakSpace || bad || block),
		single:     !(breakSpace || bad),
	}
}

func (e *yamlEmitter) plain(s string, split bool) {
	if s == "" {
		return
	}
	if !e.whitespace {
		e.write(" ")
	}
	e.whitespace, e.indention = false, false
	e.fold(s, split, 0)
}

func (e *yamlEmitter) single(s string, split bool) {
	e.indicator("'", true, false, false)
	e.fold(s, split, '\'')
	e.indicator("'", false, false, false)
}

// fold writes a plain or single-quoted text, breaking lines at single blanks.
func (e *yamlEmitter) fold(s string, split bool, quote rune) {
	r := []rune(s)
	for i := 0; i < len(r); {
		j := i
		switch {
		case r[i] == ' ':
			for j < len(r) && r[j] == ' ' {
				j++
			}
			inside := quote == 0 || i > 0 && j < len(r)
			if j == i+1 && e.column > yamlWidth && split && inside {
				e.writeIndent()
				e.whitespace, e.indention = false, false
			} else {
				e.write(string(r[i:j]))
			}
		case yamlBreak(r[i]):
			for j < len(r) && yamlBreak(r[j]) {
				j++
			}
			if r[i] == '\n' {
				e.lineBreak()
			}
			for _, br := range r[i:j] {
				if br == '\n' {
					e.lineBreak()
					continue
				}
				e.write(string(br)) // which ends the line by itself
				e.column, e.whitespace, e.indention = 0, true, true
			}
			e.writeIndent()
			e.whitespace, e.indention = false, false
		default:
			for j < len(r) && r[j] != ' ' && !yamlBreak(r[j]) {
				j++
			}
			word := string(r[i:j])
			if quote != 0 {
				word = strings.ReplaceAll(word, "'", "''")
			}
			e.write(word)
			e.whitespace, e.indention = false, false
		}
		i = j
	}
}

// yamlEscape is the escape of a character in double quotes, "" where it needs none.
func yamlEscape(c rune, unicode bool) string {
	switch c {
	case 0:
		return `\0`
	case '\a':
		return `\a`
	case '\b':
		return `\b`
	case '\t':
		return `\t`
	case '\n':
		return `\n`
	case '\v':
		return `\v`
	case '\f':
		return `\f`
	case '\r':
		return `\r`
	case 0x1b:
		return `\e`
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case 0x85:
		return `\N`
	case 0x2028:
		return `\L`
	case 0x2029:
		return `\P`
	}
	switch {
	case c >= ' ' && c <= '~', unicode && c >= 0xa0 && c <= 0xfffd && c != 0xfeff:
		return ""
	case c == 0xa0:
		return `\_`
	case c <= 0xff:
		return fmt.Sprintf(`\x%02X`, c)
	case c <= 0xffff:
		return fmt.Sprintf(`\u%04X`, c)
	}
	return fmt.Sprintf(`\U%08X`, c)
}

func (e *yamlEmitter) double(s string, split bool) {
	e.indicator(`"`, true, false, false)
	r := []rune(s)
	for i, c := range r {
		if esc := yamlEscape(c, true); esc != "" {
			e.write(esc)
			continue
		}
		if c == ' ' && split && i > 0 && i < len(r)-1 && e.column > yamlWidth && r[i-1] != ' ' {
			e.writeIndent()
			e.whitespace, e.indention = false, false
			if r[i+1] == ' ' {
				e.write(`\`)
			}
			continue
		}
		e.write(string(c))
	}
	e.indicator(`"`, false, false, false)
}

// yamlDouble is a text in double quotes on one line, in ASCII.
func yamlDouble(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		if esc := yamlEscape(c, false); esc != "" {
			b.WriteString(esc)
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// yamlSingle is a text in single quotes; line breaks are doubled, as YAML wants.
func yamlSingle(s string) string {
	e := &yamlEmitter{whitespace: true, indention: true}
	e.indicator("'", true, false, false)
	e.fold(s, false, '\'')
	e.indicator("'", false, false, false)
	return string(e.b)
}
