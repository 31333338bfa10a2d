package states

import "github.com/ptorbus/zester/core/document"

// Resolved returns the states in the order in which they run one after the other: a list of {id, sls, function, name, args,
// requisites}, requisites being a mapping of the kind to the labels of the states it means.
func (p *Plan) Resolved() []any {
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
