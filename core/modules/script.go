package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// script is a program to be written to a file and run.
type script struct {
	data  []byte
	ext   string   // of the file's name
	with  string   // the interpreter; the file itself is run without
	words []string // its arguments
}

var scriptParams = []Param{
	{Name: "source", Kind: states.Text, Doc: "salt:// or zy:// path in the tree, or absolute path"},
	{Name: "args", Doc: "its arguments: text as for a shell, or a list"},
	{Name: "template", Kind: states.Text, Doc: "jinja: render it"},
	{Name: "context", Kind: states.Map, Ordered: true, Doc: "variables for the template"},
	{Name: "defaults", Kind: states.Map, Ordered: true, Doc: "variables for the template, below context"},
}

func registerScript(r *Registry) {
	params := append(slices.Clone(scriptParams), commandParams...)
	params[0].Aliases, params[0].Required = []string{"name"}, true
	for name, doc := range map[string]string{
		"script":         "Run a script of the tree and return pid, retcode, stdout and stderr.",
		"script_retcode": "Run a script of the tree and return its exit code.",
	} {
		r.Register(&Function{Name: "cmd." + name, Doc: doc, Params: params, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				call := &states.Call{Name: args.Text("source"), Args: args, Vars: func() map[string]any { return TemplateVars(env.nested(), nil) }}
				s, err := loadScript(ctx, env, call, args.Text("source"))
				if errors.Is(err, fs.ErrNotExist) {
					return nil, fmt.Errorf("source %q is not there", public(args.Text("source")))
				}
				if err != nil {
					return nil, err
				}
				return runScript(ctx, env, name, s, args)
			}})
	}
}

// loadScript reads and renders a script; fs.ErrNotExist if there is none.
func loadScript(ctx context.Context, env *Env, call *states.Call, source string) (script, error) {
	s := script{ext: filepath.Ext(treePath(source))}
	var err error
	if s.words, err = scriptWords(call.Args["args"]); err != nil {
		return s, err
	}
	f := &fileStates{env: env}
	c, err := f.open(ctx, source, call.Args)
	if err == nil {
		err = c.load()
	}
	if err != nil {
		return s, fmt.Errorf("source %q: %w", public(source), err)
	}
	s.data = c.data
	if call.Args.Text("template") != "" {
		text, err := f.render(ctx, call, treePath(source), string(c.data))
		if err != nil {
			return s, err
		}
		if strings.HasSuffix(string(c.data), "\n") { // which the renderer takes off, and Salt does not
			text += "\n"
		}
		s.data = []byte(text)
	}
	return s, nil
}

func scriptWords(args any) ([]string, error) {
	switch args := args.(type) {
	case nil:
		return nil, nil
	case []any:
		words := make([]string, len(args))
		for i, word := range args {
			words[i] = fmt.Sprint(word)
		}
		return words, nil
	}
	words, err := splitWords(fmt.Sprint(args))
	if err != nil {
		return nil, fmt.Errorf("args %q: %w", args, err)
	}
	return words, nil
}

// runScript runs a script by way of a file that is removed afterwards.
func runScript(ctx context.Context, env *Env, function string, s script, args Args) (any, error) {
	path, err := s.write(args.Text("cwd"), args.Text("runas"))
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	c := s.command(path, args)
	v := verdictOf(function, c.line, args)
	v.Temp = path
	c.kept = v
	out, err := env.exec(ctx, c)
	if !errors.Is(err, ErrLeft) {
		_ = os.Remove(path)
	}
	return v.judge(out, err)
}

func (s script) command(path string, args Args) command {
	words := append([]string{path}, s.words...)
	if s.with != "" {
		words = append([]string{s.with}, words...)
	}
	c := commandOf(shellLine(words...), args)
	c.direct = false // the shell runs a script without a first line of its own, too
	return c
}

// write makes the file, for its user alone. As in Salt it lies in the working directory, where one is named.
func (s script) write(cwd, runas string) (path string, err error) {
	file, err := os.CreateTemp(cwd, "zester-*"+s.ext)
	if err != nil {
		return "", err
	}
	_, err = file.Write(s.data)
	mode := fs.FileMode(0o500)
	err = errors.Join(err, file.Chmod(mode))
	if runas != "" && err == nil {
		var u *user.User
		if u, err = user.Lookup(runas); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			if uid != os.Getuid() {
				err = file.Chown(uid, -1)
			}
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// shellLine is the command of these words, whatever is in them.
func shellLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellQuote(word)
	}
	return strings.Join(quoted, " ")
}

// shellQuote makes one word of a text, whatever is in it.
func shellQuote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+-,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
