package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// printHelp prints the page of the program or of the selected command. A command's own flags come before those of all.
func printHelp(program Program, parser *kong.Kong, trace *kong.Context, out io.Writer) error {
	options := helpOptions
	parser.Model.HelpFlag.Help = "Print this page and exit."
	if command := trace.Selected(); command != nil {
		for _, flag := range parser.Model.Flags {
			flag.Group = &kong.Group{Key: "all", Title: "Flags of all commands:"}
		}
		return kong.DefaultHelpPrinter(options, trace)
	}
	if options.NoAppSummary = program.Usage != ""; options.NoAppSummary {
		if _, err := fmt.Fprintf(out, "Usage: %s\n", program.Usage); err != nil {
			return err
		}
	}
	if err := kong.DefaultHelpPrinter(options, trace); err != nil {
		return err
	}
	for _, text := range []string{settingsHelp(program, parser), program.Notes} {
		if text == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "\n%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

var helpOptions = kong.HelpOptions{
	Compact: true, FlagsLast: true, NoAppDescFormat: true, WrapUpperBound: 100, ValueFormatter: kong.DefaultHelpValueFormatter,
}

// settingsHelp says what the flags' own lines do not say.
func settingsHelp(program Program, parser *kong.Kong) string {
	var example string
	for _, flag := range parser.Model.Flags {
		if !slices.Contains(builtinNames, flag.Name) && flag.Tag.Get("config") != "-" && !flag.Hidden {
			example = flag.Name
			break
		}
	}
	if example == "" {
		return ""
	}
	names := setting{key: keyOf(example)}
	text := fmt.Sprintf("Each flag can be a variable too: --%s is %s.", example, names.variable())
	if len(program.Files) > 0 {
		text = fmt.Sprintf("Each flag can be a key of the configuration file or a variable too:\n--%s is %q or %s.", example, names.key, names.variable())
	}
	var keys []string
	for key := range blocks(reflect.ValueOf(parser.Model.Target.Addr().Interface()).Elem()) {
		keys = append(keys, key)
	}
	if slices.Sort(keys); len(keys) > 0 {
		text += "\nKeys for the file only: " + strings.Join(keys, ", ") + "."
	}
	return text
}
