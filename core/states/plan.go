package states

import (
	"fmt"
	"math"
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

// High returns the plan as it is written, in the form of Salt's high data: ids in definition order, each a mapping of its
// modules to a list of arguments with the function's name and the order, and of __sls__ and __env__. What extend: changes
// is in its place already.
func (p *Plan) High() *document.Map {
	high := document.NewMap(len(p.blocks))
	for _, b := range p.blocks {
		block := document.NewMap(len(b.decls) + 2)
		for _, d := range b.decls {
			list := make([]any, 0, len(d.args)+2)
			for _, arg := range d.args {
				list = append(list, pair(arg.key, arg.value))
			}
			if d.dotted {
				list = append(list, d.function)
			} else {
				list = slices.Insert(list, d.at, any(d.function))
			}
			if d.arg("order") == nil {
				list = append(list, pair("order", int64(firstOrder+d.order)))
			}
			block.Set(d.module, list)
		}
		block.Set("__sls__", b.pos.file.sls)
		block.Set("__env__", b.pos.file.env)
		high.Set(b.id, block)
	}
	return high
}

func pair(key string, value any) *document.Map {
	m := document.NewMap(1)
	m.Set(key, document.Ordered(value))
	return m
}

// Low returns the states in the order in which they run one after the other, in the form of Salt's low data: mappings of
// state (the module), fun, name, __id__, __sls__, __env__, order and the arguments as they are written. The requisites of
// a state are its own and those that others give it with _in forms.
func (p *Plan) Low() []any {
	list := make([]any, 0, len(p.order))
	for _, c := range p.order {
		low := document.NewMap(len(c.raw) + 7)
		for _, own := range []struct{ key, value string }{
			{"state", c.module}, {"name", c.name}, {"__sls__", c.pos.file.sls}, {"__env__", c.pos.file.env}, {"__id__", c.id},
		} {
			low.Set(own.key, own.value)
		}
		low.Set("order", c.order())
		for _, arg := range c.raw {
			if arg.key != "order" {
				low.Set(arg.key, document.Ordered(arg.value))
			}
		}
		for i := range c.reqs {
			r := &c.reqs[i]
			if r.kind == listen {
				continue
			}
			written, _ := low.Get(r.kind.String())
			entries, _ := written.([]any)
			entries = slices.Clip(entries)
			for _, from := range r.given {
				entries = append(entries, pair(from.module, from.id))
			}
			if len(r.given) > 0 {
				low.Set(r.kind.String(), entries)
			}
		}
		low.Set("fun", c.function)
		list = append(list, low)
	}
	return list
}

// order is the state's place as Salt counts it: whole, or with a fraction for one of several names.
func (c *chunk) order() any {
	switch {
	case c.nth > 0 && c.arg("order") == nil:
		return math.Floor(c.priority) + float64(c.nth)/1e4
	case c.priority == math.Trunc(c.priority):
		return int64(c.priority)
	}
	return c.priority
}

// SLS lists the SLS files that states come from, in the order in which they are read.
func (p *Plan) SLS() []string {
	var names []string
	seen := map[string]bool{}
	for _, b := range p.blocks {
		if name := b.pos.file.sls; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// Has reports whether an id is in the plan.
func (p *Plan) Has(id string) bool {
	return slices.ContainsFunc(p.blocks, func(b *block) bool { return b.id == id })
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
