package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/states"
)

// variables are what a call has changed of the environment of its commands. They are safe for concurrent use; nil are none.
type variables struct {
	mu      sync.Mutex
	changed map[string]*string // nil: it is not set
}

func newVariables() *variables { return &variables{changed: map[string]*string{}} }

func (v *variables) change(changes map[string]*string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.changed, changes)
}

// environ is the environment of commands, which the caller may change.
func (env *Env) environ() []string {
	environ := slices.Clone(env.Environ)
	if env.Environ == nil {
		environ = os.Environ()
	}
	if env.variables == nil {
		return environ
	}
	env.variables.mu.Lock()
	defer env.variables.mu.Unlock()
	environ = slices.DeleteFunc(environ, func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		_, changed := env.variables.changed[name]
		return changed
	})
	for _, name := range sortedKeys(env.variables.changed) {
		if value := env.variables.changed[name]; value != nil {
			environ = append(environ, name+"="+*value)
		}
	}
	return environ
}

// environStates are the environ.* state functions.
func environStates(env *Env) []*states.Function {
	return []*states.Function{{
		Name: "environ.setenv", Doc: "Set variables of the environment of the commands that this run runs from then on.", Mutex: "environ",
		Params: []Param{
			{Name: "name", Kind: states.Text, Doc: "the variable; anything where value is a mapping"},
			{Name: "value", Required: true, Doc: "its value, false for none, or a mapping of variables to values"},
			{Name: "false_unsets", Kind: states.Bool, Doc: "false takes a variable away; by default it is set to nothing"},
			{Name: "clear_all", Kind: states.Bool, Doc: "every other variable as if its value were false"},
			{Name: "update_minion", Kind: states.Bool, Doc: "a warning: the peel's own environment is that of its unit, for other runs too"},
			{Name: "permanent", Doc: "accepted; it is for Windows"},
		},
		Apply: func(_ context.Context, call *states.Call) (states.Result, error) { return setEnvironment(env, call) },
	}}
}

func setEnvironment(env *Env, call *states.Call) (states.Result, error) {
	wanted, err := wantedVariables(call)
	if err != nil {
		return states.Result{}, err
	}
	have := map[string]string{}
	for _, line := range env.environ() {
		name, value, _ := strings.Cut(line, "=")
		have[name] = value
	}
	if call.Args.Bool("clear_all") {
		for name := range have {
			if _, ok := wanted[name]; !ok {
				wanted[name] = nil
			}
		}
	}
	changes, set, nothing := map[string]any{}, map[string]*string{}, ""
	for name, value := range wanted {
		old, there := have[name]
		switch {
		case value == nil && !call.Args.Bool("false_unsets"):
			if there && old == "" {
				continue
			}
			value = &nothing
		case value == nil && !there, value != nil && *value == old:
			continue
		}
		set[name], changes[name] = value, nil
		if value != nil {
			changes[name] = *value
		}
	}
	var result states.Result
	switch {
	case len(changes) == 0:
		result, err = settled("Environ values were already set with the correct values")
	case call.Test:
		result = call.Changed(changes, "Environ values will be changed")
	case env.variables == nil:
		return result, errors.New("there is no run whose environment could be set")
	default:
		env.variables.change(set)
		result = call.Changed(changes, "Environ values were set")
	}
	if call.Args.Bool("update_minion") {
		result.Warnings = append(result.Warnings, "update_minion: the variables are set for this run alone: those of the peel are its unit's, Environment= of systemd")
	}
	return result, err
}

// wantedVariables are the variables with their values, nil for none.
func wantedVariables(call *states.Call) (map[string]*string, error) {
	given := map[string]any{call.Name: call.Args["value"]}
	if table, ok := document.Plain(call.Args["value"]).(map[string]any); ok {
		given = table
	}
	wanted := map[string]*string{}
	for name, value := range given {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, fmt.Errorf("%q cannot be the name of a variable", name)
		}
		switch value := value.(type) {
		case string:
			if strings.Contains(value, "\x00") {
				return nil, fmt.Errorf("the value of %q has a zero byte", name)
			}
			wanted[name] = &value
		case bool:
			if value {
				return nil, fmt.Errorf("the value of %q is true: write it in quotes", name)
			}
			wanted[name] = nil
		default:
			return nil, fmt.Errorf("the value of %q is not text, a mapping or false: write it in quotes", name)
		}
	}
	return wanted, nil
}
