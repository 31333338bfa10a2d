package render

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// number lexes an integer or a float.
func (l *lexer) number() {
	start := l.pos
	afterDot := start > 0 && l.src[start-1] == '.'
	if end := floatEnd(l.src[start:]); end > 0 && !afterDot {
		l.pos += end
		l.emit(tokens.Float, start, l.pos)
		return
	}
	l.pos += integerEnd(l.src[start:])
	l.emit(tokens.Integer, start, l.pos)
}

// digits matches digits with single underscores between them.
func digits(s string, valid string) int {
	n := 0
	for n < len(s) {
		c := s[n] | lowerBit(s[n])
		if strings.IndexByte(valid, c) >= 0 {
			n++
		} else if c == '_' && n > 0 && n+1 < len(s) && strings.IndexByte(valid, s[n+1]|lowerBit(s[n+1])) >= 0 {
			n += 2
		} else {
			break
		}
	}
	return n
}

func lowerBit(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return 0x20
	}
	return 0
}

const decimal = "0123456789"

func floatEnd(s string) int {
	n := digits(s, decimal)
	isFloat := false
	if n < len(s) && s[n] == '.' {
		if m := digits(s[n+1:], decimal); m > 0 {
			n += 1 + m
			isFloat = true
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if m := digits(s[i:], decimal); m > 0 {
			n = i + m
			isFloat = true
		}
	}
	if !isFloat {
		return 0
	}
	return n
}

func integerEnd(s string) int {
	if s[0] != '0' {
		return digits(s, decimal)
	}
	if len(s) > 2 {
		valid := ""
		switch s[1] {
		case 'b', 'B':
			valid = "01"
		case 'o', 'O':
			valid = "01234567"
		case 'x', 'X':
			valid = "0123456789abcdef"
		}
		if valid != "" {
			body := strings.TrimPrefix(s[2:], "_")
			if n := digits(body, valid); n > 0 {
				return len(s) - len(body) + n
			}
		}
	}
	return digits(s, "0")
}

// integerLiteral is the value of an integer token.
func integerLiteral(s string) any {
	s = strings.ReplaceAll(s, "_", "")
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	base := 10
	if len(s) > 1 && s[0] == '0' {
		base = 0
	}
	b, ok := new(big.Int).SetString(s, base)
	if !ok {
		return int64(0)
	}
	return normal(b)
}

// parseNumber reads a number in JSON's notation.
func parseNumber(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if b, ok := new(big.Int).SetString(s, 10); ok && b.BitLen() <= maxBits {
			return b
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// unescape resolves Python's string escapes.
func unescape(s string, pos int) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'v':
			b.WriteByte('\v')
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := 1
			for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
				n++
			}
			r, _ := strconv.ParseUint(s[i:i+n], 8, 32)
			b.WriteRune(rune(r))
			i += n - 1
		case 'x', 'u', 'U':
			i += hexEscape(&b, s, i, pos)
		case 'N':
			name, _, ok := strings.Cut(s[i+1:], "}")
			if !ok || !strings.HasPrefix(name, "{") || name == "{" {
				failAt(pos, `malformed \N character escape`)
			}
			r, ok := runeNamed(name[1:])
			if !ok {
				failAt(pos, "unknown Unicode character name "+repr(name[1:]))
			}
			b.WriteRune(r)
			i += len(name) + 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hexEscape resolves the escape whose letter is at s[i] and returns its digits.
func hexEscape(b *strings.Builder, s string, i, pos int) int {
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
	if i+1+width > len(s) {
		failAt(pos, `truncated \`+s[i:i+1]+" escape")
	}
	r, err := strconv.ParseUint(s[i+1:i+1+width], 16, 32)
	if err != nil || r > utf8.MaxRune {
		failAt(pos, `wrong \`+s[i:i+1]+" escape")
	}
	b.WriteRune(rune(r))
	return width
}
