package bus

import (
	"fmt"
	"math"
	"time"

	"github.com/shamaton/msgpack/v2"
)

// Marshal encodes a value as MessagePack; struct fields are named by their msgpack tags.
func Marshal(v any) ([]byte, error) {
	data, err := msgpack.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("msgpack: %w", err)
	}
	return data, nil
}

// Unmarshal decodes MessagePack into v, a pointer. It never panics, whatever the bytes are.
// A target of *any receives plain data as Plain makes it; fields of type any inside a struct
// hold the decoder's own types until they go through Plain.
func Unmarshal(data []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("msgpack: malformed: %v", r)
		}
	}()
	if err := wellFormed(data); err != nil {
		return err
	}
	if err := msgpack.Unmarshal(data, v); err != nil {
		return fmt.Errorf("msgpack: %w", err)
	}
	switch p := v.(type) {
	case *any:
		*p = Plain(*p)
	case *map[string]any:
		for k, e := range *p {
			(*p)[k] = Plain(e)
		}
	case *[]any:
		for i, e := range *p {
			(*p)[i] = Plain(e)
		}
	}
	return nil
}

// Plain turns decoded values into the plain data the rest of Zester works with: nil, bool,
// int64, float64, string, []byte, []any and map[string]any. Times become RFC 3339 text.
func Plain(v any) any {
	switch x := v.(type) {
	case nil, bool, int64, float64, string, []byte:
		return v
	case int:
		return int64(x)
	case int8:
		return int64(x)
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case uint:
		return plainUint(uint64(x))
	case uint8:
		return int64(x)
	case uint16:
		return int64(x)
	case uint32:
		return int64(x)
	case uint64:
		return plainUint(x)
	case float32:
		return float64(x)
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case []any:
		for i := range x {
			x[i] = Plain(x[i])
		}
		return x
	case map[string]any:
		for k := range x {
			x[k] = Plain(x[k])
		}
		return x
	case map[any]any:
		m := make(map[string]any, len(x))
		for k, e := range x {
			m[fmt.Sprint(k)] = Plain(e)
		}
		return m
	}
	return v
}

func plainUint(n uint64) any {
	if n > math.MaxInt64 {
		return float64(n)
	}
	return int64(n)
}

// maxDepth bounds nesting: the decoder recurses once per level.
const maxDepth = 64

// wellFormed walks the encoding without decoding it, so that a short message that announces
// huge or deeply nested collections is refused before anything is allocated for it.
func wellFormed(data []byte) error {
	rest, err := skip(data, maxDepth)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("msgpack: %d bytes after the value", len(rest))
	}
	return nil
}

func skip(b []byte, depth int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	if depth == 0 {
		return nil, fmt.Errorf("msgpack: nested deeper than %d", maxDepth)
	}
	c, b := b[0], b[1:]
	switch {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
		return b, nil
	case c <= 0x8f:
		return skipMany(b, 2*uint64(c&0x0f), depth)
	case c <= 0x9f:
		return skipMany(b, uint64(c&0x0f), depth)
	case c <= 0xbf:
		return skipBytes(b, uint64(c&0x1f))
	}
	f, ok := formats[c]
	if !ok {
		return nil, fmt.Errorf("msgpack: no type has the code 0x%02x", c)
	}
	if len(b) < f.length {
		return nil, errShort
	}
	n := f.fixed
	for _, x := range b[:f.length] {
		n = n<<8 | uint64(x)
	}
	if f.length > 0 {
		n += uint64(f.extra)
	}
	b = b[f.length:]
	if f.items > 0 {
		return skipMany(b, n*uint64(f.items), depth)
	}
	return skipBytes(b, n)
}

func skipMany(b []byte, n uint64, depth int) ([]byte, error) {
	if n > uint64(len(b)) { // every item takes a byte at least
		return nil, errShort
	}
	var err error
	for ; n > 0; n-- {
		if b, err = skip(b, depth-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func skipBytes(b []byte, n uint64) ([]byte, error) {
	if n > uint64(len(b)) {
		return nil, errShort
	}
	return b[n:], nil
}

var errShort = fmt.Errorf("msgpack: the message ends inside a value")

// formats describes the type codes with a size: length bytes give the size (extra more for an
// extension's type byte), or fixed is the size; items is values per element for collections.
var formats = map[byte]struct {
	length int
	fixed  uint64
	extra  int
	items  int
}{
	0xc4: {length: 1}, 0xc5: {length: 2}, 0xc6: {length: 4},
	0xc7: {length: 1, extra: 1}, 0xc8: {length: 2, extra: 1}, 0xc9: {length: 4, extra: 1},
	0xca: {fixed: 4}, 0xcb: {fixed: 8},
	0xcc: {fixed: 1}, 0xcd: {fixed: 2}, 0xce: {fixed: 4}, 0xcf: {fixed: 8},
	0xd0: {fixed: 1}, 0xd1: {fixed: 2}, 0xd2: {fixed: 4}, 0xd3: {fixed: 8},
	0xd4: {fixed: 2}, 0xd5: {fixed: 3}, 0xd6: {fixed: 5}, 0xd7: {fixed: 9}, 0xd8: {fixed: 17},
	0xd9: {length: 1}, 0xda: {length: 2}, 0xdb: {length: 4},
	0xdc: {length: 2, items: 1}, 0xdd: {length: 4, items: 1},
	0xde: {length: 2, items: 2}, 0xdf: {length: 4, items: 2},
}
