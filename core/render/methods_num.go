package render

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// bytesMethod is a method of bytes; most are those of str.
func bytesMethod(name string) methodFunc {
	if m := bytesMethods[name]; m != nil {
		return m
	}
	m := strMethods[name]
	if m == nil || name == "encode" || strings.HasPrefix(name, "format") {
		return nil
	}
	return func(f *frame, self any, a args) any {
		pos := make([]any, len(a.pos))
		for i, v := range a.pos {
			switch x := v.(type) {
			case string:
				throw("TypeError", "a bytes-like object is required, not 'str'")
			case []byte:
				v = string(x)
			}
			pos[i] = v
		}
		return asBytes(m(f, string(self.([]byte)), args{pos, a.kw}))
	}
}

func asBytes(v any) any {
	return eachText(v, func(text string) any { return []byte(text) })
}

// eachText converts a text, or those in what a method has just made.
func eachText(v any, convert func(string) any) any {
	switch x := v.(type) {
	case string:
		return convert(x)
	case *List:
		for i, e := range x.items {
			x.items[i] = eachText(e, convert)
		}
	case *Tuple:
		for i, e := range x.items {
			x.items[i] = eachText(e, convert)
		}
	}
	return v
}

func bytesDecode(_ *frame, self any, a args) any {
	a.bind("decode", 0, "encoding", "errors")
	return string(self.([]byte))
}

func bytesHex(_ *frame, self any, a args) any {
	a.none("hex")
	return hexText(self.([]byte))
}

func intBitLength(_ *frame, self any, a args) any {
	a.none("bit_length")
	b, _ := bigInt(self)
	return int64(b.BitLen())
}

func intBitCount(_ *frame, self any, a args) any {
	a.none("bit_count")
	b, _ := bigInt(self)
	n := 0
	for _, w := range b.Bits() {
		n += bits.OnesCount(uint(w))
	}
	return int64(n)
}

func intToBytes(_ *frame, self any, a args) any {
	arg := a.bind("to_bytes", 0, "length", "byteorder", "signed")
	b, _ := bigInt(self)
	n := checkWidth(wantInt(or(arg[0], int64(1))))
	if n < 0 {
		throw("ValueError", "length argument must be non-negative")
	}
	room := 8 * n
	switch signed := truth(or(arg[2], false)); {
	case b.Sign() < 0 && !signed:
		throw("OverflowError", "can't convert negative int to unsigned")
	case signed && b.Sign() < 0: // two's complement
		if new(big.Int).Not(b).BitLen() >= room {
			throw("OverflowError", "int too big to convert")
		}
		b = new(big.Int).Add(b, new(big.Int).Lsh(big.NewInt(1), uint(room)))
	case b.BitLen() > room || signed && b.BitLen() == room && room > 0:
		throw("OverflowError", "int too big to convert")
	}
	out := b.FillBytes(make([]byte, n))
	switch order := wantStr(or(arg[1], "big")); order {
	case "big":
	case "little":
		slices.Reverse(out)
	default:
		throw("ValueError", "byteorder must be either 'little' or 'big'")
	}
	return out
}

func floatIsInteger(_ *frame, self any, a args) any {
	a.none("is_integer")
	v := self.(float64)
	return v == math.Trunc(v) && !math.IsInf(v, 0)
}

func floatRatio(_ *frame, self any, a args) any {
	a.none("as_integer_ratio")
	v := self.(float64)
	switch {
	case math.IsNaN(v):
		throw("ValueError", "cannot convert NaN to integer ratio")
	case math.IsInf(v, 0):
		throw("OverflowError", "cannot convert Infinity to integer ratio")
	}
	r := new(big.Rat).SetFloat64(v)
	return &Tuple{items: []any{normal(new(big.Int).Set(r.Num())), normal(new(big.Int).Set(r.Denom()))}}
}

func floatHex(_ *frame, self any, a args) any {
	a.none("hex")
	s := strconv.FormatFloat(self.(float64), 'x', 13, 64)
	if i := strings.LastIndexAny(s, "+-"); i == len(s)-3 && s[i+1] == '0' {
		s = s[:i+1] + s[i+2:] // Go writes two digits of the exponent
	}
	return s
}
