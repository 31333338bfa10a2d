package settings

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/target"
)

// top is a top file as it came out for a peel: targets in order, each with the files assigned to it. Immutable.
type top struct {
	entries []*assignment
}

// assignment is one target of a top file.
type assignment struct {
	env    string // that the files are of
	target *target.Target
	text   string
	line   int
	files  []name
}

// name is a file's name with the line it stands in.
type name struct {
	text    string
	line    int
	missing bool // the file need not exist
}

// parseTop reads the top file of one environment. It may speak of any environment, as Salt's do; targets at its top level
// are of its own. known are the environments that there are; groups gives the meaning of N@ terms.
func parseTop(d *sheet, own string, known []string, groups map[string]string) (*top, error) {
	node, err := d.parse()
	if err != nil {
		return nil, err
	}
	if node == nil {
		return &top{}, nil
	}
	r := &document.Reader{}
	if node.Kind != yaml.MappingNode {
		return nil, d.at(node.Line, "a top file is a mapping of targets to lists of files")
	}
	t := &top{}
	err = r.Pairs(node, func(key string, keyNode, value *yaml.Node) error {
		value = document.Resolve(value)
		if value.Kind != yaml.MappingNode {
			return t.assign(d, own, groups, key, keyNode, value)
		}
		if !slices.Contains(known, key) {
			hint := fmt.Sprintf("there is one environment, %q", files.Base)
			if len(known) > 1 {
				hint = "there are " + strings.Join(known, ", ")
			}
			if near := config.Nearest(key, known); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return d.at(keyNode.Line, "unknown environment %q: %s", key, hint)
		}
		env := key
		return r.Pairs(value, func(key string, keyNode, value *yaml.Node) error {
			return t.assign(d, env, groups, key, keyNode, document.Resolve(value))
		})
	})
	if err != nil {
		return nil, d.located(err)
	}
	return t, nil
}

// matchers are Salt's names for kinds of targets, as "- match: grain" in a list of files, with the prefix they have here.
var matchers = map[string]string{
	"compound": "", "glob": "", "list": "L@", "pcre": "E@", "grain": "G@", "grain_pcre": "P@", "fact": "G@", "ipcidr": "S@", "nodegroup": "N@",
}

func (t *top) assign(d *sheet, env string, groups map[string]string, text string, key, value *yaml.Node) error {
	if value.Kind != yaml.SequenceNode {
		return d.at(key.Line, "target %q: expected a list of files", text)
	}
	a := &assignment{env: env, text: text, line: key.Line}
	prefix, missing := "", false
	for _, item := range value.Content {
		item = document.Resolve(item)
		if item.Kind == yaml.ScalarNode && !document.IsNull(item) && item.Tag != "!encrypted" {
			a.files = append(a.files, name{text: item.Value, line: item.Line})
			continue
		}
		option, setting, ok := pair(item)
		switch {
		case ok && option == "match":
			p, known := matchers[setting]
			if !known {
				return d.at(item.Line, "target %q: unknown kind of match %q: write the target as a compound one", text, setting)
			}
			prefix = p
		case ok && option == "ignore_missing":
			missing = setting == "true" || setting == "True"
		default:
			return d.at(item.Line, "target %q: expected the name of a file", text)
		}
	}
	for i := range a.files {
		a.files[i].missing = missing
	}
	var err error
	if a.target, err = target.Parse(prefix + text); err == nil {
		a.target, err = a.target.Expand(groups)
	}
	if err == nil && a.target.UsesSettings() {
		err = fmt.Errorf("target %q: settings cannot decide who gets settings: use ids or facts", text)
	}
	if err != nil {
		return d.at(key.Line, "%w", err)
	}
	t.entries = append(t.entries, a)
	return nil
}

// pair takes apart a mapping of one plain value.
func pair(n *yaml.Node) (key, value string, ok bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Kind != yaml.ScalarNode || n.Content[1].Kind != yaml.ScalarNode {
		return "", "", false
	}
	return n.Content[0].Value, n.Content[1].Value, true
}

// checkName refuses what cannot be a settings file's name.
func checkName(text string) error {
	switch {
	case strings.HasSuffix(text, ".zy") || strings.HasSuffix(text, ".sls"):
		return fmt.Errorf("%q: name the file without its suffix", text)
	case text == "" || strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") || strings.Contains(text, ".."):
		return fmt.Errorf("%q is not the name of a settings file: write common.base for common/base.zy", text)
	}
	return nil
}
