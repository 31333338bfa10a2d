package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
)

type renderCommand struct {
	File                string `arg:"" help:"Template file; - is standard input."`
	Facts               string `placeholder:"FILE" help:"Facts: YAML or JSON."`
	Settings            string `placeholder:"FILE" help:"Settings: YAML or JSON."`
	Context             string `placeholder:"FILE" help:"Further variables: YAML or JSON."`
	Tree                string `placeholder:"DIR" help:"Where imports and includes are found; default the template's directory."`
	Undefined           string `default:"strict" enum:"strict,lenient" help:"What an undefined name is: an error (strict) or empty (lenient)."`
	KeepTrailingNewline bool   `help:"Keep the template's last newline."`
}

// Help is printed by --help.
func (*renderCommand) Help() string {
	return `Examples:

	zester render haproxy.cfg.j2 --context vars.yaml
	zester render states/motd.zy --facts facts.yaml --settings settings.yaml
	echo '{{ 6 * 7 }}' | zester render -`
}

func (c *renderCommand) Run(s *session) error {
	source, name, err := c.source(s)
	if err != nil {
		return err
	}
	facts, err := readMap(c.Facts)
	if err != nil {
		return err
	}
	pillar, err := readSettings(c.Settings)
	if err != nil {
		return err
	}
	extra, err := readContext(c.Context)
	if err != nil {
		return err
	}
	tree := c.Tree
	if tree == "" {
		tree = filepath.Dir(c.File)
	}
	o := render.Options{Loader: files.Dir(tree), KeepTrailingNewline: c.KeepTrailingNewline}
	if c.Undefined == "lenient" {
		o.Undefined = render.Lenient
	}
	id, _ := facts["id"].(string)
	env := &modules.Env{
		PeelID:   id,
		Facts:    func() map[string]any { return facts },
		Settings: func() *settings.Map { return pillar },
		Engine:   render.New(o), Tree: o.Loader, Local: true,
		Match: func(text string) (bool, error) { return means(text, id, facts, pillar) },
	}
	text, err := env.Engine.Render(s.ctx, name, source, modules.TemplateVars(env, extra))
	if broken := (*render.Error)(nil); errors.As(err, &broken) { // it shows the place, on lines of its own
		fmt.Fprintf(s.stdio.Err, "zester: %v\n", broken)
		return config.Exit(1)
	}
	if err != nil {
		return err
	}
	if isTerminal(s.stdio.Out) && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err = io.WriteString(s.stdio.Out, text)
	return err
}

func (c *renderCommand) source(s *session) (data []byte, name string, err error) {
	if c.File == "-" {
		data, err = io.ReadAll(s.stdio.In)
		return data, "standard input", err
	}
	if data, err = os.ReadFile(c.File); err != nil {
		return nil, "", fmt.Errorf("%w (name a template, or - for standard input)", fileError(err))
	}
	return data, filepath.Base(c.File), nil
}

// fileError puts the file before the reason, and leaves out what was done to it.
func fileError(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Path, e.Err)
	}
	return err
}

// yamlError puts the file before the line.
func yamlError(path string, err error) error {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		return fmt.Errorf("%s:%s", path, rest)
	}
	return fmt.Errorf("%s: %s", path, text)
}

// readContext is readMap for variables whose values keep the order of their keys.
func readContext(path string) (map[string]any, error) {
	vars := map[string]any{}
	if path == "" {
		return vars, nil
	}
	data, isJSON, err := readData(path)
	if err != nil {
		return nil, err
	}
	decode := render.DecodeYAML
	if isJSON {
		decode = render.DecodeJSON
	}
	v, err := decode(data)
	if err != nil {
		return nil, yamlError(path, err)
	}
	d, ok := v.(*render.Dict)
	if !ok && v != nil {
		return nil, fmt.Errorf("%s: want a map of names to values", path)
	}
	if ok {
		for k, value := range d.All() {
			vars[fmt.Sprint(k)] = value
		}
	}
	return vars, nil
}

// readData tells JSON from YAML, which takes 1e5 for a string and half an emoji for a mistake.
func readData(path string) (data []byte, isJSON bool, err error) {
	if data, err = os.ReadFile(path); err != nil {
		return nil, false, fileError(err)
	}
	return data, json.Valid(data), nil
}

// readSettings reads a file as a settings file is read, or JSON; no file is no settings.
func readSettings(path string) (*settings.Map, error) {
	if path == "" {
		return nil, nil
	}
	data, isJSON, err := readData(path)
	if err != nil {
		return nil, err
	}
	if !isJSON {
		return settings.Parse(path, data)
	}
	v, err := render.DecodeJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if v, err = settingOf(v); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m, ok := v.(*settings.Map)
	if !ok {
		return nil, fmt.Errorf("%s: want a map of names to values", path)
	}
	return m, nil
}

// settingOf is what JSON holds as settings hold it, in its order. How deep it can be is checked where it is decoded.
func settingOf(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case *render.Dict:
		m := settings.NewMap(v.Len())
		for k, e := range v.All() {
			if e, err = settingOf(e); err != nil {
				return nil, err
			}
			m.Set(fmt.Sprint(k), e)
		}
		return m, nil
	case *render.List:
		list := make([]any, len(v.Items()))
		for i, e := range v.Items() {
			if list[i], err = settingOf(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return render.Plain(v)
}

// readMap is readContext for plain data, such as facts are.
func readMap(path string) (map[string]any, error) {
	vars, err := readContext(path)
	if err != nil {
		return nil, err
	}
	for name, v := range vars {
		if vars[name], err = render.Plain(v); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	return vars, nil
}
