package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/config"
)

func TestLoggerWritesJSON(t *testing.T) {
	var out bytes.Buffer
	logger, err := Logger("info", "json", &out)
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("below the level")
	logger.Info("connected", "peel", "web-01", "after", 2)
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if record["msg"] != "connected" || record["level"] != "INFO" || record["peel"] != "web-01" || record["after"] != 2.0 || record["time"] == nil {
		t.Errorf("record = %v", record)
	}
}

func TestLoggerLevelsAndFormats(t *testing.T) {
	for _, c := range []struct{ level, want string }{
		{"debug", "dbg inf wrn err"},
		{"Info", "inf wrn err"},
		{"warn", "wrn err"},
		{"ERROR", "err"},
	} {
		var out bytes.Buffer
		logger, err := Logger(c.level, "text", &out)
		if err != nil {
			t.Fatal(err)
		}
		logger.Debug("dbg")
		logger.Info("inf")
		logger.Warn("wrn")
		logger.Error("err")
		var got []string
		for line := range strings.Lines(out.String()) {
			_, message, found := strings.Cut(strings.TrimSpace(line), "msg=")
			if !found {
				t.Errorf("not text: %q", line)
			}
			got = append(got, message)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s logs %q, want %q", c.level, got, c.want)
		}
	}
}

func TestLoggerErrors(t *testing.T) {
	for _, c := range []struct{ level, format, want, key string }{
		{"loud", "json", `log_level: unknown level "loud" (want debug, info, warn or error)`, "log_level"},
		{"", "json", `log_level: unknown level "" (want debug, info, warn or error)`, "log_level"},
		{"info", "xml", `log_format: unknown format "xml" (want json or text)`, "log_format"},
	} {
		logger, err := Logger(c.level, c.format, nil)
		var invalid *config.InvalidError
		if logger != nil || err == nil || err.Error() != c.want || !errors.As(err, &invalid) || invalid.Key != c.key {
			t.Errorf("Logger(%q, %q) = %v, %v", c.level, c.format, logger, err)
		}
	}
}
