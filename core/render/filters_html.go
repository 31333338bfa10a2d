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

func filterXMLAttr(_ *frame, v any, a args) any {
	b := a.bind("xmlattr", 0, "autospace")
	var parts []string
	for k, x := range wantDict(v).All() {
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
	return s
}

const (
	webName  = `(?:https?://|www\.)(?:[\p{L}\p{N}_%-]+\.)*(?:[a-z]{2,63}|xn--[\w%]{2,59})`
	bareName = `(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)`
	webAddr  = `https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\])`
)

var (
	urlWords = regexp.MustCompile(`\s+|\S+`)
	webURL   = regexp.MustCompile(`(?i)^(?:` + webName + `|` + bareName + `|` + webAddr + `)(?::\d{1,5})?(?:[/?#]\S*)?$`)
	mailAddr = regexp.MustCompile(`^\S+@\w[\w.-]*\.\w+$`)
)

// filterURLize turns addresses into links.
func filterURLize(_ *frame, v any, a args) any {
	b := a.bind("urlize", 0, "trim_url_limit", "nofollow", "target", "rel", "extra_schemes")
	rel := map[string]bool{"noopener": true}
	order := []string{"noopener"}
	if truth(or(b[1], false)) {
		order = []string{"nofollow", "noopener"}
	}
	if r := or(b[3], nil); r != nil {
		for _, w := range strings.Fields(wantStr(r)) {
			if !rel[w] {
				order = append(order, w)
			}
		}
	}
	sortStrings(order)
	attrs := ` rel="` + escapeHTML(strings.Join(order, " ")) + `"`
	if t := or(b[2], nil); t != nil {
		attrs += ` target="` + escapeHTML(wantStr(t)) + `"`
	}
	shorten := func(s string) string {
		if l := or(b[0], nil); l != nil && runeLen(s) > wantInt(l) {
			return string([]rune(s)[:max(0, wantInt(l))]) + "..."
		}
		return s
	}
	words := urlWords.FindAllString(escaped(v), -1)
	for i, w := range words {
		words[i] = urlizeWord(w, attrs, shorten)
	}
	return strings.Join(words, "")
}

func urlizeWord(w, attrs string, shorten func(string) string) string {
	head, middle, tail := "", w, ""
	for again := true; again; {
		again = false
		for _, p := range []string{"(", "<", "&lt;"} {
			if strings.HasPrefix(middle, p) {
				head, middle, again = head+p, middle[len(p):], true
			}
		}
	}
	for again := true; again; {
		again = false
		for _, p := range []string{")", ">", ".", ",", "\n", "&gt;"} {
			if strings.HasSuffix(middle, p) {
				tail, middle, again = p+tail, middle[:len(middle)-len(p)], true
			}
		}
	}
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		n := strings.Count(middle, pair[0]) - strings.Count(middle, pair[1])
		for ; n > 0 && strings.Contains(tail, pair[1]); n-- {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	switch {
	case webURL.MatchString(middle):
		href := middle
		if !strings.HasPrefix(middle, "https://") && !strings.HasPrefix(middle, "http://") {
			href = "https://" + middle
		}
		middle = `<a href="` + href + `"` + attrs + ">" + shorten(middle) + "</a>"
	case strings.HasPrefix(middle, "mailto:") && mailAddr.MatchString(middle[7:]):
		middle = `<a href="` + middle + `">` + middle[7:] + "</a>"
	case strings.Contains(middle, "@") && !strings.HasPrefix(middle, "www.") && !strings.Contains(middle, ":") && mailAddr.MatchString(middle):
		middle = `<a href="mailto:` + middle + `">` + middle + "</a>"
	}
	return head + middle + tail
}
