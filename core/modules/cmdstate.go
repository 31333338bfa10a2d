package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

func cmdStates(env *Env) []*states.Function {
	params := append(slices.Clone(commandParams),
		Param{Name: "stateful", Doc: "true: the last line of the output says changed=yes|no and comment='...', or all of it is JSON with them; a list with test_name names a command for test runs"},
		Param{Name: "ignore_timeout", Kind: states.Bool, Doc: "a command that is killed after its timeout has succeeded"})
	withBackground := append(slices.Clone(params), Param{Name: "bg", Kind: states.Bool, Doc: "start it and do not wait"})
	scripts := append(slices.Clone(params), scriptParams...)
	c := cmdState{env}
	wait := func(context.Context, *states.Call) (states.Result, error) {
		return states.Result{Outcome: states.Succeeded}, nil
	}
	return []*states.Function{
		{Name: "cmd.run", Doc: "Run a command.", Params: withBackground, Apply: c.run, Watch: c.run},
		{Name: "cmd.wait", Doc: "Run a command when a watched state has changed.", Params: withBackground, Apply: wait, Watch: c.run},
		{Name: "cmd.watch", Doc: "Run a command when a watched state has changed.", Params: withBackground, Apply: wait, Watch: c.run},
		{Name: "cmd.script", Doc: "Run a script of the tree.", Params: scripts, Apply: c.script, Watch: c.script},
		{Name: "cmd.wait_script", Doc: "Run a script of the tree when a watched state has changed.", Params: scripts, Apply: wait, Watch: c.script},
	}
}

type cmdState struct{ env *Env }

func (s cmdState) run(ctx context.Context, call *states.Call) (states.Result, error) {
	line, wouldRun := call.Name, false
	if call.Test {
		if line = testName(call.Args["stateful"]); line == "" {
			return wouldHaveRun(call, map[string]any{"cmd": call.Name}), nil
		}
		wouldRun = true
	}
	c := commandOf(line, call.Args)
	if call.Args.Bool("bg") {
		pid, err := s.env.background(c)
		return states.Result{Outcome: states.Succeeded, Changes: map[string]any{"pid": int64(pid)}, Comment: fmt.Sprintf("Command %q started", line)}, err
	}
	return s.result(ctx, call, line, c, wouldRun)
}

func (s cmdState) script(ctx context.Context, call *states.Call) (states.Result, error) {
	if call.Test {
		return wouldHaveRun(call, nil), nil
	}
	source := call.Args.Text("source")
	if source == "" {
		source = call.Name
	}
	if _, rest, ok := strings.Cut(strings.TrimSpace(call.Name), " "); ok && !call.Args.Has("args") {
		source, _, _ = strings.Cut(source, " ")
		call.Args["args"] = rest
	}
	loaded, err := loadScript(ctx, s.env, call, source)
	if errors.Is(err, fs.ErrNotExist) {
		// A change all the same, as in Salt, for those who watch it.
		return states.Result{Changes: map[string]any{"retcode": int64(1), "stdout": "", "stderr": ""}}, fmt.Errorf("source %q is not there", source)
	}
	if err != nil {
		return states.Result{}, err
	}
	path, err := loaded.write(call.Args.Text("cwd"), call.Args.Text("runas"))
	if err != nil {
		return states.Result{}, fmt.Errorf("script: %w", err)
	}
	defer func() { _ = os.Remove(path) }()
	return s.result(ctx, call, call.Name, loaded.command(path, call.Args), false)
}

// wouldHaveRun is the result of a test run.
func wouldHaveRun(call *states.Call, changes map[string]any) states.Result {
	if stateful(call.Args) { // what it would have changed is the command's to say
		changes = nil
	}
	return states.Result{Outcome: states.WouldChange, Changes: changes, Comment: fmt.Sprintf("Command %q would have been executed", call.Name)}
}

// result runs the command and tells of it.
func (s cmdState) result(ctx context.Context, call *states.Call, line string, c command, test bool) (states.Result, error) {
	c.leaves = true
	out, err := s.env.exec(ctx, c)
	v := verdictOf("run_all", line, call.Args)
	v.weigh(&out)
	out = out.marked()
	if err != nil {
		if out.pid == 0 {
			return states.Result{}, err
		}
		said := outcomeOf(out)
		if errors.Is(err, errLeftBehind) {
			delete(said, "retcode")
		}
		return states.Result{Changes: said}, err
	}
	result := states.Result{Outcome: states.Succeeded, Changes: outcomeOf(out), Comment: fmt.Sprintf("Command %q run", line)}
	if out.code != 0 && (!out.timedOut || !call.Args.Bool("ignore_timeout")) {
		result.Outcome, result.Comment = states.Failed, v.reason(out)
	}
	if stateful(call.Args) {
		if err := reinterpret(&result, out); err != nil {
			result.Outcome = states.Failed
			return result, err
		}
	}
	if test && result.Outcome == states.Succeeded && len(result.Changes) > 0 {
		result.Outcome = states.WouldChange
	}
	return result, nil
}

func stateful(args Args) bool {
	switch v := args["stateful"].(type) {
	case bool:
		return v
	case []any:
		return len(v) > 0
	}
	return false
}

// testName is the command that a stateful one has for test runs, "" if it has none.
func testName(value any) string {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return ""
	}
	first, _ := list[0].(map[string]any)
	name, _ := first["test_name"].(string)
	return name
}

// reinterpret reads what a stateful command says of itself: JSON, or name=value pairs in its last line.
func reinterpret(result *states.Result, out output) error {
	changes := result.Changes
	result.Changes = nil
	if out.stdout == "" {
		if out.stderr != "" {
			result.Comment = out.stderr
		}
		return nil
	}
	said, rest := map[string]any{}, ""
	var decoded any
	if json.Unmarshal([]byte(out.stdout), &decoded) == nil {
		var ok bool
		if said, ok = decoded.(map[string]any); !ok {
			return errors.New("the JSON that a stateful command prints must be an object, {...}")
		}
	} else {
		last := strings.TrimRight(out.stdout, " \t\r\n")
		if i := strings.LastIndexByte(last, '\n'); i >= 0 {
			rest, last = last[:i], last[i+1:]
		}
		words, err := splitWords(last)
		for _, word := range words {
			key, value, ok := strings.Cut(word, "=")
			if !ok || strings.Contains(value, "=") {
				err = fmt.Errorf("%q is no name=value", word)
			}
			said[key] = value
		}
		if err != nil {
			result.Changes = changes
			return fmt.Errorf("the last line of a stateful command's output must be JSON or name=value pairs such as changed=yes: %w", err)
		}
	}
	changed, err := truth(said["changed"])
	if err != nil {
		return err
	}
	if comment, ok := said["comment"]; ok {
		result.Comment = fmt.Sprint(comment)
		delete(said, "comment")
	}
	if !changed {
		return nil
	}
	for key, value := range changes {
		if _, ok := said[key]; !ok {
			said[key] = value
		}
	}
	said["stdout"] = rest
	result.Changes = plainJSON(said).(map[string]any)
	return nil
}

func truth(value any) (bool, error) {
	if value == nil {
		return false, nil
	}
	switch strings.ToLower(fmt.Sprint(value)) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, fmt.Errorf("changed=%v of a stateful command is neither yes nor no", value)
}

// plainJSON has whole numbers where JSON has just numbers.
func plainJSON(value any) any {
	switch value := value.(type) {
	case float64:
		if n := int64(value); float64(n) == value {
			return n
		}
	case []any:
		for i := range value {
			value[i] = plainJSON(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = plainJSON(value[key])
		}
	}
	return value
}
