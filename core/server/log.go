package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// logger is nats-server's log as slog lines. What nats-server would end the process for, it
// keeps for whoever starts the server.
type logger struct {
	to    *slog.Logger
	once  sync.Once
	fatal chan string
}

func newLogger(to *slog.Logger) *logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &logger{to: to, fatal: make(chan string, 1)}
}

func (l *logger) log(level slog.Level, format string, args []any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

func (l *logger) Noticef(format string, v ...any) { l.log(slog.LevelInfo, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.log(slog.LevelWarn, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.log(slog.LevelError, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.log(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.log(slog.LevelDebug-4, format, v) }

// Fatalf must not return to a server that goes on, and nats-server's callers return after it.
func (l *logger) Fatalf(format string, v ...any) {
	l.log(slog.LevelError, format, v)
	l.once.Do(func() { l.fatal <- strings.TrimSpace(fmt.Sprintf(format, v...)) })
}
