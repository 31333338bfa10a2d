package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// file is a parsed configuration file: its top-level keys with their values, which know their lines.
type file struct {
	path string // "" if there is none
	data []byte
	keys []fileKey
}

type fileKey struct {
	name  string
	line  int
	value *yaml.Node
}

// loadFile reads the file named by the flag or by ZESTER_CONFIG, or else the first of program.Files that exists.
func loadFile(program Program, environ []string, flag string) (*file, error) {
	if len(program.Files) == 0 {
		return &file{}, nil
	}
	const variable = environPrefix + "CONFIG"
	path, namedBy := flag, "--config"
	if path == "" {
		path, namedBy = lookupEnv(environ, variable), variable
	}
	if path != "" {
		return readFile(path, namedBy, program)
	}
	home := lookupEnv(environ, "HOME")
	for _, candidate := range program.Files {
		if rest, ok := strings.CutPrefix(candidate, "~/"); ok {
			if home == "" {
				continue
			}
			candidate = filepath.Join(home, rest)
		}
		found, err := readFile(candidate, "", program)
		if !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
	}
	return &file{}, nil
}

func readFile(path, namedBy string, program Program) (*file, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		place, remedy := path, "make it readable, or name another file with --config"
		if namedBy != "" {
			place, remedy = fmt.Sprintf("%s %q", namedBy, path), "make it readable, or name another file"
		}
		if errors.Is(err, fs.ErrNotExist) {
			remedy = fmt.Sprintf("create it, or leave %s out to read %s", namedBy, strings.Join(program.Files, " or "))
		}
		// The path is in front already.
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		if errors.Is(err, syscall.EISDIR) {
			remedy = "name a file in it"
		}
		return nil, fmt.Errorf("%s: %w (%s)", place, err, remedy)
	}
	parsed := &file{path: path, data: data}
	parsed.keys, err = parseKeys(path, data)
	if err != nil {
		return nil, err
	}
	return parsed, nil
}

// parseKeys returns the top-level keys of one YAML document in their order.
func parseKeys(path string, data []byte) ([]fileKey, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(path, data, 0, err)
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf(`%s:%d: want "key: value" lines, got %s`, path, root.Line, kindName(root))
	}
	var keys []fileKey
	first := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if line, seen := first[key.Value]; seen {
			return nil, fmt.Errorf("%s:%d: key %q is already set on line %d (keep one of them)", path, key.Line, key.Value, line)
		}
		first[key.Value] = key.Line
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		keys = append(keys, fileKey{name: key.Value, line: key.Line, value: value})
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("%s:%d: a second document starts here (keep one)", path, second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(path, data, 0, err)
	}
	return keys, nil
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", node.Value)
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// yamlError turns the library's "yaml: line 3: ..." into this package's "FILE:3: ...". Of several complaints the first
// is told. The line is the one to name if the library names none; 0 means unknown.
func yamlError(path string, data []byte, line int, err error) error {
	text := err.Error()
	var types *yaml.TypeError
	if errors.As(err, &types) && len(types.Errors) > 0 {
		text = types.Errors[0]
	}
	place := path
	if found := yamlLine.FindStringSubmatch(text); found != nil {
		place += ":" + found[1]
		text = text[len(found[0]):]
	} else if line > 0 {
		place += ":" + strconv.Itoa(line)
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "yaml: "), "\n", " ")
	if strings.Contains(text, "cannot start any token") && strings.ContainsRune(string(data), '\t') {
		text += " (YAML is indented with spaces, not tabs)"
	}
	return fmt.Errorf("%s: %s", place, text)
}

// lookupEnv returns the last value of a variable, as the kernel's own rules have it, or "".
func lookupEnv(environ []string, name string) string {
	value := ""
	for _, entry := range environ {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value = rest
		}
	}
	return value
}
