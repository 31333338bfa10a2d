package render

import (
	"math/big"
	"strings"
)

// testFunc is a test: the value, then the arguments.
type testFunc func(f *frame, v any, a args) bool

var tests map[string]testFunc

func testByName(name string) testFunc { return tests[name] }

func init() {
	tests = map[string]testFunc{
		"defined":   func(_ *frame, v any, a args) bool { return isDefined(v) },
		"undefined": func(_ *frame, v any, a args) bool { return !isDefined(v) },
		"none":      func(_ *frame, v any, a args) bool { return v == nil },
		"boolean":   func(_ *frame, v any, a args) bool { _, ok := v.(bool); return ok },
		"true":      func(_ *frame, v any, a args) bool { return v == true },
		"false":     func(_ *frame, v any, a args) bool { return v == false },
		"integer":   isInteger,
		"float":     func(_ *frame, v any, a args) bool { _, ok := v.(float64); return ok },
		"number":    func(_ *frame, v any, a args) bool { return isNumber(v) },
		"string":    func(_ *frame, v any, a args) bool { _, ok := text(v); return ok },
		"mapping":   func(_ *frame, v any, a args) bool { return isMapping(v) },
		"sequence":  isSequence, "iterable": isIterable, "callable": isCallable,
		"sameas": func(_ *frame, v any, a args) bool { return identical(v, a.bind("sameas", 1, "other")[0]) },
		"escaped": func(_ *frame, v any, a args) bool {
			_, ok := v.(markup)
			return ok
		},
		"odd":  func(_ *frame, v any, a args) bool { return equal(binary("%", v, int64(2)), int64(1)) },
		"even": func(_ *frame, v any, a args) bool { return equal(binary("%", v, int64(2)), int64(0)) },
		"divisibleby": func(_ *frame, v any, a args) bool {
			return equal(binary("%", v, a.bind("divisibleby", 1, "num")[0]), int64(0))
		},
		"lower":  func(_ *frame, v any, a args) bool { return isLower(str(v)) },
		"upper":  func(_ *frame, v any, a args) bool { return isUpper(str(v)) },
		"in":     func(_ *frame, v any, a args) bool { return contains(a.bind("in", 1, "seq")[0], v) },
		"filter": func(_ *frame, v any, a args) bool { s, ok := key(v); return ok && filterByName(s) != nil },
		"test":   func(_ *frame, v any, a args) bool { s, ok := key(v); return ok && testByName(s) != nil },
		"match":  isMatch, "regex": isMatch,
		"list": func(_ *frame, v any, a args) bool { _, ok := v.(*List); return ok },
	}
	for op, names := range map[string][]string{
		"==": {"eq", "equalto"}, "!=": {"ne"}, "<": {"lt", "lessthan"}, "<=": {"le"}, ">": {"gt", "greaterthan"}, ">=": {"ge"},
	} {
		test := func(_ *frame, v any, a args) bool { return compare(op, v, a.bind(op, 1, "other")[0]) }
		tests[op] = test
		for _, n := range names {
			tests[n] = test
		}
	}
	for name, fn := range tests {
		switch name {
		case "sameas", "divisibleby", "in", "match", "regex", "eq", "equalto", "ne", "lt", "lessthan", "le", "gt", "greaterthan", "ge":
		default:
			if strings.Trim(name, "<>=!") != "" {
				tests[name] = noArgs(name, fn)
			}
		}
	}
}

// key is a value that is looked up in a table of names.
func key(v any) (string, bool) {
	refuseUndefined(v)
	if !hashable(v) {
		throw("TypeError", "unhashable type: '%s'", typeName(v))
	}
	return text(v)
}

// noArgs refuses arguments to a test that takes none.
func noArgs(name string, fn testFunc) testFunc {
	return func(f *frame, v any, a args) bool {
		a.none(name)
		return fn(f, v, a)
	}
}

func isDefined(v any) bool {
	_, ok := v.(*undefined)
	return !ok
}

func isInteger(_ *frame, v any, _ args) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func isMapping(v any) bool {
	switch v := v.(type) {
	case *Dict:
		return true
	case *lookupValue:
		_, ok := v.lookup.(Keyed)
		return ok
	}
	return false
}

// isSequence asks for a length and items, as Jinja2 does.
func isSequence(_ *frame, v any, _ args) bool {
	switch v := v.(type) {
	case string, markup, []byte, *List, *Tuple, *Dict, *rangeValue:
		return true
	case *undefined:
		return !v.strict // asking for its length is an error, and that means no
	}
	return false
}

func isIterable(_ *frame, v any, _ args) bool {
	if u, ok := v.(*undefined); ok {
		u.refuse()
		return true
	}
	if _, ok := v.(*loopValue); ok {
		return true
	}
	return iterOf(v) != nil
}

func isCallable(_ *frame, v any, _ args) bool {
	switch v.(type) {
	case callable, *undefined:
		return true
	}
	return false
}

// identical is "a is b": values that Python keeps once are the same when equal.
func identical(a, b any) bool {
	switch x := a.(type) {
	case nil, bool, int64, float64, string, markup:
		return a == b
	case *big.Int:
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	case []byte:
		return false
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}

// isMatch is Salt's test match(regex, ignorecase=False, multiline=False), at the
// start of the string.
func isMatch(_ *frame, v any, a args) bool {
	b := a.bind("match", 1, "rgx", "ignorecase", "multiline")
	return searched(regexArgs(b[0], b[1], b[2]).Match(wantStr(v))) != nil
}
