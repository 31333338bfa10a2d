package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// InvalidError is a complaint about the value of one setting.
type InvalidError struct {
	Key string // e.g. "nats_url"
	Err error
}

func (e *InvalidError) Error() string { return e.Key + ": " + e.Err.Error() }

func (e *InvalidError) Unwrap() error { return e.Err }

// Invalid makes the error of a Validate method that complains about one setting, named by its key. Parse replaces the
// key by the place the value came from: "--log-level: ...", "ZESTER_LOG_LEVEL: ...", "/etc/zester/peel.yaml:4: log_level: ...".
func Invalid(key, format string, args ...any) error {
	return &InvalidError{Key: keyOf(key), Err: fmt.Errorf(format, args...)}
}

// Locate rewrites an error made with Invalid to say where the setting's value came from. It is for complaints found after
// Parse, such as an address that is taken; other errors are returned as they are.
func (i *Invocation) Locate(err error) error {
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	switch source := i.Source(invalid.Key); {
	case source == sourceDefault:
		return fmt.Errorf("%s (default): %w", invalid.Key, invalid.Err)
	case i.file != "" && strings.HasPrefix(source, i.file+":"):
		return fmt.Errorf("%s: %s: %w", source, invalid.Key, invalid.Err)
	default:
		return fmt.Errorf("%s: %w", source, invalid.Err)
	}
}

// usageError adds where to read on to kong's complaint about a command line.
func usageError(program Program, err error) error {
	return fmt.Errorf("%w (see %q)", err, program.Name+" --help")
}

// clarify says in a user's words what kong says in a parser's when the last flag lacks its value.
func clarify(parser *kong.Kong, args []string, err error) error {
	if len(args) == 0 {
		return err
	}
	last := args[len(args)-1]
	visitError := kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && last == "--"+flag.Name && !flag.IsBool() {
			return fmt.Errorf("%s: its value is missing", last)
		}
		return next(nil)
	})
	if visitError != nil {
		return visitError
	}
	return err
}

// checkRequired comes before kong's own check, which knows flags only.
func checkRequired(program Program, f *file, parser *kong.Kong, settings map[string]setting, trace *kong.Context, values map[string]value) error {
	for _, flag := range parser.Model.Flags {
		if !flag.Required {
			continue
		}
		// An empty text is no answer to a required setting, but a flag that is no text is never empty.
		key := keyOf(flag.Name)
		given := values[key].Text != ""
		if flagGiven(trace, flag.Name) {
			given = flag.Target.Kind() != reflect.String || flagText(trace, flag.Name) != ""
		}
		if given {
			continue
		}
		setting, isSetting := settings[key]
		switch {
		case !isSetting:
			return usageError(program, fmt.Errorf("--%s is required", flag.Name))
		case len(program.Files) == 0:
			return fmt.Errorf("--%s is required (or %s)", flag.Name, setting.variable())
		case f.path == "":
			return fmt.Errorf("--%s is required (or key %q in %s, or %s)", flag.Name, key, program.Files[len(program.Files)-1], setting.variable())
		default:
			return fmt.Errorf("--%s is required (or key %q in %s, or %s)", flag.Name, key, f.path, setting.variable())
		}
	}
	return nil
}

// sources tells where each setting that is not a default came from.
func sources(trace *kong.Context, f *file, settings map[string]setting, values map[string]value) map[string]string {
	found := map[string]string{}
	for _, key := range f.keys {
		if settings[key.name].block.IsValid() && !isNull(key.value) {
			found[key.name] = fmt.Sprintf("%s:%d", f.path, key.line)
		}
	}
	for key, value := range values {
		found[key] = value.Source
	}
	for _, step := range trace.Path {
		if slices.Contains(trace.Model.Flags, step.Flag) {
			found[keyOf(step.Flag.Name)] = "--" + step.Flag.Name
		}
	}
	return found
}
