package render

import (
	"math"
	"math/big"
)

// maxBits bounds integers: about 30,000 decimal digits.
const maxBits = 100_000

// maxText bounds the strings an expression builds; Options.MaxOutput bounds the
// text a template writes.
const maxText = 16 << 20

func checkText(n int) {
	if n < 0 || n > maxText {
		throw("MemoryError", "a string of more than %d bytes", maxText)
	}
}

func unsupported(op string, a, b any) {
	for _, v := range []any{a, b} {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	throw("TypeError", "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

// binary is a op b for Python's arithmetic operators.
func binary(op string, a, b any) any {
	x, xok := a.(int64)
	y, yok := b.(int64)
	if xok && yok {
		if v, ok := smallInts(op, x, y); ok {
			return v
		}
	}
	switch op {
	case "+":
		if v := concat(a, b); v != nil {
			return v
		}
	case "*":
		if v := repeat(a, b); v != nil {
			return v
		}
	case "%":
		if isText(a) {
			return percent(a, b)
		}
	case "-":
		if x, ok := setOf(a); ok {
			if y, ok := setOf(b); ok {
				return setMinus(x, y)
			}
		}
	}
	if !isNumber(a) || !isNumber(b) {
		if op == "+" {
			concatError(a, b)
		}
		if op == "*" {
			repeatError(a, b)
		}
		unsupported(op, a, b)
	}
	_, xf := a.(float64)
	_, yf := b.(float64)
	if xf || yf || op == "/" {
		return floats(op, a, b)
	}
	bx, _ := bigInt(a)
	by, _ := bigInt(b)
	return bigInts(op, bx, by)
}

// smallInts is the arithmetic that cannot overflow; !ok leaves it to the others.
func smallInts(op string, x, y int64) (any, bool) {
	const half = 1 << 31
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s, true
		}
	case "-":
		if s := x - y; (s < x) == (y > 0) {
			return s, true
		}
	case "*":
		if x > -half && x < half && y > -half && y < half {
			return x * y, true
		}
	case "//":
		if y != 0 && x != math.MinInt64 {
			q := x / y
			if x%y != 0 && (x < 0) != (y < 0) {
				q--
			}
			return q, true
		}
	case "%":
		if y != 0 && y != -1 {
			m := x % y
			if m != 0 && (m < 0) != (y < 0) {
				m += y
			}
			return m, true
		}
	}
	return nil, false
}

func bigInts(op string, x, y *big.Int) any {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		if x.BitLen()+y.BitLen() > maxBits {
			tooLarge()
		}
		z.Mul(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			if op == "%" {
				throw("ZeroDivisionError", "integer modulo by zero")
			}
			throw("ZeroDivisionError", "integer division or modulo by zero")
		}
		m := new(big.Int)
		z.QuoRem(x, y, m)
		if m.Sign() != 0 && m.Sign() != y.Sign() {
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			z = m
		}
	case "**":
		return power(x, y)
	}
	if z.BitLen() > maxBits {
		tooLarge()
	}
	return normal(z)
}

func tooLarge() { throw("OverflowError", "integer of more than %d bits", maxBits) }

func power(x, y *big.Int) any {
	if y.Sign() < 0 {
		return floats("**", normal(x), normal(y))
	}
	if x.BitLen() > 1 && (!y.IsInt64() || float64(x.BitLen())*float64(y.Int64()) > maxBits) {
		tooLarge()
	}
	if x.BitLen() <= 1 { // 0, 1 and -1 to whatever power
		if y.Bit(0) == 0 && x.Sign() != 0 {
			return int64(1)
		}
		if y.Sign() == 0 {
			return int64(1)
		}
		return normal(x)
	}
	return normal(new(big.Int).Exp(x, y, nil))
}

// float is float(v) of a number.
func float(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			throw("OverflowError", "int too large to convert to float")
		}
		return f
	}
	n, _ := integer(v)
	return float64(n)
}

func floats(op string, a, b any) any {
	if op == "/" {
		if x, ok := bigInt(a); ok {
			if y, ok := bigInt(b); ok && y.Sign() != 0 {
				f, _ := new(big.Rat).SetFrac(x, y).Float64()
				if math.IsInf(f, 0) {
					throw("OverflowError", "integer division result too large for a float")
				}
				return f
			}
		}
	}
	x, y := float(a), float(b)
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y == 0 {
			if _, ok := a.(float64); ok {
				throw("ZeroDivisionError", "float division by zero")
			}
			if _, ok := b.(float64); ok {
				throw("ZeroDivisionError", "float division by zero")
			}
			throw("ZeroDivisionError", "division by zero")
		}
		return x / y
	case "//":
		if y == 0 {
			throw("ZeroDivisionError", "float floor division by zero")
		}
		m := floatMod(x, y)
		d := (x - m) / y
		if f := math.Floor(d); d-f > 0.5 {
			return f + 1
		} else if d != 0 {
			return f
		}
		return math.Copysign(0, x/y)
	case "%":
		if y == 0 {
			throw("ZeroDivisionError", "float modulo")
		}
		return floatMod(x, y)
	}
	return floatPow(x, y)
}

func floatMod(x, y float64) float64 {
	m := math.Mod(x, y)
	if m != 0 {
		if (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	return math.Copysign(0, y)
}

func floatPow(x, y float64) any {
	if x == 0 && y < 0 {
		throw("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(y, 0) {
		throw("ValueError", "negative number cannot be raised to a fractional power")
	}
	z := exactPow(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		throw("OverflowError", "(34, 'Numerical result out of range')")
	}
	return z
}

// negate is -v (or +v).
func negate(v any, minus bool) any {
	refuseOperand(v)
	switch x := v.(type) {
	case int64:
		if !minus {
			return x
		}
		if x != math.MinInt64 {
			return -x
		}
		return new(big.Int).Neg(big.NewInt(x))
	case bool:
		n, _ := integer(x)
		if minus {
			n = -n
		}
		return n
	case float64:
		if minus {
			return -x
		}
		return x
	case *big.Int:
		if minus {
			return normal(new(big.Int).Neg(x))
		}
		return x
	}
	op := "+"
	if minus {
		op = "-"
	}
	throw("TypeError", "bad operand type for unary %s: '%s'", op, typeName(v))
	return nil
}

// setOf is a set, or a dict's keys or items seen as one.
func setOf(v any) (*set, bool) {
	switch v := v.(type) {
	case *set:
		return v, true
	case *view:
		if v.kind != "dict_values" {
			return newSet(collect(v)), true
		}
	}
	return nil, false
}

func setMinus(a, b *set) *set {
	out := &set{&Dict{}}
	for k := range a.d.All() {
		if b.d.find(k) < 0 {
			out.d.put(k, nil)
		}
	}
	return out
}
