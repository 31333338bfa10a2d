package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

func cmdStates(env *Env) []*states.Function {
	params := append(slices.Clone(commandParams), Param{
		Name: "stateful", Doc: "true: the last line of the output says changed=yes|no and comment='...', or is JSON with them",
	})
	run := func(ctx context.Context, call *states.Call) (states.Result, error) { return runState(ctx, env, call) }
	wait := func(context.Context, *states.Call) (states.Result, error) {
		return states.Result{Outcome: states.Succeeded}, nil
	}
	return []*states.Function{
		{Name: "cmd.run", Doc: "Run a command.", Params: params, Apply: run, Watch: run},
		{Name: "cmd.wait", Doc: "Run a command when a watched state has changed.", Params: params, Apply: wait, Watch: run},
	}
}

func runState(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	line := call.Name
	if call.Test {
		return call.Changed(map[string]any{"cmd": line}, fmt.Sprintf("Command %q would have been executed", line)), nil
	}
	out, err := env.exec(ctx, commandOf(line, call.Args))
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{"pid": int64(out.pid), "retcode": int64(out.code), "stdout": out.stdout, "stderr": out.stderr}
	if call.Args.Bool("hide_output") {
		changes["stdout"], changes["stderr"] = "", ""
	}
	result := states.Result{Outcome: states.Succeeded, Changes: changes, Comment: fmt.Sprintf("Command %q run", line)}
	switch {
	case !succeeded(out, call.Args):
		result.Outcome, result.Comment = states.Failed, out.reason(line, call.Args)
		return result, nil
	case stateful(call.Args):
		return statefulResult(result, out.stdout)
	}
	return result, nil
}

func stateful(args Args) bool {
	switch v := args["stateful"].(type) {
	case bool:
		return v
	case nil:
		return false
	}
	return true
}

// statefulResult reads what a stateful command says of itself in its last line.
func statefulResult(result states.Result, stdout string) (states.Result, error) {
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	says := map[string]any{}
	if err := json.Unmarshal([]byte(last), &says); err != nil {
		words, err := splitWords(last)
		if err != nil {
			return states.Result{}, fmt.Errorf("stateful output %q: %w", last, err)
		}
		clear(says)
		for _, word := range words {
			if key, value, ok := strings.Cut(word, "="); ok {
				says[key] = value
			}
		}
	}
	if says["changed"] == nil {
		return states.Result{}, errors.New("the last line of a stateful command's output must say changed=yes or changed=no")
	}
	comment, _ := says["comment"].(string)
	if comment != "" {
		result.Comment = comment
	}
	delete(says, "comment")
	if changed := strings.ToLower(fmt.Sprint(says["changed"])); changed == "no" || changed == "false" || changed == "0" {
		result.Changes = nil
		return result, nil
	}
	delete(says, "changed")
	for key, value := range says {
		result.Changes[key] = value
	}
	return result, nil
}
