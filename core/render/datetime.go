package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var timeMethods map[string]methodFunc

func init() {
	timeMethods = map[string]methodFunc{
		"strftime": func(_ *frame, self any, a args) any {
			return strftime(self.(*timeValue).t, wantStr(a.bind("strftime", 1, "format")[0]))
		},
		"isoformat": func(_ *frame, self any, a args) any {
			a.none("isoformat")
			return strings.Replace(self.(*timeValue).String(), " ", "T", 1)
		},
		"timestamp": func(_ *frame, self any, a args) any {
			a.none("timestamp")
			return float64(self.(*timeValue).t.UnixMicro()) / 1e6
		},
		"weekday": func(_ *frame, self any, a args) any {
			a.none("weekday")
			return int64(self.(*timeValue).t.Weekday()+6) % 7
		},
	}
}

func (t *timeValue) property(name string) (any, bool) {
	n := 0
	switch name {
	case "year":
		n = t.t.Year()
	case "month":
		n = int(t.t.Month())
	case "day":
		n = t.t.Day()
	case "hour":
		n = t.t.Hour()
	case "minute":
		n = t.t.Minute()
	case "second":
		n = t.t.Second()
	case "microsecond":
		n = t.t.Nanosecond() / 1000
	default:
		return nil, false
	}
	return int64(n), true
}

// dateOf makes a time of a value; None is now.
func dateOf(v any) time.Time {
	switch x := v.(type) {
	case nil:
		return time.Now()
	case *timeValue:
		return x.t
	case int64:
		return time.Unix(x, 0)
	case float64:
		if math.Abs(x) < 1e12 {
			return time.UnixMicro(int64(math.Round(x * 1e6)))
		}
	}
	if s, ok := text(v); ok {
		s = strings.TrimSpace(s)
		if f, err := strconv.ParseFloat(strings.TrimPrefix(s, "@"), 64); err == nil && math.Abs(f) < 1e12 && len(s) != len("20021225") {
			return time.UnixMicro(int64(math.Round(f * 1e6)))
		}
		if t, ok := readDate(s, time.Now()); ok {
			return t
		}
	}
	refuseOperand(v)
	throw("ValueError", "unable to parse %s as a date", repr(v))
	return time.Time{}
}

func filterStrftime(_ *frame, v any, a args) any {
	return strftime(dateOf(v), wantStr(or(a.bind("strftime", 0, "format")[0], "%Y-%m-%d")))
}

// strftime formats as C's strftime does in the C locale.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		pad := true
		if format[i] == '-' && i+1 < len(format) {
			pad = false
			i++
		}
		s := timeField(t, format[i])
		if !pad {
			if s = strings.TrimLeft(s, "0 "); s == "" {
				s = "0"
			}
		}
		b.WriteString(s)
	}
	return b.String()
}

var timeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'm': "01", 'M': "04", 'p': "PM",
	'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006",
}

func timeField(t time.Time, c byte) string {
	if l, ok := timeLayouts[c]; ok {
		return t.Format(l)
	}
	year, week := t.ISOWeek()
	switch c {
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000)
	case 'G':
		return strconv.Itoa(year)
	case 'g':
		return fmt.Sprintf("%02d", year%100)
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay())
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1)
	case 'n':
		return "\n"
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 't':
		return "\t"
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'V':
		return fmt.Sprintf("%02d", week)
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
	case 'z':
		if t.Location() == time.Local {
			return "" // a naive time has no zone
		}
		return t.Format("-0700")
	case 'Z':
		if t.Location() == time.Local {
			return ""
		}
		return t.Format("MST")
	case '%':
		return "%"
	}
	return "%" + string(rune(c))
}
