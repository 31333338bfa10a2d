package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// value is what the file or the environment says about one setting, in the form its flag would take.
type value struct {
	Text   string
	Source string // "FILE:LINE" or the name of a variable
	Place  string // Source as errors name it: the key is added to a file's line
}

// merge lays the environment over the file and checks each value that is left. kong puts the defaults below and the
// command line on top.
func merge(f *file, environ []string, settings map[string]setting) (map[string]value, error) {
	const noNesting = "" // keys are flat: no character in them separates levels
	layers := koanf.New(noNesting)
	fromFile, err := f.values(settings)
	if err != nil {
		return nil, err
	}
	if err := layers.Load(confmap.Provider(fromFile, noNesting), nil); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	variables := env.Opt{
		Prefix:      environPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(name, environPrefix))
			if known, ok := settings[key]; !ok || known.flag == nil || known.variable() != name {
				return "", nil
			}
			return key, value{Text: text, Source: name, Place: name}
		},
	}
	if err := layers.Load(env.Provider(noNesting, variables), nil); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	merged := map[string]value{}
	for key, found := range layers.Raw() {
		merged[key] = found.(value)
		if err := check(settings[key].flag, merged[key]); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// values are the file's settings that are flags. A null says nothing.
func (f *file) values(settings map[string]setting) (map[string]any, error) {
	values := map[string]any{}
	for _, key := range f.keys {
		flag := settings[key.name].flag
		if flag == nil || isNull(key.value) {
			continue
		}
		source := fmt.Sprintf("%s:%d", f.path, key.line)
		text, err := flagForm(flag, key.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", source, key.name, err)
		}
		values[key.name] = value{Text: text, Source: source, Place: source + ": " + key.name}
	}
	return values, nil
}

// flagForm writes a YAML value as the text its flag would take on a command line. Scalars keep their spelling, so that
// an id of 007 stays what it is.
func flagForm(flag *kong.Flag, node *yaml.Node) (string, error) {
	if !flag.IsSlice() {
		if node.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("want one value, got %s", kindName(node))
		}
		return node.Value, nil
	}
	if node.Kind == yaml.ScalarNode {
		return node.Value, nil
	}
	if node.Kind != yaml.SequenceNode {
		return "", fmt.Errorf("want a list, got %s", kindName(node))
	}
	var items []string
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode || isNull(item) {
			return "", fmt.Errorf("want a list of plain values, got %s in it", kindName(item))
		}
		items = append(items, item.Value)
	}
	return kong.JoinEscaped(items, flag.Tag.Sep), nil
}

// check converts a value as its flag would, to complain about its source and not about a flag nobody used.
func check(flag *kong.Flag, found value) error {
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: found.Text})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return fmt.Errorf("%s: %w", found.Place, err)
	}
	if flag.Enum == "" {
		return nil
	}
	given := []string{fmt.Sprint(target.Interface())}
	if flag.IsSlice() {
		given = nil
		for i := range target.Len() {
			given = append(given, fmt.Sprint(target.Index(i).Interface()))
		}
	}
	allowed := flag.EnumSlice()
	for _, item := range given {
		if !slices.Contains(allowed, item) {
			return fmt.Errorf("%s: must be one of %s but got %q", found.Place, quoteAll(allowed), item)
		}
	}
	return nil
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ",")
}

// resolver hands the merged values to kong, which asks for those flags the command line did not set.
type resolver struct {
	values map[string]value
}

func (r *resolver) Validate(*kong.Application) error { return nil }

func (r *resolver) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	found, ok := r.values[keyOf(flag.Name)]
	if !ok || parent.App == nil { // flags of subcommands are no settings
		return nil, nil
	}
	return found.Text, nil
}
