package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkKeys refuses keys that belong neither to the program nor to those it shares its file with.
func (f *file) checkKeys(program Program, settings map[string]setting) error {
	var others []string
	for _, key := range f.keys {
		if _, own := settings[key.name]; own {
			continue
		}
		if others == nil && len(program.Known) > 0 {
			var err error
			if others, err = knownKeys(program.Known); err != nil {
				return err
			}
		}
		if slices.Contains(others, key.name) {
			continue
		}
		return unknownKey(f.path, key.line, key.name, "", append(sortedKeys(settings), others...),
			fmt.Sprintf("see %q", program.Name+" --help"))
	}
	return nil
}

func unknownKey(path string, line int, name, inside string, known []string, otherwise string) error {
	if near := Nearest(name, known); near != "" {
		otherwise = fmt.Sprintf("did you mean %q?", near)
	}
	if inside != "" {
		inside = " in " + inside
	}
	return fmt.Errorf("%s:%d: unknown key %q%s (%s)", path, line, name, inside, otherwise)
}

// decodeBlocks fills the fields that only a file can set.
func (f *file) decodeBlocks(settings map[string]setting) error {
	for _, key := range f.keys {
		field := settings[key.name].block
		if !field.IsValid() || isNull(key.value) {
			continue
		}
		// The library decodes first: it refuses aliases that contain themselves or grow beyond measure.
		if err := key.value.Decode(field.Addr().Interface()); err != nil {
			return fmt.Errorf("%w (under key %q)", yamlError(f.path, f.data, key.line, err), key.name)
		}
		if err := checkNested(f.path, key.name, key.value, field.Type()); err != nil {
			return err
		}
	}
	return nil
}

var (
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// checkNested refuses keys of a mapping that the struct it is for does not have. The library can refuse them too, but
// knows neither the path nor a suggestion. Types that decode themselves are left to do so.
func checkNested(path, where string, node *yaml.Node, of reflect.Type) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if custom := reflect.PointerTo(of); custom.Implements(yamlUnmarshaler) || custom.Implements(textUnmarshaler) {
		return nil
	}
	switch {
	case node.Kind == yaml.SequenceNode && (of.Kind() == reflect.Slice || of.Kind() == reflect.Array):
		for i, item := range node.Content {
			if err := checkNested(path, fmt.Sprintf("%s[%d]", where, i), item, of.Elem()); err != nil {
				return err
			}
		}
	case node.Kind == yaml.MappingNode && (of.Kind() == reflect.Map || of.Kind() == reflect.Struct):
		fields := map[string]reflect.Type{}
		open := of.Kind() == reflect.Map
		if !open {
			open = collectFields(of, fields)
		}
		return checkMapping(path, where, node, of, fields, open)
	}
	return nil
}

func checkMapping(path, where string, node *yaml.Node, of reflect.Type, fields map[string]reflect.Type, open bool) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			merged := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				merged = value.Content
			}
			for _, mapping := range merged {
				if err := checkNested(path, where, mapping, of); err != nil {
					return err
				}
			}
			continue
		}
		child, known := fields[key.Value]
		switch {
		case of.Kind() == reflect.Map:
			child = of.Elem()
		case !known && open:
			continue
		case !known:
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			return unknownKey(path, key.Line, key.Value, where, names, "known: "+strings.Join(names, ", "))
		}
		if err := checkNested(path, where+"."+key.Value, value, child); err != nil {
			return err
		}
	}
	return nil
}

// collectFields gathers the YAML names of a struct's fields, and reports whether an inlined map takes any other name.
func collectFields(of reflect.Type, into map[string]reflect.Type) (open bool) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() || name == "-":
		case slices.Contains(strings.Split(options, ","), "inline"):
			inlined := field.Type
			if inlined.Kind() == reflect.Pointer {
				inlined = inlined.Elem()
			}
			if inlined.Kind() == reflect.Map {
				open = true
			} else if collectFields(inlined, into) {
				open = true
			}
		case name == "":
			into[strings.ToLower(field.Name)] = field.Type
		default:
			into[name] = field.Type
		}
	}
	return open
}
