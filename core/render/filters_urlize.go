package render

import (
	"regexp"
	"slices"
	"strings"
)

const (
	webName  = `(?:https?://|www\.)(?:[\p{L}\p{N}_%-]+\.)*(?:[a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})`
	bareName = `(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)`
	webAddr  = `https?://(?:\p{Nd}{1,3}(?:\.\p{Nd}{1,3}){3}|\[(?:[\p{Nd}a-f]{0,4}:){2}(?:[\p{Nd}a-f]{0,4}:?){1,6}\])`
)

var (
	webURL    = regexp.MustCompile(`(?i)^(?:` + webName + `|` + bareName + `|` + webAddr + `)(?::\p{Nd}{1,5})?(?:[/?#]\S*)?$`)
	mailAddr  = regexp.MustCompile(`^\S+@[\p{L}\p{N}_][\p{L}\p{N}_.-]*\.[\p{L}\p{N}_]+$`)
	uriScheme = regexp.MustCompile(`^[\p{L}\p{N}_.+-]{2,}:/{0,2}$`)
	linkHead  = regexp.MustCompile(`^(?:[(<]|&lt;)+`)
	linkTail  = regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`)
)

// linker turns the addresses among the words of a text into links.
type linker struct {
	attrs   string
	limit   any // of the text shown, nil for none
	schemes []string
}

func filterURLize(f *frame, v any, a args) any {
	b := a.bind("urlize", 0, "trim_url_limit", "nofollow", "target", "rel", "extra_schemes")
	words := []string{"noopener"}
	if r := or(b[3], nil); r != nil && truth(r) {
		words = append(words, strings.FieldsFunc(wantStr(r), isSpace)...)
	}
	if truth(or(b[1], false)) {
		words = append(words, "nofollow")
	}
	slices.Sort(words)
	l := &linker{attrs: ` rel="` + escapeHTML(strings.Join(slices.Compact(words), " ")) + `"`}
	if t := or(b[2], nil); t != nil && truth(t) {
		l.attrs += ` target="` + escaped(t) + `"`
	}
	l.limit = or(b[0], nil)
	if s := or(b[4], nil); s != nil {
		for _, scheme := range collect(s) {
			if !uriScheme.MatchString(wantStr(scheme)) {
				throw("FilterArgumentError", "%s is not a valid URI scheme prefix.", repr(scheme))
			}
			l.schemes = append(l.schemes, str(scheme))
		}
	}
	out := l.text(escaped(v))
	if f.r.autoescape {
		return markup(out)
	}
	return out
}

func (l *linker) text(s string) string {
	var b strings.Builder
	for s != "" {
		blank := isSpace([]rune(s)[0])
		n := strings.IndexFunc(s, func(r rune) bool { return isSpace(r) != blank })
		if n < 0 {
			n = len(s)
		}
		if blank {
			b.WriteString(s[:n])
		} else {
			b.WriteString(l.word(s[:n]))
		}
		checkText(b.Len())
		s = s[n:]
	}
	return b.String()
}

func (l *linker) word(w string) string {
	head := linkHead.FindString(w)
	middle := w[len(head):]
	tail := linkTail.FindString(middle)
	middle = strings.TrimSuffix(middle, tail)
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		opened := strings.Count(middle, pair[0])
		if opened <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	return head + l.link(middle) + tail
}

func (l *linker) link(s string) string {
	switch {
	case webURL.MatchString(s):
		href := s
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			href = "https://" + s
		}
		if l.limit != nil && ordered(">", int64(runeLen(s)), l.limit) {
			s = sliceText(s, nil, int64(wantInt(l.limit)), nil) + "..."
		}
		return `<a href="` + href + `"` + l.attrs + ">" + s + "</a>"
	case strings.HasPrefix(s, "mailto:") && mailAddr.MatchString(s[7:]):
		return `<a href="` + s + `">` + s[7:] + "</a>"
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "www.") && !strings.HasPrefix(s, "@") && !strings.Contains(s, ":") && mailAddr.MatchString(s):
		return `<a href="mailto:` + s + `">` + s + "</a>"
	}
	for _, scheme := range l.schemes {
		if s != scheme && strings.HasPrefix(s, scheme) {
			s = `<a href="` + s + `"` + l.attrs + ">" + s + "</a>"
		}
	}
	return s
}
