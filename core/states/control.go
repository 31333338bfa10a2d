package states

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// control is the run control of a state: what decides whether and how its function runs.
type control struct {
	onlyif, unless []condition
	creates        []string
	checkCmd       []string
	retry          *retry
	failhard       *bool
	parallel       bool
	// handles says of an onfail state that it deals with the failure (onfail_stop: false): it runs although a failhard has
	// stopped the run, and if it succeeds the run has not failed.
	handles bool
	// event is the tag of fire_event; eventDefault asks for the state's own tag.
	event        string
	eventDefault bool

	runas, umask, shell, cwd string
	env                      map[string]any
	timeout                  time.Duration
}

// condition is one entry of onlyif or unless: a shell command, a function, or true or false as it is.
type condition struct {
	command   string
	literal   *bool
	function  string
	args      []any
	kwargs    map[string]any
	getReturn string
}

type retry struct {
	attempts        int
	until           Outcome
	interval, splay time.Duration
}

// controlNames are the arguments that every state takes beside requisites.
var controlNames = []string{
	"name", "names", "order", "onlyif", "unless", "creates", "check_cmd", "retry", "failhard", "parallel", "onfail_stop",
	"fire_event", "runas", "umask", "timeout", "shell", "cwd", "env", "reload_modules", "reload_grains", "reload_pillar", "saltenv",
}

// setControl takes an argument that is run control. owned arguments are also, or instead, those of the function.
func (c *chunk) setControl(arg *argument, owned bool) (taken bool, problem string) {
	switch arg.key {
	case "order":
		return true, "" // the compiler has read it
	case "reload_modules", "reload_grains", "reload_pillar": // nothing is loaded that could be reloaded
		return true, ""
	case "saltenv":
		name, ok := text(arg.value)
		if !ok && arg.value != nil {
			return true, "takes the name of an environment, not " + describe(arg.value)
		}
		c.saltenv, _ = name.(string)
		return true, ""
	case "creates", "check_cmd", "timeout":
		if owned {
			return true, ""
		}
	case "onlyif", "unless", "retry", "failhard", "parallel", "onfail_stop", "fire_event", "runas", "umask":
	case "shell", "cwd", "env":
		if !owned && c.arg("onlyif") == nil && c.arg("unless") == nil && c.arg("check_cmd") == nil {
			return false, ""
		}
	default:
		return false, ""
	}
	if arg.value == nil {
		return true, ""
	}
	if c.control == nil {
		c.control = &control{}
	}
	problem = c.control.set(arg.key, arg.value)
	if owned {
		problem = "" // the function's own conversion will say it
	}
	return true, problem
}

func (c *control) set(key string, value any) (problem string) {
	var ok bool
	var v any
	switch key {
	case "onlyif", "unless":
		list, problem := conditions(value)
		if key == "onlyif" {
			c.onlyif = list
		} else {
			c.unless = list
		}
		return problem
	case "creates", "check_cmd":
		list, isList := List.convert(value)
		if !isList {
			return "takes text or a list, not " + describe(value)
		}
		if key == "creates" {
			c.creates = Args{"l": list}.Strings("l")
		} else {
			c.checkCmd = Args{"l": list}.Strings("l")
		}
		return ""
	case "retry":
		c.retry, problem = newRetry(value)
		return problem
	case "fire_event":
		if on, isBool := value.(bool); isBool {
			c.eventDefault = on
			return ""
		}
		c.event, ok = value.(string)
	case "failhard", "parallel", "onfail_stop":
		if v, ok = boolean(value); ok {
			c.setSwitch(key, v.(bool))
		}
	case "timeout":
		if v, ok = Number.convert(value); ok {
			c.timeout = time.Duration(v.(float64) * float64(time.Second))
		}
	case "env":
		v, ok = mapping(value)
		c.env, _ = v.(map[string]any)
	default:
		if v, ok = text(value); ok {
			*map[string]*string{"runas": &c.runas, "umask": &c.umask, "shell": &c.shell, "cwd": &c.cwd}[key] = v.(string)
		}
	}
	if !ok {
		return "cannot be " + describe(value)
	}
	return ""
}

func (c *control) setSwitch(key string, on bool) {
	switch key {
	case "failhard":
		c.failhard = &on
	case "parallel":
		c.parallel = on
	case "onfail_stop":
		c.handles = !on
	}
}

func conditions(value any) ([]condition, string) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var out []condition
	for _, item := range list {
		switch item := item.(type) {
		case bool:
			out = append(out, condition{literal: &item})
		case string:
			out = append(out, condition{command: item})
		case map[string]any:
			fun, ok := item["fun"].(string)
			if !ok {
				return nil, "has a mapping without fun:, the function to call"
			}
			c := condition{function: fun, kwargs: maps.Clone(item)}
			c.getReturn, _ = item["get_return"].(string)
			if args, given := item["args"]; given {
				if c.args, ok = args.([]any); !ok {
					c.args = []any{args}
				}
			}
			for _, own := range [...]string{"fun", "args", "get_return"} {
				delete(c.kwargs, own)
			}
			out = append(out, c)
		default:
			return nil, "takes commands, true, false, or - fun: mappings, not " + describe(item)
		}
	}
	return out, ""
}

func newRetry(value any) (*retry, string) {
	r := &retry{attempts: 2, until: Succeeded, interval: 30 * time.Second}
	if on, ok := value.(bool); ok {
		if !on {
			return nil, ""
		}
		return r, ""
	}
	m, ok := mapping(value)
	if !ok {
		return nil, "takes true or attempts, until, interval and splay, not " + describe(value)
	}
	options := m.(map[string]any)
	for _, key := range sortedKeys(options) {
		v := options[key]
		number, isNumber := Number.convert(v)
		seconds, _ := number.(float64)
		switch key {
		case "attempts":
			r.attempts = int(seconds)
		case "interval":
			r.interval = time.Duration(seconds * float64(time.Second))
		case "splay":
			r.splay = time.Duration(seconds * float64(time.Second))
		case "until":
			on, ok := boolean(v)
			if !ok {
				return nil, "until takes true or false, not " + describe(v)
			}
			if isNumber = true; !on.(bool) {
				r.until = Failed
			}
		default:
			return nil, fmt.Sprintf("has no option %q%s", key, config.DidYouMean(key, []string{"attempts", "interval", "splay", "until"}))
		}
		if !isNumber || seconds < 0 || key == "attempts" && r.attempts < 1 {
			return nil, fmt.Sprintf("%s cannot be %s", key, describe(v))
		}
	}
	return r, ""
}

// traverse follows a colon-separated path into a value.
func traverse(value any, keys string) any {
	for key := range strings.SplitSeq(keys, ":") {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}
