package render

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// dateReader reads dates as people write them: "2002-12-25 10:11", "Dec 25, 2002
// 3pm", "tomorrow", "+2 weeks", "last monday".
type dateReader struct {
	now                    time.Time
	date, clock, yearGiven bool
	y, mon, d              int
	h, m, s, ns            int
	years, months, days    int
	plus                   time.Duration
	weekday, direction     int // a day of the week, -1 for none, and which one: 0 this, 1 next, -1 last
}

// datePart is one thing a date is made of.
type datePart struct {
	pattern *regexp.Regexp
	take    func(r *dateReader, g []string) bool
}

const (
	reMonth = `(jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august|september|october|november|december)\b\.?`
	reDay   = `(mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\b`
	reUnit  = `(sec|second|min|minute|hour|day|week|fortnight|month|year)s?\b`
)

var dateParts = []datePart{
	{part(`[\s,]+`), func(*dateReader, []string) bool { return true }},
	{part(`(\d{4})[-/](\d{1,2})[-/](\d{1,2})t?`), func(r *dateReader, g []string) bool { return r.setDate(g[1], g[2], g[3]) }},
	{part(`(\d{1,2})/(\d{1,2})/(\d{4})`), func(r *dateReader, g []string) bool { return r.setDate(g[3], g[1], g[2]) }},
	{part(`(\d{1,2})[-.](\d{1,2})[-.](\d{4})`), func(r *dateReader, g []string) bool { return r.setDate(g[3], g[2], g[1]) }},
	{part(`(\d{4})-(\d\d)\b`), func(r *dateReader, g []string) bool { return r.setDate(g[1], g[2], "1") }},
	{part(`(\d{1,2})/(\d{1,2})/(\d\d)\b`), func(r *dateReader, g []string) bool { return r.setDate(century(g[3]), g[1], g[2]) }},
	{part(`(\d{4})(\d\d)(\d\d)(?:t|\b)`), func(r *dateReader, g []string) bool { return r.setDate(g[1], g[2], g[3]) }},
	{part(`(\d{1,2})(?:st|nd|rd|th)?[\s.-]*` + reMonth + `[\s.,-]*(\d{4})\b`), func(r *dateReader, g []string) bool { return r.setDate(g[3], g[2], g[1]) }},
	{part(reMonth + `[\s.-]*(\d{1,2})(?:st|nd|rd|th)?[\s,]+(\d{4})\b`), func(r *dateReader, g []string) bool { return r.setDate(g[3], g[1], g[2]) }},
	{part(reMonth + `[\s.-]*(\d{1,2})(?:st|nd|rd|th)?\b`), func(r *dateReader, g []string) bool { return r.setDate("", g[1], g[2]) }},
	{part(`t?(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s*([ap])\.?m\b\.?)?`), func(r *dateReader, g []string) bool { return r.setClock(g[1], g[2], g[3], g[4], g[5]) }},
	{part(`(\d{1,2})\s*([ap])\.?m\b\.?`), func(r *dateReader, g []string) bool { return r.setClock(g[1], "", "", "", g[2]) }},
	{part(`(\d\d)(\d\d)(\d\d)\b`), func(r *dateReader, g []string) bool { return r.date && r.setClock(g[1], g[2], g[3], "", "") }},
	{part(`(?:z|utc|gmt|[+-]\d\d:?\d\d)\b`), func(r *dateReader, _ []string) bool { return r.clock }}, // which Salt leaves out of account
	{part(`([+-]?\s*\d{1,6})\s*` + reUnit + `(\s+ago\b)?`), func(r *dateReader, g []string) bool { return r.shift(g[1], g[2], g[3] != "") }},
	{part(`(next|last)\s+` + reUnit), func(r *dateReader, g []string) bool { return r.shift("1", g[2], g[1] == "last") }},
	{part(`(?:(next|last|this)\s+)?` + reDay), (*dateReader).setWeekday},
	{part(`(now|today|midnight|noon|tomorrow|yesterday)\b`), (*dateReader).setWord},
	{part(`(\d{4})\b`), func(r *dateReader, g []string) bool {
		known := r.date && !r.yearGiven
		r.y, r.yearGiven = atoi(g[1]), true
		return known
	}},
}

func part(expr string) *regexp.Regexp { return regexp.MustCompile(`(?i)^` + expr) }

func atoi(s string) int {
	n, _ := strconv.Atoi(strings.ReplaceAll(s, " ", ""))
	return n
}

// century writes a year of two digits in full.
func century(y string) string {
	if y < "70" {
		return "20" + y
	}
	return "19" + y
}

// readDate reads a date; a part that is missing is today's, or midnight.
func readDate(s string, now time.Time) (time.Time, bool) {
	r := &dateReader{now: now, weekday: -1}
	s = strings.TrimSpace(s)
	if s == "" {
		return now, false
	}
parts:
	for s != "" {
		for _, p := range dateParts {
			if g := p.pattern.FindStringSubmatch(s); g != nil && p.take(r, g) {
				s = s[len(g[0]):]
				continue parts
			}
		}
		return now, false
	}
	return r.time(), true
}

func (r *dateReader) time() time.Time {
	if r.date {
		r.weekday = -1 // "Wed, 25 Dec": the date says it already
	} else {
		y, mon, d := r.now.Date()
		r.y, r.mon, r.d = y, int(mon), d
		if !r.clock && r.weekday < 0 {
			r.h, r.m, r.s = r.now.Clock()
			r.ns = r.now.Nanosecond()
		}
	}
	t := time.Date(r.y+r.years, time.Month(r.mon+r.months), r.d+r.days, r.h, r.m, r.s, r.ns, r.now.Location()).Add(r.plus)
	if r.weekday >= 0 {
		ahead := (r.weekday - int(t.Weekday()) + 7) % 7
		if r.direction > 0 && ahead == 0 || r.direction < 0 {
			ahead += 7 * r.direction
		}
		t = t.AddDate(0, 0, ahead)
	}
	return t
}

func (r *dateReader) setDate(y, mon, d string) bool {
	if r.date {
		return false
	}
	r.date, r.yearGiven = true, y != ""
	r.y, r.mon, r.d = atoi(y), atoi(mon), atoi(d)
	if y == "" {
		r.y = r.now.Year()
	}
	if r.mon == 0 && len(mon) > 2 {
		r.mon = 1 + strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(mon[:3]))/3
	}
	return r.mon >= 1 && r.mon <= 12 && r.d >= 1 && r.d <= 31
}

func (r *dateReader) setClock(h, m, s, fraction, half string) bool {
	if r.clock {
		return false
	}
	r.clock = true
	r.h, r.m, r.s = atoi(h), atoi(m), atoi(s)
	r.ns = atoi((fraction + "000000000")[:9])
	if half != "" {
		if r.h < 1 || r.h > 12 {
			return false
		}
		if r.h %= 12; half == "p" || half == "P" {
			r.h += 12
		}
	}
	return r.h < 25 && r.m < 60 && r.s < 61
}

func (r *dateReader) shift(count, unit string, back bool) bool {
	n := atoi(count)
	if back {
		n = -n
	}
	switch unit = strings.ToLower(unit); unit[:2] {
	case "se":
		r.plus += time.Duration(n) * time.Second
	case "mi":
		r.plus += time.Duration(n) * time.Minute
	case "ho":
		r.plus += time.Duration(n) * time.Hour
	case "da":
		r.days += n
	case "we":
		r.days += 7 * n
	case "fo":
		r.days += 14 * n
	case "mo":
		r.months += n
	default:
		r.years += n
	}
	return true
}

func (r *dateReader) setWeekday(g []string) bool {
	r.direction = map[string]int{"next": 1, "last": -1}[strings.ToLower(g[1])]
	r.weekday = strings.Index("sunmontuewedthufrisat", strings.ToLower(g[2][:3])) / 3
	return true
}

func (r *dateReader) setWord(g []string) bool {
	switch strings.ToLower(g[1]) {
	case "now":
		return true
	case "noon":
		r.h = 12
	case "tomorrow":
		r.days++
	case "yesterday":
		r.days--
	}
	r.clock = true
	return true
}
