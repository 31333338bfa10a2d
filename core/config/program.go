package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// ErrDone is returned by Parse when the command line asked for --help or --version and the answer has been printed:
// there is nothing left to do, and the program exits with 0.
var ErrDone = errors.New("config: help or version printed")

// Program is what Parse needs to know beyond the struct it fills.
type Program struct {
	// Name is the program as its user types it, e.g. "zester-master" or "zester master".
	Name string
	// Usage replaces the usage line of --help, where the line made from the flags says less than it should.
	Usage string
	// Description is the text under the usage line of --help, printed as it is.
	Description string
	// Notes are the last lines of --help, printed as they are.
	Notes string
	// Version is what --version prints after the name.
	Version string
	// Files are the places a configuration file may be; the first that exists is read and the others are not. A leading
	// "~/" is the user's home. --config and ZESTER_CONFIG name another file, which must then exist. With no Files the
	// program has no configuration file and no --config.
	Files []string
	// Known are structs of other programs that may share a file with this one. Their keys are accepted and ignored.
	Known []any
	// Hint, if set, gives what else to say of a command line that cannot be read; words are its arguments without flags.
	// Empty is nothing.
	Hint func(words []string) string
	// Siblings are the names of other programs that are reached through this one's name.
	Siblings []string
	// Vars are what ${name} stands for in defaults and help texts of the struct's tags.
	Vars map[string]string
}

// Invocation is a successfully parsed command line.
type Invocation struct {
	file    string
	sources map[string]string
	context *kong.Context
}

// File is the configuration file that was read, or "" if there was none.
func (i *Invocation) File() string { return i.file }

// Command is the path of the selected subcommand, e.g. "enroll list", or "" if there is none. Arguments are left out.
func (i *Invocation) Command() string {
	var names []string
	for _, step := range i.context.Path {
		if step.Command != nil {
			names = append(names, step.Command.Name)
		}
	}
	return strings.Join(names, " ")
}

// Run calls the Run method of the selected subcommand. Its parameters are taken by type from binds, and it may take its
// parents' structs as well.
func (i *Invocation) Run(binds ...any) error { return i.context.Run(binds...) }

// Source says where the value of a setting came from: "--nats-url", "ZESTER_NATS_URL", "/etc/zester/master.yaml:4" or
// "default". The setting is named by its key or its flag, with or without dashes.
func (i *Invocation) Source(setting string) string {
	if source, ok := i.sources[keyOf(setting)]; ok {
		return source
	}
	return sourceDefault
}

const sourceDefault = "default"

// Parse fills dst, a pointer to a struct with kong's tags, from its defaults, the first configuration file there is,
// environ (in the form of os.Environ) and args (without the program's name).
//
// Flags of the root of dst are settings: --nats-url is the key nats_url and the variable ZESTER_NATS_URL. A root flag
// tagged config:"-" can be given on the command line only, as can flags and arguments of subcommands. A field tagged
// kong:"-" with a yaml:"name" tag can be set in the file only, and may be of any type YAML can decode. A variable that is
// set counts even if it is empty; a key whose value is null does not count. Variables that belong to no setting are
// ignored, since the programs of one host share an environment.
//
// If dst, or the struct of a selected subcommand, has a method Validate() error it is called last. An error made with
// Invalid is reported with the source of the value it complains about.
func Parse(program Program, dst any, args, environ []string, stdio Stdio) (*Invocation, error) {
	builtin := &builtinFlags{}
	parser, resolver, err := newParser(program, dst, builtin, stdio)
	if err != nil {
		return nil, err
	}
	args = flagsFirst(parser.Model.Node, args)
	trace, err := kong.Trace(parser, args)
	if err == nil {
		err = trace.Error
	}
	if err != nil {
		return nil, misused(program, parser, args, err)
	}
	if done, err := answer(program, parser, trace, builtin, stdio); done {
		return nil, err
	}

	settings, err := settingsOf(parser, dst)
	if err != nil {
		return nil, err
	}
	file, err := loadFile(program, environ, flagText(trace, "config"))
	if err != nil {
		return nil, err
	}
	if err := file.checkKeys(program, settings); err != nil {
		return nil, err
	}
	if err := file.decodeBlocks(settings); err != nil {
		return nil, err
	}
	values, err := merge(file, environ, settings)
	if err != nil {
		return nil, err
	}
	resolver.values = values

	if err := checkRequired(program, file, parser, settings, trace, values); err != nil {
		return nil, err
	}
	invocation := &Invocation{file: file.path, sources: sources(trace, file, settings, values)}
	invocation.context, err = parser.Parse(args)
	if invalid := (*InvalidError)(nil); errors.As(err, &invalid) {
		return nil, invocation.Locate(err)
	}
	if err != nil {
		return nil, misused(program, parser, args, err)
	}
	return invocation, nil
}

// builtinFlags are the flags every program has besides --help.
type builtinFlags struct {
	Version bool `help:"Print the version and exit."`
}

// configFlag is the flag of programs that read a configuration file.
type configFlag struct {
	Config string `placeholder:"FILE" help:"Configuration file, instead of ${config_files}."`
}

func newParser(program Program, dst any, builtin *builtinFlags, stdio Stdio) (*kong.Kong, *resolver, error) {
	resolver := &resolver{}
	options := []kong.Option{
		kong.Name(program.Name),
		kong.Description(program.Description),
		kong.Writers(writer(stdio.Out), writer(stdio.Err)),
		kong.Exit(func(int) {}), // only main exits
		kong.Vars(program.Vars),
		kong.Vars{"config_files": strings.Join(program.Files, " or ")},
		kong.Embed(builtin),
		kong.Resolvers(resolver),
		kong.NamedMapper("seconds", seconds),
	}
	if len(program.Files) > 0 {
		options = append(options, kong.Embed(&configFlag{}))
	}
	parser, err := kong.New(dst, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("config: %T: %w", dst, err)
	}
	return parser, resolver, nil
}

func writer(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// answer prints what --help or --version ask for. It comes before anything is read, so that a broken file or a missing
// setting cannot keep a user from the help that explains it.
func answer(program Program, parser *kong.Kong, trace *kong.Context, builtin *builtinFlags, stdio Stdio) (bool, error) {
	if flagGiven(trace, "help") {
		trace.Path = slices.DeleteFunc(trace.Path, func(step *kong.Path) bool {
			// A default command nobody named would hide the overview of all commands.
			return step.Command != nil && step.Command.Tag.Default != "" && !slices.Contains(trace.Args, step.Command.Name)
		})
		if err := printHelp(program, parser, trace, writer(stdio.Out)); err != nil {
			return true, fmt.Errorf("print help: %w", err)
		}
		return true, ErrDone
	}
	if flagGiven(trace, "version") {
		if _, err := fmt.Fprintf(writer(stdio.Out), "%s %s\n", program.Name, program.Version); err != nil {
			return true, fmt.Errorf("print version: %w", err)
		}
		return true, ErrDone
	}
	return false, nil
}

func flagGiven(trace *kong.Context, name string) bool {
	return slices.ContainsFunc(trace.Path, func(step *kong.Path) bool {
		return step.Flag != nil && step.Flag.Name == name
	})
}

// flagText is the value of a string flag given on the command line.
func flagText(trace *kong.Context, name string) string {
	for _, step := range slices.Backward(trace.Path) {
		if step.Flag != nil && step.Flag.Name == name {
			if text := trace.Value(step); text.Kind() == reflect.String {
				return text.String()
			}
		}
	}
	return ""
}
