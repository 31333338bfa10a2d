package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/states"
)

// serialize is file.serialize: file.managed with data for contents.
func (s *fileStates) serialize(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	if args.Has("serializer") && args.Has("formatter") {
		return states.Result{}, errors.New("serializer and formatter are the same: give one of them")
	}
	kind := strings.ToLower(args.Text("serializer") + args.Text("formatter"))
	if kind == "" {
		kind = "yaml"
	}
	data, err := s.dataset(args)
	if err != nil {
		return states.Result{}, err
	}
	if args.Bool("merge_if_exists") {
		if data, err = s.mergeFile(call, kind, data); err != nil {
			return states.Result{}, err
		}
	}
	text, err := s.serialized(ctx, kind, data, args)
	if err != nil {
		return states.Result{}, err
	}
	one := *call
	one.Args = Args{"contents": text + "\n", "contents_newline": false, "replace": true, "follow_symlinks": true, "allow_empty": true}
	for _, key := range []string{"mode", "user", "group", "backup", "makedirs", "dir_mode", "show_changes", "create", "check_cmd", "tmp_dir", "tmp_ext", "encoding"} {
		one.Args[key] = args[key]
	}
	return s.managed(ctx, &one)
}

func (s *fileStates) dataset(args Args) (any, error) {
	switch key := args.Text("dataset_pillar"); {
	case args.Has("dataset") && key != "":
		return nil, errors.New("dataset and dataset_pillar cannot be used together")
	case key != "":
		data, ok := dig(s.env.pillar(), key, ":")
		if !ok {
			return nil, fmt.Errorf("dataset_pillar: there is no %q", key)
		}
		return data, nil
	case !args.Has("dataset"):
		return nil, errors.New("there is nothing to write: give dataset or dataset_pillar")
	}
	return args["dataset"], nil
}

// mergeFile lays the data over what the file holds.
func (s *fileStates) mergeFile(call *states.Call, kind string, data any) (any, error) {
	if kind != "yaml" && kind != "json" && kind != "toml" {
		return nil, fmt.Errorf("merge_if_exists reads yaml, json and toml, not %s", kind)
	}
	at, err := s.env.locate(call.Name, true)
	if err != nil || at.info == nil {
		return data, err
	}
	text, err := os.ReadFile(at.path)
	if errors.Is(err, fs.ErrNotExist) {
		return data, nil
	}
	if err != nil {
		return nil, err
	}
	old, err := parsed(kind, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.path, err)
	}
	if old == nil {
		return data, nil
	}
	return laidOver(old, document.Ordered(data)), nil
}

// parsed is what a text holds; nil if it is nothing.
func parsed(kind, text string) (any, error) {
	if kind == "toml" {
		var table map[string]any
		if _, err := toml.Decode(text, &table); err != nil {
			return nil, err
		}
		return document.Ordered(table), nil
	}
	node, err := document.Parse(text)
	if err != nil || node == nil {
		return nil, err
	}
	return new(document.Reader).Value(node)
}

// laidOver merges mappings at every depth; of anything else the upper one holds.
func laidOver(below, above any) any {
	lower, ok := below.(*document.Map)
	upper, both := above.(*document.Map)
	if !ok || !both {
		return above
	}
	out := lower.Clone()
	for key, value := range upper.All() {
		if old, ok := out.Get(key); ok {
			value = laidOver(old, value)
		}
		out.Set(key, value)
	}
	return out
}

// serializers are what file.serialize writes: templates of data, so that there is one writer of each format.
var serializers = map[string]struct {
	template string
	defaults map[string]any
}{
	"yaml": {"{{ data | yaml(default_flow_style) }}", map[string]any{"default_flow_style": false}},
	"json": {"{{ data | json(sort_keys=sort_keys, indent=indent) }}", map[string]any{"sort_keys": true, "indent": int64(2)}},
	"configparser": {"{% for section, pairs in data.items() %}[{{ section }}]\n" +
		"{% for key, value in pairs.items() %}{{ key | lower }} = {{ value }}\n{% endfor %}\n{% endfor %}", nil},
	"toml": {}, // which a library writes
}

func (s *fileStates) serialized(ctx context.Context, kind string, data any, args Args) (string, error) {
	serializer, ok := serializers[kind]
	if !ok {
		return "", fmt.Errorf("serializer %q is not %s%s", kind, strings.Join(sortedKeys(serializers), ", "), config.DidYouMean(kind, sortedKeys(serializers)))
	}
	vars := map[string]any{"data": templateValue(document.Ordered(data))}
	for key, value := range serializer.defaults {
		vars[key] = value
	}
	for key, value := range args.Map("serializer_opts") {
		if _, known := serializer.defaults[key]; !known && !slices.Contains([]string{"ensure_ascii", "allow_unicode", "separators"}, key) {
			return "", fmt.Errorf("serializer_opts: %s takes %s, not %q", kind, strings.Join(sortedKeys(serializer.defaults), ", "), key)
		}
		vars[key] = value
	}
	if kind == "toml" {
		return tomlText(data)
	}
	if kind == "configparser" {
		if err := sections(data); err != nil {
			return "", err
		}
	}
	return s.env.Engine.Render(ctx, "file.serialize", []byte(serializer.template), vars)
}

// tomlText is a mapping in TOML, without the last newline. The keys of a table are sorted.
func tomlText(data any) (string, error) {
	table, ok := document.Plain(document.Ordered(data)).(map[string]any)
	if !ok {
		return "", errors.New("toml writes a mapping of names to values and tables")
	}
	var out strings.Builder
	encoder := toml.NewEncoder(&out)
	encoder.Indent = ""
	if err := encoder.Encode(table); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// sections refuses what is no mapping of mappings of values.
func sections(data any) error {
	top, ok := document.Ordered(data).(*document.Map)
	if !ok {
		return errors.New("configparser writes a mapping of sections to keys and values")
	}
	for name, section := range top.All() {
		if _, ok := section.(*document.Map); !ok {
			return fmt.Errorf("configparser: section %q is not a mapping of keys to values", name)
		}
	}
	return nil
}
