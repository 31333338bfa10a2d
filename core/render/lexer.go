package render

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// printTag is the tag that stands for {{ }}: the parser knows expressions only
// as the arguments of tags, which are ours to parse.
const printTag = "{{"

// lexer cuts a source into gonja's tokens, by Jinja2's rules.
type lexer struct {
	src   string
	pos   int
	style style
	keep  bool // the last newline is printed in any case, as Salt does it
	slab  []tokens.Token
	out   []*tokens.Token
	open  []byte // closing brackets awaited
}

// syntaxError is what lexing and parsing throw.
type syntaxError struct {
	pos int
	msg string
}

func failAt(pos int, msg string) { panic(&syntaxError{pos, msg}) }

// normalize makes every newline "\n" and drops the last one unless it is kept.
func normalize(src string, keepTrailing bool) string {
	if strings.IndexByte(src, '\r') >= 0 {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !keepTrailing {
		src = strings.TrimSuffix(src, "\n")
	}
	return src
}

func lineStarts(src string) []int {
	lines := make([]int, 1, 2+strings.Count(src, "\n"))
	for i := 0; i < len(src); i++ {
		if src[i] == '\n' {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func (l *lexer) emit(t tokens.Type, from, to int) *tokens.Token {
	if len(l.slab) == 0 {
		l.slab = make([]tokens.Token, 64)
	}
	tok := &l.slab[0]
	l.slab = l.slab[1:]
	tok.Type, tok.Val, tok.Pos = t, l.src[from:to], from
	l.out = append(l.out, tok)
	return tok
}

// run lexes the whole document.
func (l *lexer) run() []*tokens.Token {
	l.out = slices.Grow(l.out, len(l.src)/4+16)
	for {
		i := l.nextTag()
		if end := l.stripped(l.pos, i); end > l.pos {
			l.emit(tokens.Data, l.pos, end)
		}
		l.pos = i
		if i == len(l.src) {
			break
		}
		switch l.src[i+1] {
		case '#':
			l.comment()
		case '{':
			l.tag("}}")
		default:
			if !l.raw() {
				l.tag("%}")
			}
		}
	}
	l.emit(tokens.EOF, len(l.src), len(l.src))
	return l.out
}

// nextTag finds where the next {{, {% or {# begins.
func (l *lexer) nextTag() int {
	for i := l.pos; ; i++ {
		j := strings.IndexByte(l.src[i:], '{')
		if j < 0 || i+j+1 >= len(l.src) {
			return len(l.src)
		}
		i += j
		switch l.src[i+1] {
		case '{', '%', '#':
			return i
		}
	}
}

// openTag emits the opening delimiter with its whitespace control.
func (l *lexer) openTag(t tokens.Type) {
	end := l.pos + 2
	if end < len(l.src) && (l.src[end] == '-' || l.src[end] == '+') {
		end++
	}
	l.emit(t, l.pos, end)
	l.pos = end
}

func (l *lexer) comment() {
	start := l.pos
	l.openTag(tokens.CommentBegin)
	i := strings.Index(l.src[l.pos:], "#}")
	if l.pos == len(l.src) { // Jinja2 lets a comment begin at the very end
		l.emit(tokens.CommentEnd, l.pos, l.pos)
		return
	}
	if i < 0 {
		failAt(start, "missing end of comment tag")
	}
	end := l.pos + i
	if end > l.pos && (l.src[end-1] == '-' || l.src[end-1] == '+') {
		end--
	}
	l.emit(tokens.Data, l.pos, end)
	l.emit(tokens.CommentEnd, end, l.pos+i+2)
	l.pos += i + 2
	l.trimNewline()
}

// raw lexes a whole raw block, if one begins here.
func (l *lexer) raw() bool {
	start := l.pos
	nameAt, end, ok := l.bareTag(start, "raw", false)
	if !ok {
		return false
	}
	if end == len(l.src) { // nor does Jinja2 miss the end of a raw block there
		l.pos = end
		return true
	}
	l.rawTag(start, nameAt, end, "raw")
	for i := end; ; i += 2 {
		j := strings.Index(l.src[i:], "{%")
		if j < 0 {
			failAt(start, "missing end of raw directive")
		}
		i += j
		nameAt, last, ok := l.bareTag(i, "endraw", true)
		if !ok {
			continue
		}
		if to := l.stripped(end, i); to > end {
			l.emit(tokens.Data, end, to)
		}
		l.rawTag(i, nameAt, last, "endraw")
		l.pos = last
		l.trimNewline()
		return true
	}
}

func (l *lexer) rawTag(start, nameAt, end int, name string) {
	begin := start + 2
	if c := l.src[begin]; c == '-' || c == '+' {
		begin++
	}
	l.emit(tokens.BlockBegin, start, begin)
	l.emit(tokens.Name, nameAt, nameAt+len(name))
	l.emit(tokens.Initial, start, start)
	close := end - 2
	if c := l.src[close-1]; c == '-' || c == '+' {
		close--
	}
	l.emit(tokens.BlockEnd, close, end)
}

// bareTag matches a tag that holds nothing but name.
func (l *lexer) bareTag(i int, name string, plus bool) (nameAt, end int, ok bool) {
	i += 2
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		i++
	}
	i = l.skipSpace(i)
	if !strings.HasPrefix(l.src[i:], name) {
		return 0, 0, false
	}
	nameAt = i
	i = l.skipSpace(i + len(name))
	if i < len(l.src) && (l.src[i] == '-' || plus && l.src[i] == '+') {
		i++
	}
	if !strings.HasPrefix(l.src[i:], "%}") {
		return 0, 0, false
	}
	return nameAt, i + 2, true
}

func (l *lexer) skipSpace(i int) int {
	for i < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[i:])
		if !isSpace(r) {
			break
		}
		i += n
	}
	return i
}

// isSpace is Python's str.isspace for one code point.
func isSpace(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	}
	return unicode.IsSpace(r)
}

// tag lexes {{ ... }} and {% ... %}; both become tags.
func (l *lexer) tag(closer string) {
	start := l.pos
	l.openTag(tokens.BlockBegin)
	if closer == "}}" {
		l.emit(tokens.Name, start, start+2)
	} else {
		l.tagName(start)
		if l.out[len(l.out)-1].Val == "raw" { // the ones Jinja2 knows raw has taken
			failAt(start, "unknown tag 'raw' (it is {% raw %}, with no + before the end and nothing in it)")
		}
	}
	l.emit(tokens.Initial, start, start) // where the tag is
	l.open = l.open[:0]
	for {
		l.pos = l.skipSpace(l.pos)
		if len(l.open) == 0 {
			end := l.pos
			if end < len(l.src) && (l.src[end] == '-' || l.src[end] == '+' && closer == "%}") {
				end++
			}
			if strings.HasPrefix(l.src[end:], closer) {
				l.emit(tokens.BlockEnd, l.pos, end+2)
				l.pos = end + 2
				if closer == "%}" {
					l.trimNewline()
				}
				return
			}
		}
		if l.pos >= len(l.src) {
			what := "end of statement block"
			if closer == "}}" {
				what = "end of print statement"
			}
			failAt(start, "unexpected end of template, expected '"+what+"'")
		}
		l.token()
	}
}

func (l *lexer) tagName(start int) {
	l.pos = l.skipSpace(l.pos)
	from := l.pos
	for l.pos < len(l.src) && isWord(l.src[l.pos]) {
		l.pos++
	}
	if l.pos == from {
		failAt(start, "tag name expected")
	}
	l.emit(tokens.Name, from, l.pos)
}

// token lexes one token of an expression.
func (l *lexer) token() {
	start := l.pos
	c := l.src[start]
	switch {
	case c >= '0' && c <= '9':
		l.number()
	case c == '\'' || c == '"':
		l.quoted(c)
	case isWord(c):
		i := start
		for i < len(l.src) && isWord(l.src[i]) {
			i++
		}
		l.pos = i
		l.name(start)
	default:
		l.operator(c)
	}
}

// isWord tells the bytes of names; every byte beyond ASCII counts and is checked
// later.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func (l *lexer) name(start int) {
	for i, r := range l.src[start:l.pos] {
		if r >= utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			if i > 0 {
				l.pos = start + i
				break
			}
			failAt(start, "unexpected char '"+string(r)+"'")
		}
	}
	l.emit(tokens.Name, start, l.pos)
}

func (l *lexer) quoted(quote byte) {
	start := l.pos
	for i := start + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case quote:
			l.pos = i + 1
			tok := l.emit(tokens.String, start+1, i)
			if strings.IndexByte(tok.Val, '\\') >= 0 {
				tok.Val = unescape(tok.Val, start)
			}
			return
		}
	}
	failAt(start, "unexpected char "+repr(l.src[start:start+1])+": a string without an end")
}

var operators = map[string]tokens.Type{
	"+": tokens.Addition, "-": tokens.Subtraction, "/": tokens.Division, "//": tokens.FloorDivision,
	"*": tokens.Multiply, "%": tokens.Modulo, "**": tokens.Power, "~": tokens.Tilde,
	"[": tokens.LeftBracket, "]": tokens.RightBracket, "(": tokens.LeftParenthesis, ")": tokens.RightParenthesis,
	"{": tokens.LeftBrace, "}": tokens.RightBrace, "==": tokens.Equals, "!=": tokens.Ne,
	">": tokens.GreaterThan, ">=": tokens.GreaterThanOrEqual, "<": tokens.LowerThan, "<=": tokens.LowerThanOrEqual,
	"=": tokens.Assign, ".": tokens.Dot, ":": tokens.Colon, "|": tokens.Pipe, ",": tokens.Comma, ";": tokens.Semicolon,
}

func (l *lexer) operator(c byte) {
	start, n := l.pos, 2
	if start+1 >= len(l.src) {
		n = 1
	}
	t, ok := operators[l.src[start:start+n]]
	if !ok {
		n = 1
		if t, ok = operators[l.src[start:start+1]]; !ok {
			failAt(start, "unexpected char "+repr(string(rune(c))))
		}
	}
	switch c {
	case '(':
		l.open = append(l.open, ')')
	case '[':
		l.open = append(l.open, ']')
	case '{':
		l.open = append(l.open, '}')
	case ')', ']', '}':
		if len(l.open) == 0 {
			failAt(start, "unexpected '"+string(c)+"'")
		}
		if want := l.open[len(l.open)-1]; want != c {
			failAt(start, "unexpected '"+string(c)+"', expected '"+string(want)+"'")
		}
		l.open = l.open[:len(l.open)-1]
	}
	l.pos += n
	l.emit(t, start, l.pos)
}
