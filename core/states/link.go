package states

// link turns the requisites of every chunk, and their _in forms, into pointers.
func (c *compiler) link() {
	var x *index
	for _, ch := range c.chunks {
		var self []*chunk
		for i := range ch.raw {
			arg := &ch.raw[i]
			form, ok := requisiteKey(arg.key)
			if !ok || form.kind == use || arg.value == nil {
				continue
			}
			list, problem := targets(arg.value)
			if problem != "" {
				c.failAt(arg.pos, "%s of %q %s", arg.key, ch.id, problem)
				continue
			}
			if x == nil {
				x = newIndex(c)
			}
			for _, t := range list {
				find := x.find
				if form.reverse {
					find = x.findIn
				}
				group, problem := find(t, ch)
				if problem != "" {
					c.missing(t, arg.entry(t.entry), "%s of %q: %s", arg.key, ch.id, problem)
					continue
				}
				if !form.reverse {
					ch.addRequisite(form.kind, group)
					continue
				}
				if self == nil {
					self = []*chunk{ch}
				}
				for _, other := range group {
					other.addRequisite(form.kind, self)
					r := other.requisite(form.kind)
					r.given = append(r.given, ch)
				}
			}
		}
	}
	for _, ch := range c.chunks {
		if r := ch.requisite(prereq); r != nil {
			r.each(func(t *chunk) bool {
				t.prerequired = append(t.prerequired, ch)
				return true
			})
		}
	}
}
