package modules

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/states"
)

// LintCheck returns the checks of arguments that need no host: modes, template engines, and sources in the tree. It is for one
// Lint, not safe for concurrent use.
func LintCheck(env *Env) states.Check {
	names := map[string][]string{} // of files by environment, of directories by environment and a slash
	return func(ctx context.Context, fn *states.Function, param *states.Param, value any) error {
		text, isText := value.(string)
		switch param.Name {
		case "mode", "dir_mode", "file_mode":
			keeps := text == "keep" && (fn.Name == "file.managed" || fn.Name == "file.recurse")
			if !isText || text == "" || keeps || !strings.HasPrefix(fn.Name, "file.") || fn.Name == "file.line" && param.Name == "mode" {
				return nil
			}
			_, err := parseMode(text)
			return err
		case "template":
			if isText && text != "" && text != "jinja" {
				return fmt.Errorf("template %q is not supported: use jinja", text)
			}
		case "source":
			if list, ok := value.([]any); ok {
				return checkSources(ctx, env, names, fn, states.Args{"source": list}.Strings("source"))
			}
			if isText {
				return checkSources(ctx, env, names, fn, []string{text})
			}
		}
		return nil
	}
}

// checkSources finds a mistake where every source is of the tree, and none is there.
func checkSources(ctx context.Context, env *Env, known map[string][]string, fn *states.Function, sources []string) error {
	tree, ok := listed(env.Tree).(states.Lister)
	if !ok || len(sources) == 0 {
		return nil
	}
	var hint string
	for _, source := range sources {
		file := treePath(source)
		if file == source {
			return nil
		}
		file = path.Clean(file)
		from := inSource(ctx, source)
		in := files.EnvironmentOf(from)
		if fn.Name == "file.recurse" {
			in += "/"
		}
		names, ok := known[in]
		if !ok {
			var err error
			if names, err = tree.Names(from); err != nil {
				return err
			}
			if fn.Name == "file.recurse" {
				names = directories(names)
			}
			known[in] = names
		}
		if slices.Contains(names, file) {
			return nil
		}
		if hint == "" {
			hint = config.DidYouMean(file, names)
		}
	}
	if len(sources) > 1 {
		return fmt.Errorf("none of the sources is there: %s%s", strings.Join(sources, ", "), hint)
	}
	return fmt.Errorf("source %q is not there%s", sources[0], hint)
}

// directories are those that files are in, the root among them.
func directories(names []string) []string {
	seen := map[string]bool{".": true}
	for _, name := range names {
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	return sortedKeys(seen)
}
