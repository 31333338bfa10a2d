package target

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner takes a target apart into words, parentheses and terms. Offsets are bytes.
type scanner struct {
	text string
	pos  int
	open bool // a quote is not closed; pos is at it
}

func (s *scanner) blanks() {
	for s.pos < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		s.pos += size
	}
}

// operator takes the keyword or parenthesis at the scanner's place, if there is one, and returns it in lower case.
func (s *scanner) operator() string {
	rest := s.text[s.pos:]
	if rest != "" && (rest[0] == '(' || rest[0] == ')') {
		s.pos++
		return rest[:1]
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' })
	if end < 0 {
		end = len(rest)
	}
	if !isKeyword(rest[:end]) {
		return ""
	}
	s.pos += end
	return strings.ToLower(rest[:end])
}

func isKeyword(word string) bool {
	return strings.EqualFold(word, "and") || strings.EqualFold(word, "or") || strings.EqualFold(word, "not")
}

// prefix takes the letters before an @, so "G@" of "G@os:debian"; "" if the term has none.
func (s *scanner) prefix() string {
	rest := s.text[s.pos:]
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '@' && i > 0:
			s.pos += i + 1
			return rest[:i+1]
		case c|0x20 < 'a' || c|0x20 > 'z':
			return ""
		}
	}
	return ""
}

// term takes text up to a blank or to a closing parenthesis that was not opened in it. Parentheses in a class [..] do not count,
// nor, in a regular expression, those after a backslash. At the start or after a colon a quote takes everything to its match, with
// the quote itself written twice.
func (s *scanner) term(regexp bool) (text string, quoted bool) {
	var b strings.Builder
	depth := 0
	for start := true; s.pos < len(s.text); {
		r, size := utf8.DecodeRuneInString(s.text[s.pos:])
		switch {
		case start && (r == '"' || r == '\''):
			piece, ok := s.quoted(byte(r))
			if !ok {
				s.open = true
				return "", true
			}
			b.WriteString(piece)
			quoted, start = true, false
			continue
		case unicode.IsSpace(r), r == ')' && depth == 0:
			return b.String(), quoted
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == '[':
			size = classSize(s.text[s.pos:], regexp)
		case r == '\\' && regexp && s.pos+1 < len(s.text):
			if next, n := utf8.DecodeRuneInString(s.text[s.pos+1:]); !unicode.IsSpace(next) {
				size += n
			}
		}
		b.WriteString(s.text[s.pos : s.pos+size])
		s.pos += size
		start = r == ':'
	}
	return b.String(), quoted
}

// quoted takes a quoted piece; false, and nothing taken, if the quote is not closed.
func (s *scanner) quoted(quote byte) (string, bool) {
	var b strings.Builder
	for i := s.pos + 1; i < len(s.text); i++ {
		c := s.text[i]
		if c == quote {
			if i+1 == len(s.text) || s.text[i+1] != quote {
				s.pos = i + 1
				return b.String(), true
			}
			i++
		}
		b.WriteByte(c)
	}
	return "", false
}

// classSize is the length of the class that text starts with, or 1 where a blank or the end comes before its end.
func classSize(text string, regexp bool) int {
	first := 1
	if len(text) > 1 && (text[1] == '^' || text[1] == '!' && !regexp) {
		first = 2
	}
	for i := first; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == ']' && i > first:
			return i + 1
		case unicode.IsSpace(r):
			return 1
		case r == '\\' && regexp && i+1 < len(text):
			size++
		}
		i += size
	}
	return 1
}

// regexpFault finds the byte a broken regular expression is broken at.
func regexpFault(pattern string, err error) (at int, msg string) {
	var fault *syntax.Error
	if e, ok := err.(*syntax.Error); ok {
		fault = e
	} else {
		return 0, err.Error()
	}
	at = strings.Index(pattern, fault.Expr)
	if at < 0 || fault.Expr == pattern && (fault.Code == syntax.ErrMissingParen || fault.Code == syntax.ErrMissingBracket) {
		at = len(pattern)
	}
	return at, fault.Code.String() + " in the regular expression; RE2 syntax is understood"
}
