package observe

import (
	"io"
	"log/slog"
	"strings"

	"github.com/ptorbus/zester/core/config"
)

// Logger makes a logger for level (debug, info, warn or error) and format (json or text) that writes one record a line
// to w. A level or format it does not know is an error made with config.Invalid, for the keys log_level and log_format.
func Logger(level, format string, w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug,
		"info":  slog.LevelInfo,
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
	}
	threshold, ok := levels[strings.ToLower(level)]
	if !ok {
		return nil, config.Invalid("log_level", "unknown level %q (want debug, info, warn or error)", level)
	}
	options := &slog.HandlerOptions{Level: threshold}
	switch strings.ToLower(format) {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	default:
		return nil, config.Invalid("log_format", "unknown format %q (want json or text)", format)
	}
}
