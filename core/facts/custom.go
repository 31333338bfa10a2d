package facts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ptorbus/zester/core/bus"
	yaml "go.yaml.in/yaml/v3"
)

// Custom reads the custom facts of a directory: .yaml, .yml and .json files, and executables, which print YAML or JSON. All give a
// mapping; of equal names the last file's counts, in order of file names. Hidden files and README are passed over. What is broken is
// left out with a warning that names file and line, and the rest counts.
func Custom(ctx context.Context, dir string) (map[string]any, []error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]any{}, nil
	} else if err != nil {
		return map[string]any{}, []error{fmt.Errorf("custom facts: %w", err)}
	}
	found := make([]map[string]any, len(entries))
	failed := make([]error, len(entries))
	var running sync.WaitGroup
	slots := make(chan struct{}, maxRunning)
	for i, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "README") || strings.HasSuffix(name, "~") {
			continue
		}
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i], failed[i] = customFile(ctx, filepath.Join(dir, name))
		})
	}
	running.Wait()
	all := map[string]any{}
	var warnings []error
	for i, facts := range found {
		if failed[i] != nil {
			warnings = append(warnings, failed[i])
		}
		for name, v := range facts {
			if name == "id" {
				warnings = append(warnings, fmt.Errorf("%s: the fact \"id\" is the peel's own; use another name", filepath.Join(dir, entries[i].Name())))
				continue
			}
			all[name] = v
		}
	}
	return all, warnings
}

// maxRunning is how many executables run at a time.
const maxRunning = 4

func customFile(ctx context.Context, path string) (map[string]any, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil, err // the error of Stat names the path
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file; remove it", path)
	}
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		if info.Size() > MaxSize {
			return nil, fmt.Errorf("%s: %d bytes; all facts together can have %d", path, info.Size(), MaxSize)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return mapping(path, data)
	}
	if info.Mode().Perm()&0o111 == 0 {
		return nil, fmt.Errorf("%s: neither .yaml, .yml or .json nor executable; rename it or chmod +x", path)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("%s: not run because everybody can write it; chmod o-w", path)
	}
	data, err := run(ctx, path)
	if err != nil {
		return nil, err
	}
	return mapping(path+" (output)", data)
}

// mapping reads YAML, of which JSON is a part, as plain data.
func mapping(name string, data []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		if strings.HasSuffix(name, ".json") {
			return nil, jsonError(name, data, err)
		}
		return nil, yamlError(name, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil // comments alone
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected fact names with values, such as \"role: web\"", name, top.Line)
	}
	datesAsText(&doc, 0)
	facts := map[string]any{}
	if err := top.Decode(&facts); err != nil {
		return nil, yamlError(name, err)
	}
	for key, v := range facts {
		facts[key] = bus.Plain(v)
	}
	if deeper(facts, MaxDepth) {
		return nil, fmt.Errorf("%s: nested deeper than %d", name, MaxDepth)
	}
	return facts, nil
}

// datesAsText keeps a date as it was written; YAML would make a time of it.
func datesAsText(n *yaml.Node, depth int) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	if depth > 2*MaxDepth {
		return // refused a moment later
	}
	for _, c := range n.Content {
		datesAsText(c, depth+1)
	}
}

// yamlError gives the first of YAML's complaints the form file:line: text.
func yamlError(name string, err error) error {
	text := err.Error()
	var several *yaml.TypeError
	if errors.As(err, &several) && len(several.Errors) > 0 {
		text = several.Errors[0]
	}
	text = strings.TrimPrefix(text, "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if line, msg, ok := strings.Cut(rest, ": "); ok {
			return fmt.Errorf("%s:%s: %s", name, line, msg)
		}
	}
	return fmt.Errorf("%s: %s", name, text)
}

// jsonError prefers JSON's own complaint, whose place is exact.
func jsonError(name string, data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal(data, new(any)), &syntax) {
		return yamlError(name, err)
	}
	line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	return fmt.Errorf("%s:%d: %w", name, line, syntax)
}
