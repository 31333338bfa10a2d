package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const environPrefix = "ZESTER_"

// setting is one field of a program's struct that a file may set: a flag of its root, or a block only a file can hold.
type setting struct {
	key   string
	flag  *kong.Flag    // nil for a block
	block reflect.Value // the field of a block
}

func (s setting) variable() string { return environPrefix + strings.ToUpper(s.key) }

// keyOf derives the key of a flag: the one place that relates the names of a setting.
func keyOf(flag string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.TrimLeft(flag, "-"))
}

// builtinNames are the flags that are about the command line itself.
var builtinNames = []string{"help", "version", "config"}

func settingsOf(parser *kong.Kong, dst any) (map[string]setting, error) {
	settings := map[string]setting{}
	for _, flag := range parser.Model.Flags {
		if slices.Contains(builtinNames, flag.Name) || flag.Tag.Get("config") == "-" {
			continue
		}
		settings[keyOf(flag.Name)] = setting{key: keyOf(flag.Name), flag: flag}
	}
	for key, field := range blocks(reflect.ValueOf(dst).Elem()) {
		if _, taken := settings[key]; taken {
			return nil, fmt.Errorf("config: %T: key %q belongs to a flag and to a block", dst, key)
		}
		settings[key] = setting{key: key, block: field}
	}
	return settings, nil
}

// blocks are the fields kong leaves alone and YAML names, embedded structs included.
func blocks(dst reflect.Value) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	for i := range dst.NumField() {
		field := dst.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() && !field.Anonymous:
		case field.Tag.Get("kong") == "-" && name != "" && name != "-":
			found[name] = dst.Field(i)
		case field.Type.Kind() == reflect.Struct && embedded(field):
			for key, value := range blocks(dst.Field(i)) {
				found[key] = value
			}
		}
	}
	return found
}

// embedded tells whether kong makes the flags of a struct field flags of the struct around it.
func embedded(field reflect.StructField) bool {
	_, tagged := field.Tag.Lookup("embed")
	return field.Anonymous || tagged || slices.Contains(strings.Split(field.Tag.Get("kong"), ","), "embed")
}

// knownKeys are the keys of structs that are not the program's own.
func knownKeys(known []any) ([]string, error) {
	var keys []string
	for _, other := range known {
		of := reflect.TypeOf(other)
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		blank := reflect.New(of).Interface()
		parser, err := kong.New(blank, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
		if err != nil {
			return nil, fmt.Errorf("config: %s: %w", of, err)
		}
		settings, err := settingsOf(parser, blank)
		if err != nil {
			return nil, err
		}
		keys = append(keys, sortedKeys(settings)...)
	}
	return keys, nil
}

func sortedKeys(settings map[string]setting) []string {
	keys := make([]string, 0, len(settings))
	for key := range settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
