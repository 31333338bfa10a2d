package document

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

var (
	intText   = regexp.MustCompile(`^[-+]?(0b[01_]+|0[0-7_]+|(0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)$`)
	floatText = regexp.MustCompile(`^([-+]?([0-9][0-9_]*)\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// Implicit is what a scalar without quotes or a tag means: nil, a bool, an int64 or, where it does not fit, a *big.Int,
// a float64, or the text itself.
//
// As in YAML 1.1, yes and on are booleans, 1:30 is a number of base 60, and 1e5, with neither a dot nor a sign in its
// exponent, is text; so are 08, which is no octal number, and dates, by Salt's loader. That also drops leading zeros, so
// that 0644 is the number people mean who write a mode.
func Implicit(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return s
	}
	if intText.MatchString(s) {
		return integer(strings.ReplaceAll(s, "_", ""))
	}
	if floatText.MatchString(s) {
		return realNumber(strings.ToLower(strings.ReplaceAll(s, "_", "")), s)
	}
	return s
}

func integer(s string) any {
	negative := s[0] == '-'
	s = strings.TrimLeft(s, "+-")
	n := new(big.Int)
	switch {
	case strings.HasPrefix(s, "0b"):
		n.SetString(s[2:], 2)
	case strings.HasPrefix(s, "0x"):
		n.SetString(s[2:], 16)
	case strings.Contains(s, ":"):
		for _, p := range strings.Split(s, ":") {
			d, _ := new(big.Int).SetString(p, 10)
			n.Add(n.Mul(n, big.NewInt(60)), d)
		}
	default:
		n.SetString("0"+s, 10)
	}
	if negative {
		n.Neg(n)
	}
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func realNumber(s, raw string) any {
	sign := 1.0
	if s[0] == '-' {
		sign = -1
	}
	s = strings.TrimLeft(s, "+-")
	switch {
	case s == ".inf":
		return math.Inf(int(sign))
	case s == ".nan":
		return math.NaN()
	case strings.Contains(s, ":"):
		total := 0.0
		for _, p := range strings.Split(s, ":") {
			f, _ := strconv.ParseFloat(p, 64)
			total = total*60 + f
		}
		return sign * total
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return raw
	}
	return sign * f
}
