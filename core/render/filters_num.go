package render

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
)

func filterAbs(_ *frame, v any, a args) any {
	a.none("abs")
	switch x := v.(type) {
	case int64:
		if x >= 0 {
			return x
		}
		return negate(x, true)
	case float64:
		return math.Abs(x)
	case bool:
		return negate(x, false)
	case *big.Int:
		return normal(new(big.Int).Abs(x))
	}
	refuseOperand(v)
	throw("TypeError", "bad operand type for abs(): '%s'", typeName(v))
	return nil
}

// toInt is int(v) where Python can make one.
func toInt(v any, base int) (any, bool) {
	switch x := v.(type) {
	case int64, *big.Int, bool:
		return negate(x, false), true
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
		return normal(truncated(x)), true
	}
	s, ok := text(v)
	if !ok {
		return nil, false
	}
	return parseInt(s, base)
}

// parseInt is int(s, base).
func parseInt(s string, base int) (any, bool) {
	s = strings.TrimFunc(s, isSpace)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	if len(s) > 2 && s[0] == '0' {
		prefix := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
		if prefix != 0 && (prefix == base || base == 0) {
			s, base = strings.TrimPrefix(s[2:], "_"), prefix
		}
	}
	if base == 0 {
		base = 10
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || s[0] == '+' || s[0] == '-' || len(s) > 40_000 {
		return nil, false
	}
	b, ok := new(big.Int).SetString(sign+strings.ReplaceAll(s, "_", ""), base)
	if !ok {
		return nil, false
	}
	return normal(b), true
}

// toFloat is float(v) where Python can make one.
func toFloat(v any) (float64, bool) {
	if isNumber(v) {
		return float(v), true
	}
	s, ok := text(v)
	if !ok {
		return 0, false
	}
	s = strings.ToLower(strings.TrimFunc(s, isSpace))
	if strings.ContainsAny(s, "x_p") {
		if strings.ContainsAny(s, "xp") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
			return 0, false
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func filterInt(_ *frame, v any, a args) any {
	b := a.bind("int", 0, "default", "base")
	refuseOperand(v)
	if f, ok := v.(float64); ok && math.IsInf(f, 0) {
		throw("OverflowError", "cannot convert float infinity to integer")
	}
	if base, ok := integer(or(b[1], int64(10))); !isText(v) || ok && (base == 0 || base >= 2 && base <= 36) {
		if n, ok := toInt(v, int(base)); ok {
			return n
		}
	} else if !ok {
		refuseOperand(b[1])
	}
	if f, ok := toFloat(v); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return normal(truncated(f))
	}
	return or(b[0], int64(0))
}

func filterFloat(_ *frame, v any, a args) any {
	b := a.bind("float", 0, "default")
	refuseOperand(v)
	if f, ok := toFloat(v); ok {
		return f
	}
	return or(b[0], 0.0)
}

func filterRound(_ *frame, v any, a args) any {
	b := a.bind("round", 0, "precision", "method")
	method := wantStr(or(b[1], "common"))
	refuseOperand(v)
	if !isNumber(v) {
		throw("TypeError", "type %s doesn't define __round__ method", typeName(v))
	}
	if b[0] == nil && method == "common" {
		if x, ok := roundTo(v, 0).(float64); ok {
			return normal(truncated(x))
		}
		return negate(v, false)
	}
	precision := wantInt(or(b[0], int64(0)))
	switch method {
	case "common":
		return roundTo(v, precision)
	case "ceil", "floor":
		scale := tenTo(precision)
		x := float(v) * scale
		truncated(x) // no infinity is an integer
		if method == "ceil" {
			return (math.Ceil(x) + 0) / scale // an integer has no -0
		}
		return (math.Floor(x) + 0) / scale
	}
	throw("FilterArgumentError", "method must be common, ceil or floor")
	return nil
}

// roundTo is round(v, precision): half to even, exactly.
func roundTo(v any, precision int) any {
	x, ok := v.(float64)
	if !ok {
		if precision >= 0 {
			return negate(v, false)
		}
		n, _ := bigInt(v)
		if -precision > 400 {
			return int64(0)
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-precision)), nil)
		q, m := new(big.Int).DivMod(n, unit, new(big.Int))
		if c := new(big.Int).Lsh(m, 1).Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		return normal(q.Mul(q, unit))
	}
	if math.IsNaN(x) || math.IsInf(x, 0) || precision > 300 {
		return x
	}
	if precision >= 0 {
		f, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', precision, 64), 64)
		return f
	}
	if precision < -308 {
		return math.Copysign(0, x)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-precision)), nil)
	r := exact(math.Abs(x))
	per := new(big.Int).Mul(r.Denom(), unit)
	q, m := new(big.Int).QuoRem(r.Num(), per, new(big.Int))
	if c := m.Lsh(m, 1).Cmp(per); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	f, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	return math.Copysign(f, x)
}

// tenTo is 10**n as a float.
func tenTo(n int) float64 {
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return f
}

func filterSum(f *frame, v any, a args) any {
	b := a.bind("sum", 0, "attribute", "start")
	get := f.attrGetter(or(b[0], nil), nil)
	total := or(b[1], any(int64(0)))
	if _, ok := text(total); ok {
		throw("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
	}
	for _, x := range collect(v) {
		total = binary("+", total, get(x))
	}
	return total
}

func filterFileSize(_ *frame, v any, a args) any {
	b := a.bind("filesizeformat", 0, "binary")
	size, ok := toFloat(v)
	if !ok {
		refuseOperand(v)
		if !isText(v) {
			throw("TypeError", "float() argument must be a string or a real number, not '%s'", typeName(v))
		}
		throw("ValueError", "could not convert string to float: %s", repr(v))
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if truth(or(b[0], false)) {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if size == 1 {
		return "1 Byte"
	}
	if size < base {
		return fmt.Sprintf("%d Bytes", int64(size))
	}
	unit := base
	for i, name := range units {
		unit = exactPow(base, float64(i+2))
		if size < unit || i == len(units)-1 {
			return fmt.Sprintf("%.1f %s", base*size/unit, name)
		}
	}
	return nil
}

func filterRandom(f *frame, v any, a args) any {
	a.none("random")
	n := mustLen(v)
	if n == 0 {
		return f.r.undefinedHint("no random item, sequence was empty.")
	}
	i := int64(rand.IntN(n))
	if d, ok := v.(*Dict); ok {
		if x, ok := d.get(i); ok {
			return x
		}
		throw("KeyError", "%d", i)
	}
	return f.getitem(v, i)
}
