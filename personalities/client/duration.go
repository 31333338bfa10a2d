package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// duration is a flag's: a bare number is one of seconds, as in Salt, and besides Go's units there are days, in which jobs
// and their returns are kept.
type duration time.Duration

// UnmarshalText reads 90, 90s, 1h30m, 7d or 1.5d.
func (d *duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n <= 36500 {
			*d = duration(n * 24 * float64(time.Hour))
			return nil
		}
	}
	full := string(text)
	if _, err := strconv.ParseFloat(full, 64); err == nil {
		full += "s"
	}
	parsed, err := time.ParseDuration(full)
	if err != nil || parsed < 0 {
		return fmt.Errorf("want a duration such as 90, 90s, 1h30m or 7d, got %q", text)
	}
	*d = duration(parsed)
	return nil
}
