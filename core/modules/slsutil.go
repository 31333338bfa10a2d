package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// registerMerge adds the functions of slsutil and defaults, with which formulas lay mappings over one another.
func registerMerge(r *Registry) {
	lists := Param{Name: "merge_lists", Kind: states.Bool, Default: false, Doc: "append what a list does not have instead of replacing it"}
	inPlace := Param{Name: "in_place", Kind: states.Bool, Default: true, Doc: "change the first mapping, which a template then sees"}
	convert := Param{Name: "convert_none", Kind: states.Bool, Default: true, Doc: "take null for an empty mapping"}
	strategy := []Param{
		{Name: "strategy", Kind: states.Text, Default: "smart", Doc: "smart and recurse (the same), overwrite, list, none"},
		{Name: "renderer", Kind: states.Text, Default: "yaml", Doc: "as Salt takes it"}, lists,
	}
	r.Register(
		&Function{Name: "slsutil.merge", Doc: "Return one mapping laid over another.", Run: slsMerge, ordered: true, Params: append([]Param{
			{Name: "obj_a", Required: true, Ordered: true, Doc: "the mapping below"},
			{Name: "obj_b", Required: true, Ordered: true, Doc: "the mapping on top"},
		}, strategy...)},
		&Function{Name: "slsutil.merge_all", Doc: "Return mappings laid over one another, the last on top.", Run: slsMergeAll, ordered: true,
			Params: append([]Param{{Name: "lst", Kind: states.List, Required: true, Doc: "the mappings"}}, strategy...)},
		&Function{Name: "slsutil.update", Doc: "Lay a mapping over another, which a template sees changed, and return that.", ordered: true,
			Params: []Param{
				{Name: "dest", Required: true, Ordered: true, Doc: "the mapping to change"},
				{Name: "upd", Required: true, Ordered: true, Doc: "the mapping on top"},
				{Name: "recursive_update", Kind: states.Bool, Default: true, Doc: "merge mappings inside too"}, lists,
			},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				update := overlay{lists: args.Bool("merge_lists"), flat: !args.Bool("recursive_update")}
				return args["dest"], named("slsutil.update", update.onto(args["dest"], args["upd"]))
			}},
		&Function{Name: "slsutil.boolstr", Doc: "Return one text for what is true and another for what is not.", ordered: true,
			Params: []Param{
				{Name: "value", Doc: "any value"},
				{Name: "true", Default: "true", Doc: "what to return for a true one"},
				{Name: "false", Default: "false", Doc: "what to return for a false one"},
			},
			Run: func(_ context.Context, _ *Env, args Args) (any, error) {
				if truthy(args["value"]) {
					return args["true"], nil
				}
				return args["false"], nil
			}},
		&Function{Name: "defaults.merge", Doc: "Lay a mapping over another, which a template sees changed, and return that.", Run: defaultsMerge, ordered: true,
			Params: []Param{
				{Name: "dest", Ordered: true, Doc: "the mapping to change"},
				{Name: "src", Ordered: true, Doc: "the mapping on top"}, lists, inPlace, convert,
			}},
		&Function{Name: "defaults.update", Doc: "Lay each value of a mapping over defaults.", Run: defaultsUpdate, ordered: true,
			Params: []Param{
				{Name: "dest", Ordered: true, Doc: "the mapping whose values are given defaults"},
				{Name: "defaults", Ordered: true, Doc: "the defaults"},
				{Name: "merge_lists", Kind: states.Bool, Default: true, Doc: lists.Doc}, inPlace, convert,
			}},
		&Function{Name: "defaults.deepcopy", Doc: "Return a copy that shares nothing with the original.", ordered: true,
			Params: []Param{{Name: "source", Ordered: true, Doc: "what to copy"}},
			Run:    defaultsDeepcopy},
	)
}

// changesFirst names the functions that change the mapping that they are given first.
func changesFirst(name string) bool {
	return name == "slsutil.update" || name == "defaults.merge" || name == "defaults.update"
}

func named(function string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	return nil
}

// anyKeys is a template's mapping with keys that are not text: it is handed on, and not merged.
type anyKeys struct {
	dict         *render.Dict
	keys, values []any
}

var errAnyKeys = errors.New("a mapping with keys that are not text cannot be merged or copied here; use update() of the mapping")

// overlay lays mappings over one another as Salt's dictupdate does.
type overlay struct {
	lists bool // append what a list does not have
	flat  bool // replace mappings inside
}

// onto changes dest.
func (o overlay) onto(dest, upd any) error {
	for _, v := range []any{dest, upd} {
		if _, ok := v.(*anyKeys); ok {
			return errAnyKeys
		}
	}
	below, ok := dest.(*settings.Map)
	above, both := upd.(*settings.Map)
	if !ok || !both {
		return errors.New("only mappings can be merged")
	}
	if below == above {
		return nil
	}
	for key, value := range above.All() {
		old, _ := below.Get(key)
		if isMapping(old) && isMapping(value) && !o.flat {
			if err := o.onto(old, value); err != nil {
				return err
			}
			continue
		}
		if oldList, ok := old.([]any); ok && o.lists && !o.flat {
			if list, ok := value.([]any); ok {
				value = extend(oldList, list)
			}
		}
		below.Set(key, value)
	}
	return nil
}

// over returns a copy of base with upd on top.
func (o overlay) over(base, upd any) (any, error) {
	merged := deepCopy(base)
	return merged, o.onto(merged, upd)
}

func isMapping(v any) bool {
	switch v.(type) {
	case *settings.Map, *anyKeys:
		return true
	}
	return false
}

// extend returns a new list: the first, and what it does not have of the second.
func extend(base, more []any) []any {
	out := append(make([]any, 0, len(base)+len(more)), base...)
	for _, v := range more {
		found := false
		for _, have := range out {
			if found = same(have, v); found {
				break
			}
		}
		if !found {
			out = append(out, v)
		}
	}
	return out
}

// same is Python's ==: 1, 1.0 and true are one value, and the order of a mapping does not count.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case *settings.Map:
		b, ok := b.(*settings.Map)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for key, v := range a.All() {
			if w, ok := b.Get(key); !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// truthy is what Python's if takes for true.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	case *settings.Map:
		return v.Len() > 0
	}
	n, ok := number(v)
	return !ok || n != 0
}

// deepCopy copies mappings and lists; mappings with keys that are not text stay the template's own.
func deepCopy(v any) any {
	switch d := v.(type) {
	case *settings.Map:
		m := settings.NewMap(d.Len())
		for key, e := range d.All() {
			m.Set(key, deepCopy(e))
		}
		return m
	case []any:
		list := make([]any, len(d))
		for i, e := range d {
			list[i] = deepCopy(e)
		}
		return list
	}
	return v
}

// hasAnyKeys reports whether there is a mapping with keys that are not text at any depth.
func hasAnyKeys(v any) bool {
	switch d := v.(type) {
	case *anyKeys:
		return true
	case *settings.Map:
		for _, e := range d.All() {
			if hasAnyKeys(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(d, hasAnyKeys)
	}
	return false
}

func defaultsDeepcopy(_ context.Context, _ *Env, args Args) (any, error) {
	if hasAnyKeys(args["source"]) {
		return nil, named("defaults.deepcopy", errAnyKeys)
	}
	return deepCopy(args["source"]), nil
}

func slsMerge(_ context.Context, _ *Env, args Args) (any, error) {
	merged, err := mergeBy(args["obj_a"], args["obj_b"], args)
	return merged, named("slsutil.merge", err)
}

func slsMergeAll(_ context.Context, _ *Env, args Args) (any, error) {
	var merged any = settings.NewMap(0)
	for _, next := range args.List("lst") {
		if m, ok := next.(map[string]any); ok {
			next = settings.FromPlain(m)
		}
		var err error
		if merged, err = mergeBy(merged, next, args); err != nil {
			return nil, named("slsutil.merge_all", err)
		}
	}
	return merged, nil
}

func mergeBy(a, b any, args Args) (any, error) {
	strategy, lists := args.Text("strategy"), args.Bool("merge_lists")
	if strategy == "smart" && strings.Contains(args.Text("renderer"), "yamlex") {
		strategy = "aggregate"
	}
	switch strategy {
	case "smart", "recurse", "none":
		return overlay{lists: lists && strategy != "none"}.over(a, b)
	case "overwrite":
		return overlay{flat: true}.over(a, b)
	case "list":
		return pairUp(a, b)
	case "aggregate":
		return nil, errors.New(`strategy "aggregate" belongs to Salt's yamlex renderer, which there is not here; use "recurse" with merge_lists=True`)
	}
	known := []string{"smart", "recurse", "overwrite", "list", "none"}
	return nil, fmt.Errorf("unknown strategy %q%s", strategy, config.DidYouMean(strategy, known))
}

// pairUp keeps the keys of a; those that b has too get a list of both values.
func pairUp(a, b any) (any, error) {
	below, ok := a.(*settings.Map)
	above, both := b.(*settings.Map)
	if !ok || !both {
		return nil, errors.New(`strategy "list" takes two mappings with keys that are text`)
	}
	out := settings.NewMap(below.Len())
	for key, value := range below.All() {
		if other, ok := above.Get(key); ok {
			value = []any{value, other}
		}
		out.Set(key, value)
	}
	return out, nil
}

func defaultsMerge(_ context.Context, _ *Env, args Args) (any, error) {
	dest, src := args["dest"], args["src"]
	if args.Bool("convert_none") {
		if dest == nil && args.Bool("in_place") {
			return nil, errors.New("defaults.merge: dest is null and cannot be changed in place; give a mapping, or in_place=False")
		}
		dest, src = orEmpty(dest), orEmpty(src)
	}
	merge := overlay{lists: args.Bool("merge_lists")}
	if !args.Bool("in_place") {
		merged, err := merge.over(dest, src)
		return merged, named("defaults.merge", err)
	}
	return dest, named("defaults.merge", merge.onto(dest, src))
}

func defaultsUpdate(_ context.Context, _ *Env, args Args) (any, error) {
	dest, base := args["dest"], args["defaults"]
	if dest == nil && args.Bool("in_place") {
		return nil, errors.New("defaults.update: dest is null and cannot be changed in place; give a mapping, or in_place=False")
	}
	if args.Bool("convert_none") {
		dest, base = orEmpty(dest), orEmpty(base)
	}
	if !args.Bool("in_place") {
		dest = deepCopy(dest)
	}
	nodes, ok := dest.(*settings.Map)
	if !ok {
		return nil, errors.New("defaults.update: dest takes a mapping with keys that are text")
	}
	for name, node := range nodes.All() {
		if args.Bool("convert_none") {
			node = orEmpty(node)
		}
		merged, err := overlay{lists: args.Bool("merge_lists")}.over(base, node)
		if err != nil {
			return nil, fmt.Errorf("defaults.update: %q: %w", name, err)
		}
		nodes.Set(name, merged)
	}
	return nodes, nil
}

func orEmpty(v any) any {
	if v == nil {
		return settings.NewMap(0)
	}
	return v
}
