package render

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"strings"
)

// equal is a == b.
func equal(a, b any) bool { return equalAt(a, b, 0) }

func equalAt(a, b any, depth int) bool {
	if depth > maxNesting {
		throw("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	switch x := a.(type) {
	case nil:
		if u, ok := b.(*undefined); ok {
			u.refuse()
		}
		return b == nil
	case string:
		y, ok := text(b)
		if !ok {
			refuseUndefined(b)
		}
		return ok && x == y
	case markup:
		y, ok := text(b)
		if !ok {
			refuseUndefined(b)
		}
		return ok && string(x) == y
	case bool, int64, float64, *big.Int:
		if isNumber(b) {
			return compareNumbers(a, b) == 0
		}
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case *List:
		if y, ok := b.(*List); ok {
			return x == y || equalItems(x.items, y.items, depth)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return x == y || equalItems(x.items, y.items, depth)
		}
	case *Dict:
		if y, ok := b.(*Dict); ok {
			return x == y || equalDicts(x, y, depth)
		}
	case *undefined:
		x.refuse()
		y, ok := b.(*undefined)
		if ok {
			y.refuse()
		}
		return ok
	default:
		if eq, ok := equalObjects(a, b, depth); ok {
			return eq
		}
	}
	refuseUndefined(b)
	return false
}

func refuseUndefined(v any) {
	if u, ok := v.(*undefined); ok {
		u.refuse()
	}
}

// equalObjects compares the values that are neither scalars nor containers.
func equalObjects(a, b any, depth int) (eq, ok bool) {
	switch x := a.(type) {
	case *set:
		y, ok := b.(*set)
		if !ok {
			return false, false
		}
		if x.d.Len() != y.d.Len() {
			return false, true
		}
		for k := range x.d.All() {
			if y.d.find(k) < 0 {
				return false, true
			}
		}
		return true, true
	case *view:
		if y, ok := b.(*view); ok && x.kind != "dict_values" && x.kind == y.kind {
			if x.kind == "dict_items" {
				return equalDicts(x.d, y.d, depth), true
			}
			return equalObjects(newSet(collect(x)), newSet(collect(y)), depth)
		}
	case *rangeValue:
		if y, ok := b.(*rangeValue); ok {
			n := x.len()
			return n == y.len() && (n == 0 || x.start == y.start && (n == 1 || x.step == y.step)), true
		}
	case *timeValue:
		if y, ok := b.(*timeValue); ok {
			return x.t.Equal(y.t), true
		}
	case *method:
		y, ok := b.(*method)
		return ok && x.name == y.name && x.self == y.self, true
	case *lookupValue:
		if d, ok := x.dict(); ok {
			return equalAt(d, b, depth+1), true
		}
	}
	if _, ok := b.(*undefined); ok {
		return false, false
	}
	return a == b, true
}

func equalItems(a, b []any, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalAt(a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

func equalDicts(a, b *Dict, depth int) bool {
	if a.Len() != b.Len() {
		return false
	}
	for k, x := range a.All() {
		y, ok := b.get(k)
		if !ok || !equalAt(x, y, depth+1) {
			return false
		}
	}
	return true
}

// compareNumbers orders two numbers; 2 means unordered (NaN).
func compareNumbers(a, b any) int {
	x, xok := integer(a)
	y, yok := integer(b)
	if xok && yok {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	fx, xf := a.(float64)
	fy, yf := b.(float64)
	if math.IsNaN(fx) && xf || math.IsNaN(fy) && yf {
		return 2
	}
	if xf && yf {
		switch {
		case fx < fy:
			return -1
		case fx > fy:
			return 1
		}
		return 0
	}
	if xf && math.IsInf(fx, 0) {
		return int(math.Copysign(1, fx))
	}
	if yf && math.IsInf(fy, 0) {
		return -int(math.Copysign(1, fy))
	}
	return exact(a).Cmp(exact(b))
}

// exact is a finite number as a rational.
func exact(v any) *big.Rat {
	if f, ok := v.(float64); ok {
		return new(big.Rat).SetFloat64(f)
	}
	b, _ := bigInt(v)
	return new(big.Rat).SetInt(b)
}

// less is a < b, for op one of < <= > >=.
func ordered(op string, a, b any) bool { return orderedAt(op, a, b, 0) }

func orderedAt(op string, a, b any, depth int) bool {
	if depth > maxNesting {
		throw("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
	}
	if isNumber(a) && isNumber(b) {
		return holds(op, compareNumbers(a, b))
	}
	if x, ok := text(a); ok {
		if y, ok := text(b); ok {
			return holds(op, strings.Compare(x, y))
		}
	}
	switch x := a.(type) {
	case []byte:
		if y, ok := b.([]byte); ok {
			return holds(op, bytes.Compare(x, y))
		}
	case *List:
		if y, ok := b.(*List); ok {
			return orderedItems(op, x.items, y.items, depth)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return orderedItems(op, x.items, y.items, depth)
		}
	case *timeValue:
		if y, ok := b.(*timeValue); ok {
			return holds(op, x.t.Compare(y.t))
		}
	case *set:
		if y, ok := b.(*set); ok {
			return subset(op, x, y)
		}
	}
	throw("TypeError", "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	return false
}

func holds(op string, c int) bool {
	if c == 2 {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func orderedItems(op string, a, b []any, depth int) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if !equalAt(a[i], b[i], depth+1) {
			return orderedAt(op, a[i], b[i], depth+1)
		}
	}
	return holds(op, cmp.Compare(len(a), len(b)))
}

func subset(op string, a, b *set) bool {
	if op[0] == '>' {
		a, b = b, a
	}
	for k := range a.d.All() {
		if b.d.find(k) < 0 {
			return false
		}
	}
	return len(op) == 2 || a.d.Len() < b.d.Len()
}

// less is a < b.
func less(a, b any) bool {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return x < y
		}
	}
	x, listed := a.(sortKey)
	y, both := b.(sortKey)
	if listed {
		a = x.v
	}
	if both {
		b = y.v
	}
	if (listed || both) && equal(a, b) {
		return false
	}
	return ordered("<", a, b)
}

// contains is item in box.
func contains(box, item any) bool {
	switch b := box.(type) {
	case string:
		return strings.Contains(b, needle(item))
	case markup:
		return strings.Contains(string(b), needle(item))
	case []byte:
		if n, ok := item.(int64); ok {
			return n >= 0 && n < 256 && bytes.IndexByte(b, byte(n)) >= 0
		}
		if s, ok := item.([]byte); ok {
			return bytes.Contains(b, s)
		}
	case *Dict:
		return b.find(item) >= 0
	case *set:
		return b.d.find(item) >= 0
	case *view:
		if b.kind == "dict_keys" {
			return b.d.find(item) >= 0
		}
	case *lookupValue:
		if s, ok := text(item); ok {
			_, ok = b.get(s)
			return ok
		}
		return false
	case *undefined:
		b.refuse()
		return false
	case *List:
		return indexOf(b.items, item) >= 0
	case *Tuple:
		return indexOf(b.items, item) >= 0
	}
	it := iterOf(box)
	if it == nil {
		throw("TypeError", "argument of type '%s' is not iterable", typeName(box))
	}
	for {
		x, ok := it.next()
		if !ok {
			return false
		}
		if same(x, item) {
			return true
		}
	}
}

func needle(item any) string {
	s, ok := text(item)
	if !ok {
		refuseUndefined(item)
		throw("TypeError", "'in <string>' requires string as left operand, not %s", typeName(item))
	}
	return s
}

// same is what Python's containers ask: identical or equal.
func same(a, b any) bool {
	if u, ok := a.(*undefined); ok && any(u) == b {
		return true
	}
	return equal(a, b)
}

func indexOf(items []any, v any) int {
	for i, x := range items {
		if same(x, v) {
			return i
		}
	}
	return -1
}
