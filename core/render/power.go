package render

import (
	"math"
	"math/big"
)

// exactPow is x**y, rounded as the C library does it: to the nearest float but for
// the very rarest cases. math.Pow is off by some units in the last place.
func exactPow(x, y float64) float64 {
	z := math.Pow(x, y)
	if math.IsNaN(z) || math.IsInf(x, 0) || math.IsInf(y, 0) || x == 0 || math.Abs(x) == 1 || y == 0 || y == 1 {
		return z
	}
	power := new(big.Float).SetPrec(powPrec).Mul(naturalLog(math.Abs(x)), bigFloat(y))
	if f, _ := power.Float64(); f > 720 || f < -760 {
		return z
	}
	f, _ := exponential(power).Float64()
	return math.Copysign(f, z)
}

// powPrec is how many bits are kept on the way: twice a float's and then some.
const powPrec = 160

func bigFloat(f float64) *big.Float { return new(big.Float).SetPrec(powPrec).SetFloat64(f) }

// ln2 is the natural logarithm of 2.
var ln2 = logSeries(new(big.Float).SetPrec(powPrec).Quo(bigFloat(1), bigFloat(3)))

// naturalLog is ln x, for x > 0.
func naturalLog(x float64) *big.Float {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	t := new(big.Float).SetPrec(powPrec).Sub(bigFloat(m), bigFloat(1))
	t.Quo(t, new(big.Float).SetPrec(powPrec).Add(bigFloat(m), bigFloat(1)))
	out := new(big.Float).SetPrec(powPrec).Mul(ln2, bigFloat(float64(e)))
	return out.Add(out, logSeries(t))
}

// logSeries is ln((1+t)/(1-t)) = 2(t + t³/3 + t⁵/5 + ...), for |t| <= 1/3.
func logSeries(t *big.Float) *big.Float {
	square := new(big.Float).SetPrec(powPrec).Mul(t, t)
	power := new(big.Float).SetPrec(powPrec).Set(t)
	sum := new(big.Float).SetPrec(powPrec).Set(t)
	for k := 3.0; k < 110; k += 2 {
		power.Mul(power, square)
		sum.Add(sum, new(big.Float).SetPrec(powPrec).Quo(power, bigFloat(k)))
	}
	return sum.Mul(sum, bigFloat(2))
}

// exponential is e**x.
func exponential(x *big.Float) *big.Float {
	ratio, _ := new(big.Float).Quo(x, ln2).Float64()
	n := math.Round(ratio)
	r := new(big.Float).SetPrec(powPrec).Sub(x, new(big.Float).SetPrec(powPrec).Mul(ln2, bigFloat(n)))
	term, sum := bigFloat(1), bigFloat(1)
	for k := 1.0; k < 40; k++ {
		term.Mul(term, r)
		term.Quo(term, bigFloat(k))
		sum.Add(sum, term)
	}
	return sum.SetMantExp(sum, int(n))
}
