package modules

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// charset is the encoding argument of file states; nil is UTF-8, or bytes as they are.
type charset struct{ encoding.Encoding }

// newCharset finds an encoding by the name that Python or IANA gives it.
func newCharset(name string) (charset, error) {
	switch plain := strings.ToLower(strings.ReplaceAll(name, "_", "-")); plain {
	case "", "utf-8", "utf8", "ascii", "us-ascii":
		return charset{}, nil
	case "latin-1", "latin1", "iso8859-1":
		return charset{charmap.ISO8859_1}, nil
	case "utf-16", "utf16":
		return charset{unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}, nil
	case "utf-16-le":
		return charset{unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}, nil
	case "utf-16-be":
		return charset{unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}, nil
	case "utf-8-sig":
		return charset{unicode.UTF8BOM}, nil
	default:
		if number, ok := strings.CutPrefix(plain, "cp125"); ok {
			plain = "windows-125" + number
		}
		found, err := ianaindex.IANA.Encoding(plain)
		if err != nil || found == nil {
			return charset{}, fmt.Errorf("encoding %q is not known: write utf-8, latin-1, cp1252, utf-16 or another of IANA's names", name)
		}
		return charset{found}, nil
	}
}

func (c charset) decode(text string) (string, error) {
	if c.Encoding == nil {
		return text, nil
	}
	out, err := c.NewDecoder().String(text)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	return out, nil
}

func (c charset) encode(text string) (string, error) {
	if c.Encoding == nil {
		return text, nil
	}
	out, err := c.NewEncoder().String(text)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	return out, nil
}
