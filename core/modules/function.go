package modules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// Param and Args are those of state functions.
type (
	Param = states.Param
	Args  = states.Args
)

// Function is one execution function.
type Function struct {
	// Name is module.function.
	Name string
	// Doc says what the function returns, in one line.
	Doc string
	// Params are the arguments, in the order in which they can be given by position.
	Params []Param
	// Rest names the parameter that takes all further positional arguments as a list; empty refuses them.
	Rest string
	// Open functions take keyword arguments that Params does not list.
	Open bool
	// Mutates is true for functions that can change the host.
	Mutates bool
	// Reads, if set, says of a call of a mutating function that this one only reads (state.apply test=True).
	Reads func(args Args) bool
	// Run returns plain data, or mappings in order as *settings.Map. An error that is a *Failure carries a value as well.
	Run func(ctx context.Context, env *Env, args Args) (any, error)

	alias   string
	ordered bool // takes mappings from templates in the order of their keys, as *settings.Map
}

// Failure is the error of a function that failed and still has something to return: the output of a command that
// exited with 3, the report of a state run with failed states.
type Failure struct {
	Value any
	// Code is the exit code that a shell user would expect; never 0.
	Code int
	Msg  string

	cut bool // the value is not whole
}

func (f *Failure) Error() string { return f.Msg }

// Kind is what a Function is called in errors.
func (*Function) Kind() string { return "function" }

// Called is the name.
func (f *Function) Called() string { return f.Name }

// Registry holds execution functions by name, aliases included. It is safe for concurrent use.
type Registry struct{ states.Table[*Function] }

// Alias makes the function of name known as alias too.
func (r *Registry) Alias(alias, name string) {
	f, err := r.Lookup(name)
	if err != nil {
		panic("modules: alias " + alias + ": " + err.Error())
	}
	copied := *f
	copied.Name, copied.alias = alias, name
	r.Register(&copied)
}

// Call binds the arguments and runs the function. What it returns is plain data.
func (r *Registry) Call(ctx context.Context, env *Env, name string, args []any, kwargs map[string]any) (any, error) {
	value, err := r.call(ctx, env, name, args, kwargs)
	return settings.Plain(value), err
}

func (r *Registry) call(ctx context.Context, env *Env, name string, args []any, kwargs map[string]any) (any, error) {
	f, err := r.Lookup(name)
	if err != nil {
		return nil, err
	}
	bound, err := f.Bind(args, kwargs)
	if err != nil {
		return nil, err
	}
	env = r.env(env)
	if !f.Mutates || env.unsynced != nil {
		return f.Run(ctx, env, bound)
	}
	own := *env
	own.unsynced, own.variables = newUnsynced(), newVariables()
	return own.unsynced.settled(f.Run(ctx, &own, bound))
}

// Mutating reports whether this call can change the host. A call that Call would refuse does not.
func (r *Registry) Mutating(name string, args []any, kwargs map[string]any) bool {
	f, err := r.Lookup(name)
	if err != nil || !f.Mutates {
		return false
	}
	bound, err := f.Bind(args, kwargs)
	return err == nil && (f.Reads == nil || !f.Reads(bound))
}

func (r *Registry) env(env *Env) *Env {
	if env.functions == r {
		return env
	}
	bound := *env
	bound.functions = r
	return &bound
}

// Bind gives each argument to its parameter and converts it. Keyword arguments that begin with two underscores are
// Salt's own bookkeeping (__pub_jid, __kwarg__) and are dropped.
func (f *Function) Bind(args []any, kwargs map[string]any) (Args, error) {
	bound := Args{}
	rest := []any{}
	for i, value := range args {
		if i >= len(f.Params) || f.Rest != "" && f.Params[i].Name == f.Rest {
			if f.Rest == "" {
				return nil, fmt.Errorf("%s takes %s, got %d", f.Name, f.arity(), len(args))
			}
			rest = args[i:]
			break
		}
		if err := f.set(bound, &f.Params[i], value); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		bound[f.Rest] = rest
	}
	for _, key := range slices.Sorted(maps.Keys(kwargs)) {
		if strings.HasPrefix(key, "__") {
			continue
		}
		param, ok := states.FindParam(f.Params, key)
		if !ok {
			if f.Open {
				bound[key] = kwargs[key]
				continue
			}
			return nil, fmt.Errorf("%s: unknown argument %q%s", f.Name, key, config.DidYouMean(key, states.ParamNames(f.Params)))
		}
		if _, twice := bound[param.Name]; twice {
			return nil, fmt.Errorf("%s: argument %q is given twice", f.Name, param.Name)
		}
		if err := f.set(bound, param, kwargs[key]); err != nil {
			return nil, err
		}
	}
	for i := range f.Params {
		p := &f.Params[i]
		if _, given := bound[p.Name]; given {
			continue
		}
		if p.Required {
			return nil, fmt.Errorf("%s: argument %q is missing", f.Name, p.Name)
		}
		if p.Default != nil {
			bound[p.Name] = p.Default
		}
	}
	return bound, nil
}

func (f *Function) set(bound Args, param *Param, value any) error {
	if b, ok := value.(bool); ok && param.Kind == states.Text { // cmd.run true: the command line read a boolean
		value = strconv.FormatBool(b)
	}
	converted, err := param.Convert(value)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if converted == nil && param.Required {
		return fmt.Errorf("%s: argument %q is missing", f.Name, param.Name)
	}
	bound[param.Name] = converted
	return nil
}

func (f *Function) arity() string {
	switch len(f.Params) {
	case 0:
		return "no arguments"
	case 1:
		return "at most 1 argument"
	}
	return fmt.Sprintf("at most %d arguments", len(f.Params))
}
