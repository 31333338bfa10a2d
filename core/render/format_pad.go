package render

import "strings"

// padNumber assembles sign, grouped digits and the rest, padded to the width.
func (v verb) padNumber(sign, digits, rest string, groupSize int) string {
	align := v.align
	if v.zero && align == 0 {
		align, v.fill = '=', "0"
	}
	if v.group != 0 {
		want := 0
		if align == '=' && v.fill == "0" {
			want = v.width - len(sign) - len(rest)
		}
		digits = grouped(digits, v.group, groupSize, want)
	}
	if align == '=' {
		if n := v.width - len(sign) - len(digits) - len(rest); n > 0 {
			return sign + strings.Repeat(v.fill, n) + digits + rest
		}
		return sign + digits + rest
	}
	return v.padText(sign+digits+rest, '>')
}

// grouped puts separators between digits, after filling up with zeros to want
// characters.
func grouped(digits string, sep byte, size, want int) string {
	var b []byte // in reverse
	count := 0
	for i := len(digits) - 1; i >= 0 || len(b) < want; i-- {
		if count > 0 && count%size == 0 {
			b = append(b, sep)
			if i < 0 && len(b) >= want { // a separator never comes first
				b = append(b, '0')
				break
			}
		}
		if i >= 0 {
			b = append(b, digits[i])
		} else {
			b = append(b, '0')
		}
		count++
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// padText pads to the width; dflt is the alignment where none is given.
func (v verb) padText(s string, dflt byte) string {
	n := v.width - runeLen(s)
	if n <= 0 {
		return s
	}
	checkText(n * max(1, len(v.fill)))
	align := v.align
	if align == 0 {
		align = dflt
	}
	switch align {
	case '<':
		return s + strings.Repeat(v.fill, n)
	case '^':
		return strings.Repeat(v.fill, n/2) + s + strings.Repeat(v.fill, n-n/2)
	}
	return strings.Repeat(v.fill, n) + s
}
