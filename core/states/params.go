package states

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/document"
)

// Kind is the type a Param takes.
type Kind uint8

const (
	// Any takes every value.
	Any Kind = iota
	// Text takes strings, and numbers as they are written.
	Text
	// Bool takes booleans and the words true and false.
	Bool
	// Int takes whole numbers, also as text.
	Int
	// Number takes numbers, also as text.
	Number
	// List takes lists; a single text is a list of one.
	List
	// Map takes mappings; a list of one-key mappings is one too.
	Map
)

func (k Kind) String() string {
	return [...]string{"any value", "text", "true or false", "a whole number", "a number", "a list", "a mapping"}[k]
}

// Param is an argument of a function.
type Param struct {
	Name string
	// Aliases are other names for it; the Args hold it under Name.
	Aliases []string
	Kind    Kind
	// Ordered parameters of kind Map hold a *document.Map, in the order in which it is written; those of kind Any hold
	// what they are given, with a *document.Map for each mapping.
	Ordered  bool
	Required bool
	Default  any
	Doc      string
}

// Args are the arguments of a call, converted to their Param's kind.
type Args map[string]any

// Has reports whether the argument was given and is not null.
func (a Args) Has(name string) bool { return a[name] != nil }

// Text returns the argument, or "".
func (a Args) Text(name string) string { s, _ := a[name].(string); return s }

// Bool returns the argument, or false.
func (a Args) Bool(name string) bool { b, _ := a[name].(bool); return b }

// Int returns the argument, or 0.
func (a Args) Int(name string) int64 { n, _ := a[name].(int64); return n }

// Number returns the argument, or 0.
func (a Args) Number(name string) float64 { n, _ := a[name].(float64); return n }

// List returns the argument, or nil.
func (a Args) List(name string) []any { l, _ := a[name].([]any); return l }

// Map returns the argument, or nil.
func (a Args) Map(name string) map[string]any { m, _ := a[name].(map[string]any); return m }

// Ordered returns the argument of an Ordered parameter, or nil.
func (a Args) Ordered(name string) *document.Map { m, _ := a[name].(*document.Map); return m }

// Strings returns the argument, a list, as text.
func (a Args) Strings(name string) []string {
	list := a.List(name)
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}

// FindParam returns the parameter of that name or alias.
func FindParam(params []Param, name string) (*Param, bool) {
	for i := range params {
		p := &params[i]
		if p.Name == name {
			return p, true
		}
		for _, alias := range p.Aliases {
			if alias == name {
				return p, true
			}
		}
	}
	return nil, false
}

// ParamNames lists the names and aliases of params, for suggestions.
func ParamNames(params []Param) []string {
	var names []string
	for _, p := range params {
		names = append(append(names, p.Name), p.Aliases...)
	}
	return names
}

// Convert returns v as the parameter's kind. Null stays null: the argument counts as not given.
func (p *Param) Convert(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if p.Ordered && p.Kind == Any {
		return document.Ordered(v), nil
	}
	if p.Ordered {
		if m, ok := orderedMapping(document.Ordered(v)); ok {
			return m, nil
		}
	} else if out, ok := p.Kind.convert(v); ok {
		return out, nil
	}
	return nil, fmt.Errorf("argument %q takes %s, not %s", p.Name, p.Kind, describe(v))
}

func (k Kind) convert(v any) (any, bool) {
	switch k {
	case Text:
		return text(v)
	case Bool:
		return boolean(v)
	case Int:
		switch v := v.(type) {
		case int64:
			return v, true
		case float64:
			return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
		case string:
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
		return nil, false
	case Number:
		switch v := v.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		case string:
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return n, err == nil
		}
		return nil, false
	case List:
		switch v := v.(type) {
		case []any:
			return v, true
		case string:
			return []any{v}, true
		}
		return nil, false
	case Map:
		return mapping(v)
	}
	return v, true
}

func text(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return nil, false
}

func boolean(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch strings.ToLower(v) {
		case "true", "yes", "on":
			return true, true
		case "false", "no", "off":
			return false, true
		}
	}
	return nil, false
}

// mapping accepts the list of one-key mappings that Salt users write for context, defaults and env.
func mapping(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case []any:
		out := map[string]any{}
		for _, item := range v {
			m, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			for key, value := range m {
				out[key] = value
			}
		}
		return out, true
	}
	return nil, false
}

// orderedMapping is mapping for data in order.
func orderedMapping(v any) (*document.Map, bool) {
	switch v := v.(type) {
	case *document.Map:
		return v, true
	case []any:
		all := document.NewMap(len(v))
		for _, item := range v {
			m, ok := item.(*document.Map)
			if !ok {
				return nil, false
			}
			for key, value := range m.All() {
				all.Set(key, value)
			}
		}
		return all, true
	}
	return nil, false
}

// describe names a value in an error: its kind and, where it is short, its text.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 60 {
			v = v[:60] + "…"
		}
		return strconv.Quote(v)
	case bool, int64, float64:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("%T", v)
}
