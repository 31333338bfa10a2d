package config

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestMainExitCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		err  error
		code int
		want string // on stderr
	}{
		{"success", nil, nil, 0, ""},
		{"failure", nil, errors.New("no bus"), 1, "zester nats: no bus\n"},
		{"failures", nil, errors.Join(errors.New("one"), errors.New("two")), 1, "zester nats: one; two\n"},
		{"own code", nil, fmt.Errorf("run: %w", Exit(3)), 3, ""},
		{"setting", nil, Invalid("conf", "no such file"), 1, "zester nats: --conf: no such file\n"},
		{"help", []string{"--help"}, nil, 0, ""},
		{"usage", []string{"--conf", "x", "--bogus"}, nil, 1, "zester nats: unknown flag --bogus (see \"zester nats --help\")\n"},
		{"required", []string{"--log-level=debug"}, nil, 1, "zester nats: --conf is required (see \"zester nats --help\")\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var settings struct {
				LogLevel string `default:"info"`
				Conf     string `config:"-" short:"c" required:""`
			}
			args := c.args
			if args == nil {
				args = []string{"-c", "x"}
			}
			var stderr bytes.Buffer
			ran := false
			code := Program{Name: "zester nats"}.Main(&settings, args, nil, Stdio{Err: &stderr}, func(*Invocation) error {
				ran = true
				return c.err
			})
			if code != c.code || stderr.String() != c.want || ran != (c.args == nil) {
				t.Errorf("code %d, stderr %q, ran %v", code, stderr.String(), ran)
			}
		})
	}
}
