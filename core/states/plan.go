package states

import (
	"fmt"
	"slices"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
)

// Plan is a compiled run. It is run once.
type Plan struct {
	opts   *Options
	chunks []*chunk // in definition order
	order  []*chunk // in order of execution
	blocks []*block
}

// Len is the number of states.
func (p *Plan) Len() int { return len(p.chunks) }

// High returns the plan as it is written, ids in definition order: a list of {id, sls, file, line, states}, states being
// a mapping of module.function to its arguments.
func (p *Plan) High() []any {
	list := make([]any, 0, len(p.blocks))
	for _, b := range p.blocks {
		functions := map[string]any{}
		for _, d := range b.decls {
			args := make([]any, len(d.args))
			for i, arg := range d.args {
				args[i] = map[string]any{arg.key: arg.value}
			}
			functions[d.module+"."+d.function] = args
		}
		list = append(list, map[string]any{
			"id": b.id, "sls": b.pos.file.sls, "file": b.pos.file.path, "line": int64(b.pos.sourceLine()), "states": functions,
		})
	}
	return list
}

// Low returns the states in the order in which they run one after the other: a list of {id, sls, function, name, args,
// requisites}, requisites being a mapping of the kind to the labels of the states it means.
func (p *Plan) Low() []any {
	list := make([]any, 0, len(p.order))
	for _, c := range p.order {
		args := map[string]any{}
		for key, value := range c.args {
			args[key] = document.Plain(value)
		}
		requisites := map[string]any{}
		for i := range c.reqs {
			var labels []any
			c.reqs[i].each(func(t *chunk) bool {
				labels = append(labels, t.label())
				return true
			})
			requisites[c.reqs[i].kind.String()] = labels
		}
		list = append(list, map[string]any{
			"id": c.id, "sls": c.pos.file.sls, "function": c.fn.Name, "name": c.name, "args": args, "requisites": requisites,
		})
	}
	return list
}

// absent is the place of a state that is not in the plan.
const absent = -1

// Only returns the part of the plan that is the states of one id and what they need. The plan itself is used up.
func (p *Plan) Only(id string) (*Plan, error) {
	keep := map[*chunk]bool{}
	var visit func(*chunk) bool
	visit = func(c *chunk) bool {
		if !keep[c] {
			keep[c] = true
			c.needs(visit)
		}
		return true
	}
	var ids []string
	for _, c := range p.chunks {
		ids = append(ids, c.id)
		if c.id == id {
			visit(c)
		}
	}
	if len(keep) == 0 {
		return nil, fmt.Errorf("there is no id %q in these files%s", id, config.DidYouMean(id, ids))
	}
	part := &Plan{opts: p.opts}
	drop := func(c *chunk) bool { return !keep[c] }
	part.chunks = slices.DeleteFunc(slices.Clone(p.chunks), drop)
	part.order = slices.DeleteFunc(slices.Clone(p.order), drop)
	part.blocks = slices.DeleteFunc(slices.Clone(p.blocks), func(b *block) bool {
		return !slices.ContainsFunc(part.chunks, func(c *chunk) bool { return c.id == b.id })
	})
	for _, c := range p.chunks {
		c.seq = absent
	}
	for i, c := range part.chunks {
		c.seq = i
	}
	return part, nil
}
