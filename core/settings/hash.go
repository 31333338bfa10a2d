package settings

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// digest is the SHA-256 of a peel's settings, the order of their keys included, which templates see.
func digest(data *Map) [sha256.Size]byte {
	return sha256.Sum256(canonical{}.value(data))
}

// digest is the SHA-256 of a parcel.
func (p parcel) digest() [sha256.Size]byte {
	settings := digest(p.data)
	c := canonical{}
	for _, name := range slices.Sorted(maps.Keys(p.groups)) {
		c = c.text('g', name).value(p.groups[name])
	}
	return sha256.Sum256(append(c, settings[:]...))
}

// fingerprint is a keyed digest of what is stored for a peel. With the key, a master sees whether that is what it would
// store; without it, the fingerprint tells nothing.
func fingerprint(key []byte, id, curve string, serial int64, data [sha256.Size]byte) []byte {
	c := canonical{}.text('i', id).text('c', curve).number('n', uint64(serial))
	return keyed(key, append(c, data[:]...))
}

// serialMark is a keyed digest of the serial alone: with it a master can continue the count of another one.
func serialMark(key []byte, id string, serial int64) []byte {
	return keyed(key, canonical{}.text('I', id).number('N', uint64(serial)))
}

func keyed(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// canonical is bytes that are equal if, and only if, what was written to them is.
type canonical []byte

func (c canonical) number(kind byte, n uint64) canonical {
	return binary.BigEndian.AppendUint64(append(c, kind), n)
}

func (c canonical) text(kind byte, s string) canonical {
	return append(c.number(kind, uint64(len(s))), s...)
}

func (c canonical) value(v any) canonical {
	switch v := v.(type) {
	case nil:
		return append(c, '0')
	case bool:
		if v {
			return append(c, 't')
		}
		return append(c, 'f')
	case int64:
		return c.number('i', uint64(v))
	case float64:
		return c.number('d', math.Float64bits(v))
	case string:
		return c.text('s', v)
	case []byte:
		return c.text('x', string(v))
	case []any:
		c = c.number('l', uint64(len(v)))
		for _, e := range v {
			c = c.value(e)
		}
		return c
	case *Map:
		c = c.number('m', uint64(v.Len()))
		for k, e := range v.All() {
			c = c.text('k', k).value(e)
		}
		return c
	}
	return c.text('?', fmt.Sprintf("%T %v", v, v))
}
