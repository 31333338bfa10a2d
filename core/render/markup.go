package render

import (
	"html"
	"slices"
)

// markupMethods are those that str has not, or that differ.
var markupMethods map[string]methodFunc

func init() {
	markupMethods = map[string]methodFunc{
		"format": formatMethod, "format_map": formatMap,
		"unescape": func(_ *frame, self any, a args) any {
			a.none("unescape")
			return html.UnescapeString(string(self.(markup)))
		},
		"striptags": func(f *frame, self any, a args) any { return filterStripTags(f, self, a) },
	}
}

// keepMarkup makes the methods of markup return markup, with what they are given
// escaped: those that MarkupSafe overrides.
func keepMarkup(name string, fn methodFunc) methodFunc {
	escapes, overridden := map[string]bool{
		"replace": true, "ljust": true, "rjust": true, "lstrip": true, "rstrip": true, "center": true, "strip": true,
		"partition": true, "rpartition": true, "join": true,
		"capitalize": false, "title": false, "lower": false, "upper": false, "translate": false, "expandtabs": false,
		"swapcase": false, "zfill": false, "split": false, "rsplit": false, "splitlines": false,
	}[name]
	return func(f *frame, self any, a args) any {
		m, ok := self.(markup)
		if !ok {
			return fn(f, self, a)
		}
		if !overridden {
			return fn(f, string(m), a)
		}
		if escapes {
			a = args{escapedArgs(a.pos), slices.Clone(a.kw)}
			for i, k := range a.kw {
				a.kw[i].val = escapedArg(k.val)
			}
		}
		return asMarkup(fn(f, string(m), a))
	}
}

func escapedArgs(pos []any) []any {
	out := make([]any, len(pos))
	for i, v := range pos {
		out[i] = escapedArg(v)
	}
	return out
}

// escapedArg escapes a text, or those of a list that are to be joined.
func escapedArg(v any) any {
	switch x := v.(type) {
	case string:
		return escapeHTML(x)
	case *List:
		return &List{escapedArgs(x.items)}
	case *Tuple:
		return &Tuple{items: escapedArgs(x.items)}
	}
	return v
}

func asMarkup(v any) any {
	return eachText(v, func(text string) any { return markup(text) })
}
