package settings

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
)

// fingerprint is a keyed digest of a peel's settings. With the key, a master sees whether what is stored is what it would
// store; without it, the digest tells nothing.
func fingerprint(key []byte, id, curve string, serial int64, data map[string]any) []byte {
	w := writer{hmac.New(sha256.New, key)}
	w.text('i', id)
	w.text('c', curve)
	w.number('n', uint64(serial))
	w.value(data)
	return w.h.Sum(nil)
}

// serialMark is a keyed digest of the serial alone: with it a master can continue the count of another one.
func serialMark(key []byte, id string, serial int64) []byte {
	w := writer{hmac.New(sha256.New, key)}
	w.text('I', id)
	w.number('N', uint64(serial))
	return w.h.Sum(nil)
}

// writer feeds a hash with plain data in one canonical form.
type writer struct{ h hash.Hash }

func (w writer) number(kind byte, n uint64) {
	w.h.Write(binary.BigEndian.AppendUint64([]byte{kind}, n))
}

func (w writer) text(kind byte, s string) {
	w.number(kind, uint64(len(s)))
	w.h.Write([]byte(s))
}

func (w writer) value(v any) {
	switch v := v.(type) {
	case nil:
		w.number('0', 0)
	case bool:
		n := uint64(0)
		if v {
			n = 1
		}
		w.number('b', n)
	case int64:
		w.number('i', uint64(v))
	case float64:
		w.number('f', math.Float64bits(v))
	case string:
		w.text('s', v)
	case []byte:
		w.text('x', string(v))
	case []any:
		w.number('l', uint64(len(v)))
		for _, e := range v {
			w.value(e)
		}
	case map[string]any:
		w.number('m', uint64(len(v)))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			w.text('k', k)
			w.value(v[k])
		}
	default:
		w.text('?', fmt.Sprintf("%T %v", v, v))
	}
}
