package render

import (
	"math"
	"slices"
	"strings"
)

func filterJSONQuery(_ *frame, v any, a args) any {
	expr := wantStr(a.bind("json_query", 1, "expr")[0])
	refuseUndefined(v)
	return compileJMES(expr)(v)
}

func jmesField(v any, name string) any {
	d, ok := v.(*Dict)
	if l, isLookup := v.(*lookupValue); isLookup {
		d, ok = l.dict()
	}
	if !ok {
		return nil
	}
	x, _ := d.getString(name)
	return x
}

func jmesThen(left, right *jmesNode) *jmesNode {
	return jmesOf(func(v any) any { return right.eval(left.eval(v)) })
}

// jmesProject applies right to each element of the list that left makes; null is
// left out.
func jmesProject(left, right *jmesNode, keep func(x any) bool) *jmesNode {
	return jmesOf(func(v any) any {
		l, ok := left.eval(v).(*List)
		if !ok {
			return nil
		}
		return jmesEach(l.items, right, keep)
	})
}

// jmesValues is jmesProject for the values of a dict.
func jmesValues(left, right *jmesNode) *jmesNode {
	return jmesOf(func(v any) any {
		d, ok := left.eval(v).(*Dict)
		if !ok {
			return nil
		}
		return jmesEach(collect(&view{d, "dict_values"}), right, nil)
	})
}

func jmesEach(items []any, right *jmesNode, keep func(x any) bool) any {
	out := &List{}
	for _, x := range items {
		if keep != nil && !keep(x) {
			continue
		}
		if y := right.eval(x); y != nil {
			out.items = append(out.items, y)
		}
	}
	return out
}

func jmesFlatten(v any) any {
	l, ok := v.(*List)
	if !ok {
		return nil
	}
	out := &List{}
	for _, x := range l.items {
		if in, ok := x.(*List); ok {
			out.items = append(out.items, in.items...)
		} else {
			out.items = append(out.items, x)
		}
	}
	return out
}

func jmesTruth(v any) bool {
	switch v.(type) {
	case nil, bool, string, markup, *List, *Dict, *Tuple:
		return truth(v)
	}
	return true // also 0
}

func jmesCompare(op string, a, b any) any {
	switch op {
	case "==", "!=":
		_, x := a.(bool)
		_, y := b.(bool)
		return (x == y && equal(a, b)) == (op == "==")
	}
	for _, v := range []any{a, b} {
		if k := jmesType(v); k != "number" && k != "string" {
			return nil
		}
	}
	return ordered(op, a, b)
}

func jmesType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string, markup:
		return "string"
	case *List:
		return "array"
	case *Dict:
		return "object"
	case jmesRef:
		return "expref"
	}
	if isNumber(v) {
		return "number"
	}
	return typeName(v)
}

// jmesFunction is a function: the types each argument may have, nil for any.
type jmesFunction struct {
	takes [][]string
	more  bool // the last one may come again
	call  func(a []any) any
}

var jmesFunctions map[string]jmesFunction

func init() {
	numbers, ordered2 := []string{"array-number"}, []string{"array-number", "array-string"}
	array, object, text1, ref, number := []string{"array"}, []string{"object"}, []string{"string"}, []string{"expref"}, []string{"number"}
	jmesFunctions = map[string]jmesFunction{
		"abs":         {[][]string{number}, false, func(a []any) any { return filterAbs(nil, a[0], args{}) }},
		"ceil":        {[][]string{number}, false, func(a []any) any { return jmesRound(a[0], math.Ceil) }},
		"floor":       {[][]string{number}, false, func(a []any) any { return jmesRound(a[0], math.Floor) }},
		"avg":         {[][]string{numbers}, false, jmesAvg},
		"sum":         {[][]string{numbers}, false, func(a []any) any { return jmesSum(a[0]) }},
		"contains":    {[][]string{{"array", "string"}, nil}, false, jmesContains},
		"starts_with": {[][]string{text1, text1}, false, func(a []any) any { return strings.HasPrefix(str(a[0]), str(a[1])) }},
		"ends_with":   {[][]string{text1, text1}, false, func(a []any) any { return strings.HasSuffix(str(a[0]), str(a[1])) }},
		"join":        {[][]string{text1, array}, false, func(a []any) any { return joinMethod(nil, str(a[0]), args{pos: a[1:]}) }},
		"keys":        {[][]string{object}, false, func(a []any) any { return &List{a[0].(*Dict).keys()} }},
		"values":      {[][]string{object}, false, func(a []any) any { return &List{collect(&view{a[0].(*Dict), "dict_values"})} }},
		"length":      {[][]string{{"string", "array", "object"}}, false, func(a []any) any { return int64(mustLen(a[0])) }},
		"map":         {[][]string{ref, array}, false, jmesMap},
		"max":         {[][]string{ordered2}, false, func(a []any) any { return jmesBest(">", a[0], nil) }},
		"min":         {[][]string{ordered2}, false, func(a []any) any { return jmesBest("<", a[0], nil) }},
		"max_by":      {[][]string{array, ref}, false, func(a []any) any { return jmesBest(">", a[0], a[1].(jmesRef)) }},
		"min_by":      {[][]string{array, ref}, false, func(a []any) any { return jmesBest("<", a[0], a[1].(jmesRef)) }},
		"sort":        {[][]string{ordered2}, false, func(a []any) any { return jmesSort(a[0], nil) }},
		"sort_by":     {[][]string{array, ref}, false, func(a []any) any { return jmesSort(a[0], a[1].(jmesRef)) }},
		"reverse":     {[][]string{{"string", "array"}}, false, jmesReverse},
		"merge":       {[][]string{object}, true, jmesMerge},
		"not_null":    {[][]string{nil}, true, jmesNotNull},
		"type":        {[][]string{nil}, false, func(a []any) any { return jmesType(a[0]) }},
		"to_array":    {[][]string{nil}, false, jmesToArray},
		"to_number":   {[][]string{nil}, false, jmesToNumber},
		"to_string":   {[][]string{nil}, false, jmesToString},
	}
}

func jmesRound(v any, round func(float64) float64) any {
	if f, ok := v.(float64); ok {
		return normal(truncated(round(f)))
	}
	return v
}

func jmesSum(v any) any {
	var sum any = int64(0)
	for _, x := range v.(*List).items {
		sum = binary("+", sum, x)
	}
	return sum
}

func jmesAvg(a []any) any {
	n := len(a[0].(*List).items)
	if n == 0 {
		return nil
	}
	return binary("/", jmesSum(a[0]), int64(n))
}

func jmesContains(a []any) any {
	if isText(a[0]) && !isText(a[1]) {
		throw("TypeError", "'in <string>' requires string as left operand, not %s", typeName(a[1]))
	}
	return contains(a[0], a[1])
}

func jmesMap(a []any) any {
	out := &List{}
	for _, x := range a[1].(*List).items {
		out.items = append(out.items, a[0].(jmesRef)(x))
	}
	return out
}

// jmesKey is by, which must make numbers or strings of all elements.
func jmesKey(by jmesRef) func(any) any {
	kind := ""
	return func(x any) any {
		if by == nil {
			return x
		}
		k := by(x)
		if t := jmesType(k); t != "number" && t != "string" || kind != "" && t != kind {
			throw("JMESPathTypeError", "JMESPath: a list can be ordered by numbers or by strings, not by %s", t)
		} else {
			kind = t
		}
		return k
	}
}

func jmesBest(op string, v any, by jmesRef) any {
	key := jmesKey(by)
	var best, bestKey any
	for i, x := range v.(*List).items {
		if k := key(x); i == 0 || ordered(op, k, bestKey) {
			best, bestKey = x, k
		}
	}
	return best
}

func jmesSort(v any, by jmesRef) any {
	items := slices.Clone(v.(*List).items)
	sortItems(items, jmesKey(by), false)
	return &List{items}
}

func jmesReverse(a []any) any {
	if l, ok := a[0].(*List); ok {
		items := slices.Clone(l.items)
		slices.Reverse(items)
		return &List{items}
	}
	return filterReverse(nil, a[0], args{})
}

func jmesMerge(a []any) any {
	d := &Dict{}
	for _, x := range a {
		d.merge(x.(*Dict))
	}
	return d
}

func jmesNotNull(a []any) any {
	for _, x := range a {
		if x != nil {
			return x
		}
	}
	return nil
}

func jmesToArray(a []any) any {
	if _, ok := a[0].(*List); ok {
		return a[0]
	}
	return &List{[]any{a[0]}}
}

func jmesToNumber(a []any) any {
	if _, isBool := a[0].(bool); isNumber(a[0]) && !isBool {
		return a[0]
	}
	s, ok := text(a[0])
	if !ok {
		return nil
	}
	if n, ok := parseInt(s, 10); ok {
		return n
	}
	if f, ok := toFloat(s); ok {
		return f
	}
	return nil
}

func jmesToString(a []any) any {
	if isText(a[0]) {
		return str(a[0])
	}
	return jsonText(a[0], jsonStyle{ascii: true, item: ",", key: ":"})
}
