package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// commandParams are the arguments of everything that runs a command.
var commandParams = []Param{
	{Name: "cwd", Kind: states.Text, Doc: "directory to run it in"},
	{Name: "runas", Aliases: []string{"user"}, Kind: states.Text, Doc: "user to run it as"},
	{Name: "group", Kind: states.Text, Doc: "group to run it with"},
	{Name: "shell", Kind: states.Text, Doc: "shell to run it with, /bin/sh by default"},
	{Name: "env", Kind: states.Map, Doc: "variables to add to the environment; false removes one"},
	{Name: "timeout", Kind: states.Number, Doc: "seconds after which its process group is killed"},
	{Name: "stdin", Kind: states.Text, Doc: "text for its standard input"},
	{Name: "umask", Kind: states.Text, Doc: "octal umask"},
	{Name: "python_shell", Kind: states.Bool, Doc: "false runs it without a shell"},
	{Name: "clean_env", Kind: states.Bool, Doc: "start from an empty environment"},
	{Name: "reset_system_locale", Kind: states.Bool, Doc: "true sets LC_ALL=C"},
	{Name: "prepend_path", Kind: states.Text, Doc: "directories to put before PATH"},
	{Name: "success_retcodes", Kind: states.List, Doc: "exit codes that are a success beside 0"},
	{Name: "success_stdout", Kind: states.List, Doc: "texts that make it a success where its output has them"},
	{Name: "success_stderr", Kind: states.List, Doc: "texts that make it a success where its standard error has them"},
	{Name: "rstrip", Kind: states.Bool, Default: true, Doc: "false keeps the white space at the end of the output"},
	{Name: "hide_output", Kind: states.Bool, Doc: "neither return nor show the output"},
	{Name: "output_loglevel", Kind: states.Text, Doc: "accepted; commands are not logged"},
	{Name: "use_vt", Kind: states.Bool, Doc: "accepted; zester --stream shows output as it comes"},
	{Name: "saltenv", Kind: states.Text, Doc: "environment of a state's sources; for a function write ?saltenv= after the source"},
}

func commandOf(line string, args Args) command {
	return command{
		line: line, cwd: args.Text("cwd"), runas: args.Text("runas"), group: args.Text("group"), shell: args.Text("shell"),
		umask: args.Text("umask"), env: args.Map("env"), stdin: args.Text("stdin"), clean: args.Bool("clean_env"),
		locale: args.Bool("reset_system_locale"), path: args.Text("prepend_path"),
		direct: args.Has("python_shell") && !args.Bool("python_shell"), raw: args.Has("rstrip") && !args.Bool("rstrip"),
		timeout: time.Duration(args.Number("timeout") * float64(time.Second)), shown: !args.Bool("hide_output"),
	}
}

// verdict is what decides whether a command succeeded, and what is returned of it: plain data, which waits on disk while
// the peel is away.
type verdict struct {
	Function string   `json:"function"` // without "cmd.", or lastTool
	Line     string   `json:"line"`
	Codes    []string `json:"codes,omitempty"`
	Stdout   []string `json:"stdout,omitempty"`
	Stderr   []string `json:"stderr,omitempty"`
	Hide     bool     `json:"hide,omitempty"`
	Ignore   bool     `json:"ignore,omitempty"`
	Raw      bool     `json:"raw,omitempty"`
	Timeout  float64  `json:"timeout,omitempty"`
	// Temp is a file to remove when the command has ended.
	Temp string `json:"temp,omitempty"`
}

// lastTool is the Function of what Env.last runs.
const lastTool = "last tool"

func verdictOf(function, line string, args Args) *verdict {
	return &verdict{
		Function: function, Line: line, Codes: args.Strings("success_retcodes"), Stdout: args.Strings("success_stdout"),
		Stderr: args.Strings("success_stderr"), Hide: args.Bool("hide_output"), Ignore: args.Bool("ignore_retcode"),
		Raw: args.Has("rstrip") && !args.Bool("rstrip"), Timeout: args.Number("timeout"),
	}
}

// weigh gives an end that counts as a success the exit code 0, as Salt does, and takes away output that is to be hidden.
func (v *verdict) weigh(out *output) {
	has := func(text string, wanted []string) bool {
		return slices.ContainsFunc(wanted, func(part string) bool { return strings.Contains(text, part) })
	}
	if !out.timedOut && (slices.Contains(v.Codes, fmt.Sprint(out.code)) || has(out.stdout, v.Stdout) || has(out.stderr, v.Stderr)) {
		out.code = 0
	}
	if v.Hide {
		out.stdout, out.stderr, out.dropped = "", "", [2]int64{}
	}
}

func (v *verdict) reason(out output) string {
	if out.timedOut {
		return fmt.Sprintf("command %q was killed after its timeout of %v seconds", v.Line, v.Timeout)
	}
	return fmt.Sprintf("command %q failed with exit code %d", v.Line, out.code)
}

// value is what the function returns of an output.
func (v *verdict) value(out output) any {
	switch v.Function {
	case "run_stderr":
		return out.stderr
	case "retcode", "script_retcode":
		return int64(out.code)
	case "run_all", "script", "exec_code_all":
		return outcomeOf(out)
	}
	return out.stdout
}

func outcomeOf(out output) map[string]any {
	return map[string]any{"pid": int64(out.pid), "retcode": int64(out.code), "stdout": out.stdout, "stderr": out.stderr}
}

// judge makes the result of the function. What a command printed before something ended it is returned with the error.
func (v *verdict) judge(out output, err error) (any, error) {
	if err != nil && out.pid == 0 {
		return nil, err
	}
	if v.Function == lastTool {
		if err == nil {
			err = toolError(v.Line, out)
		}
		if err != nil {
			return nil, err
		}
		return true, nil
	}
	v.weigh(&out)
	cut := out.cut(v.Line, v.dropped(out))
	switch {
	case err != nil && cut != nil:
		return v.value(out), fmt.Errorf("%w; %w", err, cut)
	case err != nil && (v.Function == "retcode" || v.Function == "script_retcode"):
		return nil, err
	case err != nil:
		return v.value(out), err
	case cut != nil && v.passes(out):
		return nil, &Failure{Value: v.value(out), Code: 1, Msg: cut.Error(), cut: true}
	case cut != nil:
		return nil, &Failure{Value: v.value(out), Code: out.code, Msg: v.reason(out) + "; " + cut.Error(), cut: true}
	case v.passes(out):
		return v.value(out), nil
	}
	return nil, &Failure{Value: v.value(out), Code: out.code, Msg: v.reason(out)}
}

func (v *verdict) passes(out output) bool {
	return out.code == 0 || v.Ignore || v.Function == "retcode" || v.Function == "script_retcode"
}

// dropped is how much is missing of what the function returns.
func (v *verdict) dropped(out output) int64 {
	switch v.value(out).(type) {
	case map[string]any:
		return out.dropped[0] + out.dropped[1]
	case int64:
		return 0
	}
	if v.Function == "run_stderr" {
		return out.dropped[1]
	}
	return out.dropped[0]
}

// runFunction is what all of cmd.* that runs a command comes to.
func runFunction(ctx context.Context, env *Env, function string, args Args, c command) (any, error) {
	v := verdictOf(function, c.line, args)
	c.kept = v
	return v.judge(env.exec(ctx, c))
}

func registerCmd(r *Registry) {
	params := append([]Param{{Name: "cmd", Aliases: []string{"name"}, Kind: states.Text, Required: true, Doc: "the command"}}, commandParams...)
	params = append(params,
		Param{Name: "ignore_retcode", Kind: states.Bool, Doc: "a non-zero exit is no failure"},
		Param{Name: "raise_err", Kind: states.Bool, Doc: "accepted; a command that fails is an error"},
		Param{Name: "template", Kind: states.Text, Doc: "jinja: render the command and cwd"},
		Param{Name: "redirect_stderr", Kind: states.Bool, Doc: "standard error into the output"},
		Param{Name: "bg", Kind: states.Bool, Doc: "start it and do not wait"})
	add := func(name, doc string, merge bool) {
		r.Register(&Function{Name: "cmd." + name, Doc: doc, Params: params, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				line, err := templated(ctx, env, args)
				if err != nil {
					return nil, err
				}
				c := commandOf(line, args)
				if c.merge = merge; args.Has("redirect_stderr") {
					c.merge = args.Bool("redirect_stderr")
				}
				switch {
				case name == "run_bg" || args.Bool("bg"):
					pid, err := env.background(c)
					if err != nil || name != "run_bg" {
						return "", err
					}
					return map[string]any{"pid": int64(pid)}, nil
				case name == "shell":
					c.direct = false
				}
				return runFunction(ctx, env, name, args, c)
			},
		})
	}
	add("run", "Run a command and return what it prints, standard error included.", true)
	add("shell", "Run a command in a shell and return what it prints, standard error included.", true)
	add("run_stdout", "Run a command and return its standard output.", false)
	add("run_stderr", "Run a command and return its standard error.", false)
	add("retcode", "Run a command and return its exit code.", false)
	add("run_all", "Run a command and return pid, retcode, stdout and stderr.", false)
	add("run_bg", "Start a command, do not wait for it, and return its pid.", false)
	registerCode(r)
	registerScript(r)
	registerWhich(r)
}

// templated is the command, rendered if that is asked for.
func templated(ctx context.Context, env *Env, args Args) (string, error) {
	kind := args.Text("template")
	if kind == "" {
		return args.Text("cmd"), nil
	}
	if kind != "jinja" {
		return "", fmt.Errorf("template %q is not supported: use jinja", kind)
	}
	if env.Engine == nil {
		return "", errors.New("template: there is nothing to render with here")
	}
	plain := env.nested()
	vars := TemplateVars(plain, nil)
	for _, name := range []string{"cmd", "cwd"} {
		text, err := env.Engine.Render(ctx, name, []byte(args.Text(name)), vars)
		if err != nil {
			return "", err
		}
		args[name] = text
	}
	return args.Text("cmd"), nil
}

// nested is the Env of what a function of cmd calls in turn: such commands end with the peel.
func (env *Env) nested() *Env {
	inner := *env
	inner.Keep, inner.Output = nil, nil
	return &inner
}

// registerCode adds functions that run code of an interpreter.
func registerCode(r *Registry) {
	params := append([]Param{
		{Name: "lang", Kind: states.Text, Required: true, Doc: "the interpreter, like python3 or perl"},
		{Name: "code", Kind: states.Text, Required: true, Doc: "the code"},
		{Name: "cwd", Kind: states.Text, Doc: "directory to run it in"},
		{Name: "args", Kind: states.List, Doc: "its arguments"},
	}, slices.DeleteFunc(slices.Clone(commandParams), func(p Param) bool { return p.Name == "cwd" || p.Name == "python_shell" || p.Name == "shell" })...)
	for name, doc := range map[string]string{
		"exec_code":     "Run code of an interpreter and return its standard output.",
		"exec_code_all": "Run code of an interpreter and return pid, retcode, stdout and stderr.",
	} {
		r.Register(&Function{Name: "cmd." + name, Doc: doc, Params: params, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				return runScript(ctx, env, name, script{data: []byte(args.Text("code")), with: args.Text("lang"), words: args.Strings("args")}, args)
			}})
	}
}

// registerWhich adds questions about programs.
func registerWhich(r *Registry) {
	which := []Param{{Name: "cmd", Kind: states.Text, Required: true, Doc: "name of the program"}}
	ask := func(name, doc string, params []Param, answer func(Args) (any, error)) {
		r.Register(&Function{Name: "cmd." + name, Doc: doc, Params: params,
			Run: func(_ context.Context, _ *Env, args Args) (any, error) { return answer(args) }})
	}
	ask("which", "Return the path of a program, or null.", which, func(args Args) (any, error) {
		if path, err := exec.LookPath(args.Text("cmd")); err == nil {
			return path, nil
		}
		return nil, nil
	})
	ask("has_exec", "Return whether a program is there.", which, func(args Args) (any, error) {
		_, err := exec.LookPath(args.Text("cmd"))
		return err == nil, nil
	})
	ask("which_bin", "Return the path of the first program that is there, or null.",
		[]Param{{Name: "cmds", Kind: states.List, Required: true, Doc: "names of programs"}}, func(args Args) (any, error) {
			for _, name := range args.Strings("cmds") {
				if path, err := exec.LookPath(name); err == nil {
					return path, nil
				}
			}
			return nil, nil
		})
	ask("shells", "Return the shells that /etc/shells lists.", nil, func(Args) (any, error) {
		data, err := os.ReadFile("/etc/shells")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		list := []any{}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				list = append(list, line)
			}
		}
		return list, nil
	})
}
