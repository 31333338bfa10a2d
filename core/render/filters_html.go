package render

import (
	"html"
	"regexp"
	"strings"
	"unicode"
)

func isWordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

func escapeHTML(s string) string { return htmlEscaper.Replace(s) }

// escaped is escape(v) as text.
func escaped(v any) string {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return escapeHTML(string(appendStr(nil, v)))
}

func filterEscape(_ *frame, v any, a args) any {
	a.none("escape")
	return markup(escaped(v))
}

func filterForceEscape(_ *frame, v any, a args) any {
	a.none("forceescape")
	return markup(escapeHTML(str(v)))
}

func filterSafe(_ *frame, v any, a args) any {
	a.none("safe")
	return markup(str(v))
}

var (
	htmlComment = regexp.MustCompile(`(?s)<!--.*?-->`)
	htmlTag     = regexp.MustCompile(`(?s)<.*?>`)
)

func filterStripTags(_ *frame, v any, a args) any {
	a.none("striptags")
	s := htmlTag.ReplaceAllString(htmlComment.ReplaceAllString(str(v), ""), "")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

// quoteURL is urllib.parse.quote: safe is what stays besides letters, digits and _.-~.
func quoteURL(s, safe string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-~", c) >= 0 || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func urlText(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return str(v)
}

func filterURLEncode(_ *frame, v any, a args) any {
	a.none("urlencode")
	if _, ok := text(v); ok {
		return quoteURL(str(v), "/")
	}
	refuseUndefined(v)
	if d, ok := v.(*Dict); ok {
		v = &view{d, "dict_items"}
	}
	it := iterOf(v)
	if it == nil {
		return quoteURL(urlText(v), "/")
	}
	form := func(v any) string {
		return strings.ReplaceAll(strings.ReplaceAll(quoteURL(urlText(v), " "), " ", "+"), "/", "%2F")
	}
	var parts []string
	for _, x := range drain(it) {
		pair := collect(x)
		if len(pair) != 2 {
			throw("ValueError", "not enough values to unpack (expected 2, got %d)", len(pair))
		}
		parts = append(parts, form(pair[0])+"="+form(pair[1]))
	}
	return strings.Join(parts, "&")
}

func filterXMLAttr(f *frame, v any, a args) any {
	b := a.bind("xmlattr", 0, "autospace")
	var parts []string
	for k, x := range wantItems(v).All() {
		if _, ok := x.(*undefined); ok || x == nil {
			continue
		}
		name := wantStr(k)
		if strings.ContainsAny(name, "/>= \t\n\r\f\v") {
			throw("ValueError", "Invalid character in attribute name: %s", repr(k))
		}
		parts = append(parts, escapeHTML(name)+`="`+escaped(x)+`"`)
	}
	s := strings.Join(parts, " ")
	if s != "" && truth(or(b[0], true)) {
		s = " " + s
	}
	if f.r.autoescape {
		return markup(s)
	}
	return s
}
