package modules

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// testStates are Salt's test states: they touch nothing and give the result that is asked for.
func testStates(env *Env) []*states.Function {
	pretended := map[string]any{"testing": map[string]any{"old": "Unchanged", "new": "Something pretended to change"}}
	ignored := []Param{{Name: "text", Kind: states.Text, Doc: "the comment"}}
	fixed := func(name, doc string, outcome states.Outcome, changes map[string]any, comment string) *states.Function {
		return &states.Function{Name: "test." + name, Doc: doc, Open: true, Watch: watchFired,
			Apply: func(_ context.Context, call *states.Call) (states.Result, error) {
				result := states.Result{Outcome: outcome, Changes: changes, Comment: comment}
				if call.Test && changes != nil {
					result.Outcome = states.WouldChange
				}
				return result, nil
			}}
	}
	return []*states.Function{
		fixed("nop", "Succeed without changes; arguments are ignored.", states.Succeeded, nil, "Success!"),
		fixed("succeed_without_changes", "Succeed without changes.", states.Succeeded, nil, "Success!"),
		fixed("succeed_with_changes", "Succeed with pretended changes.", states.Succeeded, pretended, "Success!"),
		fixed("fail_without_changes", "Fail.", states.Failed, nil, "Failure!"),
		fixed("fail_with_changes", "Fail with pretended changes.", states.Failed, pretended, "Failure!"),
		{Name: "test.show_notification", Doc: "Succeed and show a text.", Params: ignored,
			Apply: func(_ context.Context, call *states.Call) (states.Result, error) {
				return states.Result{Outcome: states.Succeeded, Comment: call.Args.Text("text")}, nil
			}},
		{Name: "test.check_pillar", Doc: "Fail if settings are missing or of another kind.", Params: []Param{
			{Name: "present", Kind: states.List, Doc: "settings that must be there"},
			{Name: "boolean", Kind: states.List, Doc: "settings that must be true or false"},
			{Name: "integer", Kind: states.List, Doc: "settings that must be whole numbers"},
			{Name: "string", Kind: states.List, Doc: "settings that must be text"},
			{Name: "listing", Kind: states.List, Doc: "settings that must be lists"},
			{Name: "dictionary", Kind: states.List, Doc: "settings that must be mappings"},
			{Name: "verbose", Kind: states.Bool, Doc: "name those that are right too"},
		}, Apply: func(_ context.Context, call *states.Call) (states.Result, error) { return checkSettings(env, call) }},
		{Name: "test.configurable_test_state", Doc: "Give the result and the changes that are asked for.", Apply: configurable, Watch: watchFired,
			Params: []Param{
				{Name: "changes", Default: true, Doc: "true, false or Random"},
				{Name: "result", Default: true, Doc: "true, false or Random"},
				{Name: "comment", Kind: states.Text, Doc: "the comment"},
				{Name: "warnings", Kind: states.List, Doc: "the warnings"},
			}},
	}
}

// checkSettings is test.check_pillar.
func checkSettings(env *Env, call *states.Call) (states.Result, error) {
	fits := func(kind string, value any) bool {
		_, isMap := mapping(value)
		switch value.(type) {
		case bool:
			return kind == "boolean" || kind == "integer" // as in Python, where a bool is an int
		case int64:
			return kind == "integer"
		case string:
			return kind == "string"
		case []any:
			return kind == "listing"
		}
		return kind == "dictionary" && isMap
	}
	var wrong, right []string
	asked := false
	for _, kind := range []string{"present", "boolean", "integer", "string", "listing", "dictionary"} {
		for _, key := range call.Args.Strings(kind) {
			asked = true
			switch value, _ := dig(env.pillar(), key, ":"); {
			case value == nil:
				wrong = append(wrong, fmt.Sprintf("setting %q is missing", key))
			case kind != "present" && !fits(kind, value):
				wrong = append(wrong, fmt.Sprintf("setting %q is no %s", key, kind))
			default:
				right = append(right, key)
			}
		}
	}
	if !asked {
		return states.Result{}, errors.New("there is nothing to check: give present, boolean, integer, string, listing or dictionary")
	}
	if len(wrong) > 0 {
		return states.Result{}, errors.New(strings.Join(wrong, "\n"))
	}
	comment := ""
	if call.Args.Bool("verbose") {
		comment = "These settings are right: " + strings.Join(right, ", ")
	}
	return states.Result{Outcome: states.Succeeded, Comment: comment}, nil
}

func configurable(_ context.Context, call *states.Call) (states.Result, error) {
	on := func(name string) bool {
		if on, ok := call.Args[name].(bool); ok {
			return on
		}
		return rand.N(2) == 0
	}
	result := states.Result{Outcome: states.Failed, Comment: call.Args.Text("comment"), Warnings: call.Args.Strings("warnings")}
	if on("changes") {
		result.Changes = map[string]any{"testing": map[string]any{"old": "Unchanged", "new": "Something pretended to change"}}
	}
	switch {
	case call.Test && result.Changes != nil:
		result.Outcome = states.WouldChange // as in Salt, whatever the result is to be
	case call.Test || on("result"):
		result.Outcome = states.Succeeded
	}
	return result, nil
}

func watchFired(_ context.Context, call *states.Call) (states.Result, error) {
	changes := []any{}
	for _, label := range sortedKeys(call.Watched) {
		changes = append(changes, label)
	}
	return states.Result{
		Outcome: states.Succeeded, Changes: map[string]any{"Requisites with changes": changes}, Comment: "Watch statement fired.",
	}, nil
}
