package render

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rePart is a part of a replacement: text, or a group.
type rePart struct {
	text  string
	group int // -1 for text
}

// replacement parses what matches are replaced with.
func (re *Regexp) replacement(s string) ([]rePart, error) {
	var parts []rePart
	var text strings.Builder
	group := func(n int) error {
		if n > re.groups {
			return fmt.Errorf("invalid group reference %d", n)
		}
		parts = append(parts, rePart{text.String(), -1}, rePart{group: n})
		text.Reset()
		return nil
	}
	digit := func(i int, most byte) bool { return i < len(s) && s[i] >= '0' && s[i] <= most }
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			text.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return nil, errors.New("bad escape (end of pattern)")
		}
		var err error
		switch c := s[i]; {
		case c == 'g':
			var n, size int
			if n, size, err = re.groupName(s[i+1:]); err == nil {
				i += size
				err = group(n)
			}
		case c == '0' || digit(i, '7') && digit(i+1, '7') && digit(i+2, '7'):
			end := i + 1
			for end < i+3 && digit(end, '7') {
				end++
			}
			v, _ := strconv.ParseUint(s[i:end], 8, 16)
			if v > 0o377 {
				return nil, fmt.Errorf("octal escape value \\%s outside of range 0-0o377", s[i:end])
			}
			text.WriteRune(rune(v))
			i = end - 1
		case digit(i, '9'):
			n := int(c - '0')
			if digit(i+1, '9') {
				i++
				n = n*10 + int(s[i]-'0')
			}
			err = group(n)
		default:
			if k := strings.IndexByte(`abfnrtv\`, c); k >= 0 {
				text.WriteByte("\a\b\f\n\r\t\v\\"[k])
				break
			}
			if c < utf8.RuneSelf && (c|0x20 >= 'a' && c|0x20 <= 'z') {
				return nil, fmt.Errorf("bad escape \\%c", c)
			}
			text.WriteByte('\\')
			text.WriteByte(c)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(parts, rePart{text.String(), -1}), nil
}

// groupName reads what follows \g: the group, and how long its name is.
func (re *Regexp) groupName(s string) (n, size int, err error) {
	if !strings.HasPrefix(s, "<") {
		return 0, 0, errors.New("missing <")
	}
	name, _, ok := strings.Cut(s[1:], ">")
	switch {
	case name == "":
		return 0, 0, errors.New("missing group name")
	case !ok:
		return 0, 0, errors.New("missing >, unterminated name")
	}
	size = len(name) + 2
	if isIdentifier(name) {
		if n, ok = re.names[name]; !ok {
			return 0, 0, fmt.Errorf("unknown group name %s", repr(name))
		}
		return n, size, nil
	}
	if !digitsOnly(name) {
		return 0, 0, fmt.Errorf("bad character in group name %s", repr(name))
	}
	if n, err = strconv.Atoi(name); err != nil {
		return 0, 0, fmt.Errorf("invalid group reference %s", name)
	}
	return n, size, nil
}
