package modules

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// registerStatus adds what Salt's users ask a host first.
func registerStatus(r *Registry) {
	r.Register(
		&Function{Name: "status.uptime", Doc: "Return since when the host is up, and how many sessions users have where who tells that.", Run: uptime},
		&Function{Name: "status.loadavg", Doc: "Return the load averages of 1, 5 and 15 minutes.",
			Run: func(context.Context, *Env, Args) (any, error) {
				numbers, err := numbersIn("/proc/loadavg", 3)
				if err != nil {
					return nil, named("status.loadavg", err)
				}
				return map[string]any{"1-min": numbers[0], "5-min": numbers[1], "15-min": numbers[2]}, nil
			}},
	)
}

func uptime(ctx context.Context, env *Env, _ Args) (any, error) {
	numbers, err := numbersIn("/proc/uptime", 1)
	if err != nil {
		return nil, named("status.uptime", err)
	}
	up := time.Duration(numbers[0]) * time.Second
	since := time.Now().Add(-up)
	minutes := int64(up / time.Minute)
	out := map[string]any{
		"seconds": int64(up / time.Second), "days": minutes / (24 * 60), "time": fmt.Sprintf("%d:%d", minutes/60%24, minutes%60),
		"since_t": since.Unix(), "since_iso": since.UTC().Format("2006-01-02T15:04:05.000000"),
	}
	if hasTool("who") {
		text, err := env.must(ctx, "who", "-s")
		if err != nil {
			return nil, named("status.uptime", err)
		}
		out["users"] = int64(len(strings.Split(text, "\n")))
		if text == "" {
			out["users"] = int64(0)
		}
	}
	return out, nil
}

// numbersIn are the first n numbers in a file of the kernel.
func numbersIn(path string, n int) ([]float64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(data))
	if len(words) < n {
		return nil, fmt.Errorf("%s has %q, and not %d numbers", path, data, n)
	}
	numbers := make([]float64, n)
	for i := range numbers {
		if numbers[i], err = strconv.ParseFloat(words[i], 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return numbers, nil
}
