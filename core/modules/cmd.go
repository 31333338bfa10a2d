package modules

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// commandParams are the arguments of everything that runs a command.
var commandParams = []Param{
	{Name: "cwd", Kind: states.Text, Doc: "directory to run it in"},
	{Name: "runas", Aliases: []string{"user"}, Kind: states.Text, Doc: "user to run it as"},
	{Name: "shell", Kind: states.Text, Doc: "shell to run it with, /bin/sh by default"},
	{Name: "env", Kind: states.Map, Doc: "variables to add to the environment; false removes one"},
	{Name: "timeout", Kind: states.Number, Doc: "seconds after which its process group is killed"},
	{Name: "stdin", Kind: states.Text, Doc: "text for its standard input"},
	{Name: "umask", Kind: states.Text, Doc: "octal umask"},
	{Name: "python_shell", Kind: states.Bool, Doc: "false runs it without a shell"},
	{Name: "clean_env", Kind: states.Bool, Doc: "start from an empty environment"},
	{Name: "prepend_path", Kind: states.Text, Doc: "directories to put before PATH"},
	{Name: "success_retcodes", Kind: states.List, Doc: "exit codes that are a success beside 0"},
	{Name: "hide_output", Kind: states.Bool, Doc: "do not return the output"},
	{Name: "output_loglevel", Kind: states.Text, Doc: "accepted; commands are not logged"},
}

func commandOf(line string, args Args) command {
	return command{
		line: line, cwd: args.Text("cwd"), runas: args.Text("runas"), shell: args.Text("shell"), umask: args.Text("umask"),
		env: args.Map("env"), stdin: args.Text("stdin"), clean: args.Bool("clean_env"), path: args.Text("prepend_path"),
		direct:  args.Has("python_shell") && !args.Bool("python_shell"),
		timeout: time.Duration(args.Number("timeout") * float64(time.Second)),
	}
}

// succeeded reports whether an exit code counts as a success.
func succeeded(out output, args Args) bool {
	return !out.timedOut && (out.code == 0 || slices.Contains(args.Strings("success_retcodes"), fmt.Sprint(out.code)))
}

func (o output) reason(line string, args Args) string {
	if o.timedOut {
		return fmt.Sprintf("command %q was killed after its timeout of %v seconds", line, args.Number("timeout"))
	}
	return fmt.Sprintf("command %q failed with exit code %d", line, o.code)
}

func registerCmd(r *Registry) {
	params := append([]Param{{Name: "cmd", Aliases: []string{"name"}, Kind: states.Text, Required: true, Doc: "the command"}}, commandParams...)
	params = append(params, Param{Name: "ignore_retcode", Kind: states.Bool, Doc: "a non-zero exit is no failure"})
	add := func(name, doc string, merge bool, value func(output) any) {
		r.Register(&Function{
			Name: "cmd." + name, Doc: doc, Params: params, Mutates: true,
			Run: func(ctx context.Context, env *Env, args Args) (any, error) {
				line := args.Text("cmd")
				c := commandOf(line, args)
				c.merge = merge
				out, err := env.exec(ctx, c)
				if err != nil {
					return nil, err
				}
				if args.Bool("hide_output") {
					out.stdout, out.stderr = "", ""
				}
				if name == "retcode" || args.Bool("ignore_retcode") || succeeded(out, args) {
					return value(out), nil
				}
				return nil, &Failure{Value: value(out), Code: out.code, Msg: out.reason(line, args)}
			},
		})
	}
	stdout := func(o output) any { return o.stdout }
	add("run", "Run a command and return what it prints, standard error included.", true, stdout)
	add("shell", "Run a command in a shell and return what it prints, standard error included.", true, stdout)
	add("run_stdout", "Run a command and return its standard output.", false, stdout)
	add("run_stderr", "Run a command and return its standard error.", false, func(o output) any { return o.stderr })
	add("retcode", "Run a command and return its exit code.", false, func(o output) any { return int64(o.code) })
	add("run_all", "Run a command and return pid, retcode, stdout and stderr.", false, func(o output) any {
		return map[string]any{"pid": int64(o.pid), "retcode": int64(o.code), "stdout": o.stdout, "stderr": o.stderr}
	})
	which := []Param{{Name: "cmd", Kind: states.Text, Required: true, Doc: "name of the program"}}
	r.Register(
		&Function{Name: "cmd.which", Doc: "Return the path of a program, or null.", Params: which,
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				path, err := exec.LookPath(args.Text("cmd"))
				if err != nil {
					return nil, nil
				}
				return path, nil
			}},
		&Function{Name: "cmd.has_exec", Doc: "Return whether a program is there.", Params: which,
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				_, err := exec.LookPath(args.Text("cmd"))
				return err == nil, nil
			}},
	)
}
