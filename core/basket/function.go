package basket

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// DefaultInterval is how often a function runs that names no interval of its own.
const DefaultInterval = 5 * time.Minute

// Function is one thing a peel publishes.
type Function struct {
	// Name is what readers ask for: the last part of the entry's key.
	Name string
	// Call is the execution function to run, with Args and Kwargs. If it is empty Fact or
	// Value is published; if those are unset too, Name decides: an execution function of
	// that name, else the fact of that path.
	Call   string
	Args   []any
	Kwargs map[string]any
	Fact   string
	Value  any
	// Interval is how often the function runs. TTL, if not 0, is how long the value outlives
	// its peel; whole seconds.
	Interval time.Duration
	TTL      time.Duration
}

var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// CheckName says what is wrong with a function's name, which is part of a key on the bus.
func CheckName(name string) error {
	if len(name) > 200 || !nameSyntax.MatchString(name) {
		return fmt.Errorf("basket function %q: use letters, digits, '_' and '-', with single dots between", name)
	}
	return nil
}

// Parse reads a basket block: a list of names, or a map from name to nothing, to an interval,
// to a list of arguments (a first element {mine_function: f}, Salt's alias, is understood), or
// to a map of function, args, kwargs, fact, value, interval and ttl. where names the block in errors.
func Parse(where string, block any) ([]Function, error) {
	switch b := block.(type) {
	case nil:
		return nil, nil
	case []any:
		return parseList(where, b)
	case map[string]any:
		var functions []Function
		for _, name := range slices.Sorted(maps.Keys(b)) {
			f, err := parseOne(where, name, b[name])
			if err != nil {
				return nil, err
			}
			functions = append(functions, f)
		}
		return functions, nil
	}
	return nil, fmt.Errorf("%s: want a list of functions or a map of them, not %T", where, block)
}

func parseList(where string, list []any) ([]Function, error) {
	var functions []Function
	for _, item := range list {
		switch i := item.(type) {
		case string:
			f, err := parseOne(where, i, nil)
			if err != nil {
				return nil, err
			}
			functions = append(functions, f)
		case map[string]any:
			fs, err := Parse(where, i)
			if err != nil {
				return nil, err
			}
			functions = append(functions, fs...)
		default:
			return nil, fmt.Errorf("%s: want the name of a function, not %v", where, item)
		}
	}
	return functions, nil
}

func parseOne(where, name string, spec any) (Function, error) {
	f := Function{Name: name, Interval: DefaultInterval}
	where += ": " + name
	if err := CheckName(name); err != nil {
		return f, fmt.Errorf("%s: %w", where, err)
	}
	var err error
	switch s := spec.(type) {
	case nil:
	case string, int64, float64:
		f.Interval, err = duration(where+": interval", s)
	case []any:
		f.setArgs(s)
	case map[string]any:
		err = f.setAll(where, s)
	default:
		err = fmt.Errorf("%s: want an interval, a list of arguments or a map, not %v", where, spec)
	}
	if err == nil && f.Interval < time.Second {
		err = fmt.Errorf("%s: an interval of %v is too short: use 1s or more", where, f.Interval)
	}
	return f, err
}

func (f *Function) setArgs(args []any) {
	f.Call = f.Name
	for _, a := range args {
		m, ok := a.(map[string]any)
		if !ok {
			f.Args = append(f.Args, a)
			continue
		}
		for k, v := range m {
			if s, ok := v.(string); ok && k == "mine_function" {
				f.Call = s
				continue
			}
			if f.Kwargs == nil {
				f.Kwargs = map[string]any{}
			}
			f.Kwargs[k] = v
		}
	}
}

var keys = []string{"function", "args", "kwargs", "fact", "value", "interval", "ttl"}

func (f *Function) setAll(where string, m map[string]any) error {
	var err error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, ok := m[key], true
		switch key {
		case "function":
			f.Call, ok = v.(string)
		case "args":
			f.Args, ok = v.([]any)
		case "kwargs":
			f.Kwargs, ok = v.(map[string]any)
		case "fact":
			f.Fact, ok = v.(string)
		case "value":
			f.Value = v
		case "interval":
			f.Interval, err = duration(where+": interval", v)
		case "ttl":
			f.TTL, err = duration(where+": ttl", v)
		default:
			return fmt.Errorf("%s: unknown key %q%s: use %s", where, key, config.DidYouMean(key, keys), strings.Join(keys, ", "))
		}
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%s: %s has the wrong type: %v", where, key, v)
		}
	}
	if f.Call == "" && (f.Args != nil || f.Kwargs != nil) {
		f.Call = f.Name
	}
	if f.TTL != 0 && f.TTL < 2*time.Second {
		return fmt.Errorf("%s: a ttl of %v is too short: use 2s or more", where, f.TTL)
	}
	return nil
}

func duration(where string, v any) (time.Duration, error) {
	switch n := v.(type) {
	case int64:
		return time.Duration(n) * time.Second, nil
	case int:
		return time.Duration(n) * time.Second, nil
	case float64:
		return time.Duration(n * float64(time.Second)), nil
	case string:
		if d, err := time.ParseDuration(n); err == nil {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%s: %v is no duration: write 30s, 5m or 1h", where, v)
}

// Merge puts functions together; of those with the same name the later list's stays.
func Merge(lists ...[]Function) []Function {
	byName := map[string]Function{}
	for _, list := range lists {
		for _, f := range list {
			byName[f.Name] = f
		}
	}
	var all []Function
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}
