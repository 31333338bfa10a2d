package modules

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// alternativesStates are the alternatives.* state functions.
func alternativesStates(env *Env) []*states.Function {
	a := &alternatives{env}
	name := Param{Name: "name", Kind: states.Text, Doc: "the alternative, such as editor"}
	path := Param{Name: "path", Kind: states.Text, Required: true, Doc: "what it is to lead to"}
	function := func(name, doc string, params []Param, apply func(context.Context, *states.Call) (states.Result, error)) *states.Function {
		return hostState(env, states.Function{Name: "alternatives." + name, Doc: doc, Params: params, Mutex: "alternatives"}, apply)
	}
	return []*states.Function{
		function("install", "Make a path be one of the choices of an alternative.", []Param{name, path,
			{Name: "link", Kind: states.Text, Required: true, Doc: "the link, such as /usr/bin/editor"},
			{Name: "priority", Kind: states.Int, Required: true, Doc: "how much it counts when nobody has chosen"}}, a.install),
		function("remove", "Make a path not be one of the choices of an alternative.", []Param{name, path}, a.remove),
		function("set", "Choose what an alternative leads to.", []Param{name, path}, a.set),
		function("auto", "Let an alternative lead to the best choice.", []Param{name}, a.auto),
	}
}

type alternatives struct{ env *Env }

// choice is what update-alternatives says of an alternative.
type choice struct {
	value   string // where it leads
	manual  bool
	choices map[string]string // path -> priority
}

func (a *alternatives) query(ctx context.Context, name string) (*choice, error) {
	if !hasTool("update-alternatives") {
		return nil, errors.New("there is no update-alternatives on this host")
	}
	if name == "" || strings.HasPrefix(name, "-") {
		return nil, fmt.Errorf("%q cannot be the name of an alternative", name)
	}
	out, err := a.env.tool(ctx, "", "update-alternatives", "--query", name)
	if err == nil && !strings.Contains(out.stderr, "no alternatives for") {
		err = toolError("update-alternatives", out)
	}
	if err != nil {
		return nil, err
	}
	c := &choice{choices: map[string]string{}}
	current := ""
	for line := range strings.Lines(out.stdout) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Value":
			c.value = value
		case "Status":
			c.manual = value == "manual"
		case "Alternative":
			current = value
			c.choices[current] = ""
		case "Priority":
			c.choices[current] = value
		}
	}
	return c, nil
}

func (a *alternatives) change(ctx context.Context, call *states.Call, changes map[string]any, words ...string) (states.Result, error) {
	return settle(call, changes, "Alternative "+call.Name, func() error {
		_, err := a.env.must(ctx, append([]string{"update-alternatives"}, words...)...)
		return err
	})
}

func (a *alternatives) install(ctx context.Context, call *states.Call) (states.Result, error) {
	c, err := a.query(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	path, priority := call.Args.Text("path"), strconv.FormatInt(call.Args.Int("priority"), 10)
	changes := map[string]any{}
	if old, ok := c.choices[path]; !ok || old != priority {
		changes["path"], changes["priority"] = path, was(old, priority)
	}
	return a.change(ctx, call, changes, "--install", call.Args.Text("link"), call.Name, path, priority)
}

func (a *alternatives) remove(ctx context.Context, call *states.Call) (states.Result, error) {
	c, err := a.query(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	if _, ok := c.choices[call.Args.Text("path")]; ok {
		changes["path"] = was(call.Args.Text("path"), "")
	}
	return a.change(ctx, call, changes, "--remove", call.Name, call.Args.Text("path"))
}

func (a *alternatives) set(ctx context.Context, call *states.Call) (states.Result, error) {
	c, err := a.query(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	path := call.Args.Text("path")
	if _, ok := c.choices[path]; !ok && !call.Test {
		return states.Result{}, fmt.Errorf("%q is not a choice of %q, only %s", path, call.Name, strings.Join(sortedKeys(c.choices), ", "))
	}
	changes := map[string]any{}
	if c.value != path {
		changes["path"] = was(c.value, path)
	}
	return a.change(ctx, call, changes, "--set", call.Name, path)
}

func (a *alternatives) auto(ctx context.Context, call *states.Call) (states.Result, error) {
	c, err := a.query(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	if c.manual {
		changes["auto"] = was(false, true)
	}
	return a.change(ctx, call, changes, "--auto", call.Name)
}
