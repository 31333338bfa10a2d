package render

import "strings"

// concat is a + b for sequences, nil where it does not apply.
func concat(a, b any) any {
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			checkText(len(x) + len(y))
			return x + y
		case markup:
			return markup(escapeHTML(x)) + y
		}
	case markup:
		switch y := b.(type) {
		case string:
			checkText(len(x) + 6*len(y))
			return x + markup(escapeHTML(y))
		case markup:
			checkText(len(x) + len(y))
			return x + y
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return append(append([]byte{}, x...), y...)
		}
	case *List:
		if y, ok := b.(*List); ok {
			checkItems(len(x.items) + len(y.items))
			return &List{append(append(make([]any, 0, len(x.items)+len(y.items)), x.items...), y.items...)}
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			checkItems(len(x.items) + len(y.items))
			return &Tuple{items: append(append(make([]any, 0, len(x.items)+len(y.items)), x.items...), y.items...)}
		}
	}
	return nil
}

func concatError(a, b any) {
	refuseOperand(a)
	refuseOperand(b)
	switch a.(type) {
	case string:
		throw("TypeError", "can only concatenate str (not %q) to str", typeName(b))
	case *List:
		throw("TypeError", "can only concatenate list (not %q) to list", typeName(b))
	case *Tuple:
		throw("TypeError", "can only concatenate tuple (not %q) to tuple", typeName(b))
	}
}

func refuseOperand(v any) {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
}

// repeat is a * b for a sequence and an integer, nil where it does not apply.
func repeat(a, b any) any {
	n, ok := integer(b)
	if !ok {
		if n, ok = integer(a); !ok {
			return nil
		}
		a = b
	}
	n = max(n, 0)
	many := func(items []any) []any {
		if len(items) == 0 {
			return nil
		}
		if n > maxItems {
			checkItems(-1)
		}
		checkItems(len(items) * int(n))
		out := make([]any, 0, len(items)*int(n))
		for range n {
			out = append(out, items...)
		}
		return out
	}
	switch x := a.(type) {
	case string:
		return repeatText(x, n)
	case markup:
		return markup(repeatText(string(x), n))
	case *List:
		return &List{many(x.items)}
	case *Tuple:
		return &Tuple{items: many(x.items)}
	}
	return nil
}

func repeatText(s string, n int64) string {
	if s == "" {
		return ""
	}
	if n > maxText {
		checkText(-1)
	}
	checkText(len(s) * int(n))
	return strings.Repeat(s, int(n))
}

func repeatError(a, b any) {
	refuseOperand(a)
	refuseOperand(b)
	for _, p := range [][2]any{{a, b}, {b, a}} {
		switch p[0].(type) {
		case string, markup, *List, *Tuple:
			throw("TypeError", "can't multiply sequence by non-int of type '%s'", typeName(p[1]))
		}
	}
}
