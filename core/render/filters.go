package render

import (
	"iter"
	"maps"
	"strings"
	"unicode/utf8"
)

// filterFunc is a filter: the value, then the arguments of the call.
type filterFunc func(f *frame, v any, a args) any

var filters map[string]filterFunc

func filterByName(name string) filterFunc { return filters[name] }

func noFilter(name string) string { return "no filter named " + repr(name) + suggest(name, filters) }

func noTest(name string) string { return "no test named " + repr(name) + suggest(name, tests) }

// suggest names the nearest known name, for typos.
func suggest[V any](name string, known map[string]V) string {
	return suggestFrom(name, maps.Keys(known))
}

func suggestFrom(name string, known iter.Seq[string]) string {
	best, dist := "", 3
	for k := range known {
		if d := distance(name, k, dist+1); d < dist || d == dist && k < best {
			best, dist = k, d
		}
	}
	if best == "" || dist >= len(name) {
		return ""
	}
	return " (did you mean " + repr(best) + "?)"
}

// distance is the edit distance of two names, or limit when it is no less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}

func init() {
	filters = map[string]filterFunc{
		"abs": filterAbs, "attr": filterAttr, "batch": filterBatch, "capitalize": onText("capitalize", capitalize),
		"center": filterCenter, "count": filterLength, "d": filterDefault, "default": filterDefault,
		"dictsort": filterDictSort, "e": filterEscape, "escape": filterEscape, "filesizeformat": filterFileSize,
		"first": filterFirst, "float": filterFloat, "forceescape": filterForceEscape, "format": filterFormat,
		"groupby": filterGroupBy, "indent": filterIndent, "int": filterInt, "items": filterItems,
		"join": filterJoin, "last": filterLast, "length": filterLength, "list": filterList,
		"lower": onText("lower", lower), "map": filterMap, "max": filterExtreme("max", ">"), "min": filterExtreme("min", "<"),
		"pprint": filterPprint, "random": filterRandom, "reject": filterSelect(false, false),
		"rejectattr": filterSelect(false, true), "replace": filterReplace, "reverse": filterReverse,
		"round": filterRound, "safe": filterSafe, "select": filterSelect(true, false),
		"selectattr": filterSelect(true, true), "slice": filterSlice, "sort": filterSort, "string": filterString,
		"striptags": filterStripTags, "sum": filterSum, "title": filterTitle, "tojson": filterToJSON,
		"trim": filterTrim, "truncate": filterTruncate, "unique": filterUnique, "upper": onText("upper", upper),
		"urlencode": filterURLEncode, "urlize": filterURLize, "wordcount": filterWordCount,
		"wordwrap": filterWordWrap, "xmlattr": filterXMLAttr,
	}
	for _, more := range []map[string]filterFunc{saltFilters(), saltDataFilters(), saltNetFilters(), saltHashFilters(), combineFilters()} {
		for name, fn := range more {
			filters[name] = fn
		}
	}
}

// onText is a filter that maps a string to a string.
func onText(name string, fn func(string) string) filterFunc {
	return func(_ *frame, v any, a args) any {
		a.none(name)
		if m, ok := v.(markup); ok {
			return markup(fn(string(m)))
		}
		return fn(str(v))
	}
}

// softText is str(v), which leaves markup what it is.
func softText(v any) any {
	if m, ok := v.(markup); ok {
		return m
	}
	return str(v)
}

// filterTitle makes a plain string even of markup.
func filterTitle(_ *frame, v any, a args) any {
	a.none("title")
	return titleWords(str(v))
}

// titleWords upper-cases what follows a hyphen, a blank or an opening bracket.
func titleWords(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	word := func(w string) {
		_, n := utf8.DecodeRuneInString(w)
		b.WriteString(upper(w[:n]))
		b.WriteString(lower(w[n:]))
	}
	start := 0
	for i, r := range s {
		if r == '-' || r == '(' || r == '{' || r == '[' || r == '<' || isSpace(r) {
			word(s[start:i])
			b.WriteRune(r)
			start = i + utf8.RuneLen(r)
		}
	}
	word(s[start:])
	return b.String()
}

func filterDefault(_ *frame, v any, a args) any {
	if _, ok := v.(*undefined); !ok && len(a.kw) == 0 && len(a.pos) < 2 {
		return v
	}
	b := a.bind("default", 0, "default_value", "boolean")
	if _, ok := v.(*undefined); ok {
		return or(b[0], "")
	}
	if boolean := or(b[1], false); truth(boolean) && !truth(v) {
		return or(b[0], "")
	}
	return v
}

func filterString(_ *frame, v any, a args) any {
	a.none("string")
	if m, ok := v.(markup); ok {
		return m
	}
	return string(appendStr(nil, v))
}

func filterLength(_ *frame, v any, a args) any {
	a.none("length")
	return int64(mustLen(v))
}

func filterList(_ *frame, v any, a args) any {
	a.none("list")
	return &List{collect(v)}
}

func filterItems(f *frame, v any, a args) any {
	a.none("items")
	switch v := v.(type) {
	case *undefined:
		return &List{}
	case *Dict:
		return &view{v, "dict_items"}
	case *lookupValue:
		return &view{wantDict(v), "dict_items"}
	}
	throw("TypeError", "can only get item pairs from a mapping")
	return nil
}

func filterReplace(f *frame, v any, a args) any {
	b := a.bind("replace", 2, "old", "new", "count")
	n := -1
	if c := or(b[2], nil); c != nil {
		n = wantInt(c)
	}
	if !f.r.autoescape {
		return replaceText(str(v), str(b[0]), str(b[1]), n)
	}
	// Where output is escaped, the text is what decides, or else what is put in.
	_, safe := v.(markup)
	_, safeOld := b[0].(markup)
	_, safeNew := b[1].(markup)
	if !safe && !safeNew && !safeOld {
		return replaceText(str(v), str(b[0]), str(b[1]), n)
	}
	old := escaped(b[0])
	return markup(replaceText(escaped(v), old, escaped(b[1]), n))
}

func filterTrim(_ *frame, v any, a args) any {
	s := stripText(str(v), or(a.bind("trim", 0, "chars")[0], nil), true, true)
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

func filterCenter(_ *frame, v any, a args) any {
	s := center(str(v), wantInt(or(a.bind("center", 0, "width")[0], int64(80))), " ")
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

func filterFormat(f *frame, v any, a args) any {
	if len(a.pos) > 0 && len(a.kw) > 0 {
		throw("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	if len(a.kw) > 0 {
		d := &Dict{}
		for _, k := range a.kw {
			d.put(k.name, k.val)
		}
		return percent(softText(v), d)
	}
	return percent(softText(v), &Tuple{items: append([]any{}, a.pos...)})
}

// filterIndent is Jinja2's indent.
func filterIndent(_ *frame, v any, a args) any {
	b := a.bind("indent", 0, "width", "first", "blank", "indentfirst") // the last is Salt's
	pad, ok := text(or(b[0], int64(4)))
	if !ok {
		n := checkWidth(wantInt(or(b[0], int64(4))))
		pad = strings.Repeat(" ", max(0, n))
	}
	s := wantLines(v)
	if runes := strings.Count(s, "\n"); runes > 0 && len(pad) > maxText/runes {
		checkText(-1)
	}
	s += "\n" // counts as a last line, dropped again below
	blank := truth(or(b[2], false))
	var out strings.Builder
	if truth(or(b[1], false)) || truth(or(b[3], false)) {
		out.WriteString(pad)
	}
	lines := linesOf(s, false)
	for i, line := range lines {
		if i > 0 {
			out.WriteByte('\n')
			if blank || line != "" {
				out.WriteString(pad)
			}
		}
		out.WriteString(line)
	}
	if _, ok := v.(markup); ok {
		return markup(out.String())
	}
	return out.String()
}

func filterWordCount(_ *frame, v any, a args) any {
	a.none("wordcount")
	n := 0
	for _, w := range strings.FieldsFunc(str(v), func(r rune) bool { return !isWordRune(r) }) {
		if w != "" {
			n++
		}
	}
	return int64(n)
}

func filterTruncate(_ *frame, v any, a args) any {
	b := a.bind("truncate", 0, "length", "killwords", "end", "leeway")
	length, end := wantInt(or(b[0], int64(255))), []rune(wantStr(or(b[2], "...")))
	leeway := 5
	if l := or(b[3], nil); l != nil {
		leeway = wantInt(l)
	}
	if length < len(end) {
		throw("AssertionError", "expected length >= %d, got %d", len(end), length)
	}
	if leeway < 0 {
		throw("AssertionError", "expected leeway >= 0, got %d", leeway)
	}
	if mustLen(v) <= length+leeway {
		return v
	}
	s := []rune(wantStr(v))
	cut := string(s[:length-len(end)])
	if !truth(or(b[1], false)) {
		if i := strings.LastIndex(cut, " "); i >= 0 {
			cut = cut[:i]
		}
	}
	return cut + string(end)
}
