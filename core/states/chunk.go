package states

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/document"
)

// chunk is one state to run: a function with its arguments and its place among the others.
type chunk struct {
	id, name         string
	module, function string
	fn               *Function
	pos              pos
	raw              []argument
	args             Args
	control          *control // nil for a state without run control
	saltenv          string   // the environment of its sources, if not that of its file

	seq      int     // of definition
	declared int     // decl.order
	priority float64 // the order argument or seq, decides before seq
	nth      int     // among the names of its declaration, from 1; 0 without names

	reqs []requisite
	// prerequired are the states that run before this one because it would change.
	prerequired []*chunk
	mark        uint8 // of the search for cycles
	flawed      bool  // not all of its arguments could be read
}

// requisite holds the targets of one kind, in groups that several chunks may share.
type requisite struct {
	kind   kind
	groups [][]*chunk
	given  []*chunk // those of the targets that gave the requisite themselves, with an _in form
}

// each calls do for the targets of a requisite until it returns false.
func (r *requisite) each(do func(*chunk) bool) {
	for _, group := range r.groups {
		for _, target := range group {
			if !do(target) {
				return
			}
		}
	}
}

func (c *chunk) requisite(k kind) *requisite {
	for i := range c.reqs {
		if c.reqs[i].kind == k {
			return &c.reqs[i]
		}
	}
	return nil
}

func (c *chunk) addRequisite(k kind, group []*chunk) {
	if r := c.requisite(k); r != nil {
		r.groups = append(r.groups, group)
		return
	}
	c.reqs = append(c.reqs, requisite{kind: k, groups: [][]*chunk{group}})
	slices.SortFunc(c.reqs, func(a, b requisite) int { return int(a.kind) - int(b.kind) })
}

func (c *chunk) label() string { return c.module + ": " + c.id }

func (c *chunk) arg(key string) *argument {
	for i := range c.raw {
		if c.raw[i].key == key {
			return &c.raw[i]
		}
	}
	return nil
}

// expand makes a chunk of each declaration, several where it has names.
func (c *compiler) expand() {
	for _, b := range c.blocks {
		for _, d := range b.decls {
			before, chunks := len(c.errors), len(c.chunks)
			c.expandDecl(b, d)
			if len(c.errors) == before && !d.flawed {
				continue
			}
			c.broken[b.id] = true
			for _, ch := range c.chunks[chunks:] {
				c.broken[ch.name] = true
			}
		}
	}
}

func (c *compiler) expandDecl(b *block, d *decl) {
	fn, err := c.opts.Registry.Lookup(d.module + "." + d.function)
	switch {
	case d.flawed && d.function == "":
		fn = &Function{Name: d.module, Open: true}
	case d.function == "":
		c.failAt(d.pos, "%q does not say which function of %s: write %s.<function>", b.id, d.module, d.module)
		fn = &Function{Name: d.module, Open: true}
	case err != nil:
		c.failAt(d.pos, "%v", err)
		fn = &Function{Name: d.module + "." + d.function, Open: true} // its requisites are looked at all the same
	}
	base := chunk{id: b.id, name: b.id, module: d.module, function: d.function, fn: fn, pos: d.pos, flawed: d.flawed}
	base.pos.file = b.pos.file // an id extended elsewhere still belongs to its own file
	if d.pos.file != b.pos.file {
		base.pos.line = b.pos.line
	}
	var names *argument
	base.raw = make([]argument, 0, len(d.args))
	params := c.paramsOf(fn)
	for _, arg := range d.args {
		switch param := params[arg.key]; {
		case arg.key == "names":
			names = &arg
		case arg.key == "state" && param == nil: // Salt does not pass it on
		case arg.key == "name" && arg.value == nil:
		case arg.key == "name" || param != nil && param.Name == "name":
			name, ok := text(arg.value)
			if !ok || name == "" {
				c.failAt(arg.pos, "%s of %q takes text, not %s", arg.key, b.id, describe(arg.value))
				return
			}
			base.name = name.(string)
		default:
			base.raw = append(base.raw, arg)
		}
	}
	if names == nil {
		c.add(base, d, 0)
		return
	}
	c.expandNames(base, d, names)
}

func (c *compiler) expandNames(base chunk, d *decl, names *argument) {
	list, ok := names.value.([]any)
	if !ok {
		c.failAt(names.pos, "names of %q takes a list, not %s", base.id, describe(names.value))
		return
	}
	if len(list) == 0 {
		c.add(base, d, 0)
	}
	nth, seen := 0, map[string]bool{}
	for _, item := range list {
		each := base
		each.raw = slices.Clone(base.raw)
		m, hasArgs := item.(map[string]any)
		if hasArgs && len(m) == 1 {
			key := sortedKeys(m)[0]
			own, ok := mapping(m[key])
			if m[key] == nil {
				own, ok = map[string]any{}, true
			}
			if !ok {
				c.failAt(names.pos, "names of %q: the arguments of %q are not a list of - name: value", base.id, key)
				return
			}
			overrides := own.(map[string]any)
			for _, k := range sortedKeys(overrides) {
				each.raw = slices.DeleteFunc(each.raw, func(a argument) bool { return a.key == k })
				each.raw = append(each.raw, argument{key: k, value: overrides[k], pos: names.pos})
			}
			item = key
		}
		name, ok := text(item)
		if !ok || name == "" {
			c.failAt(names.pos, "names of %q takes names, not %s", base.id, describe(item))
			return
		}
		each.name = name.(string)
		if seen[each.name] && !hasArgs {
			continue
		}
		seen[each.name] = seen[each.name] || !hasArgs
		nth++
		c.add(each, d, nth)
	}
}

// firstOrder is where Salt begins to count declarations, so that a small order: comes first.
const firstOrder = 10000

// add appends a chunk.
func (c *compiler) add(ch chunk, d *decl, nth int) {
	ch.seq, ch.nth, ch.declared = len(c.chunks), nth, d.order
	ch.priority = firstOrder + float64(d.order) + float64(nth)/1e6
	c.chunks = append(c.chunks, &ch)
}

// inherit applies use and use_in: arguments and run control of the used state that the using one lacks, and that its
// function takes.
func (c *compiler) inherit() {
	var index *index
	for _, user := range c.chunks {
		for _, form := range [...]string{"use", "use_in"} {
			arg := user.arg(form)
			if arg == nil {
				continue
			}
			if index == nil {
				index = newIndex(c)
			}
			list, problem := targets(arg.value)
			if problem != "" {
				c.failAt(arg.pos, "%s of %q %s", form, user.id, problem)
				continue
			}
			for _, t := range list {
				find := index.find
				if form == "use_in" {
					find = index.findIn
				}
				group, problem := find(t, user)
				if problem != "" {
					c.missing(t, arg.entry(t.entry), "%s of %q: %s", form, user.id, problem)
				}
				for _, other := range group {
					if form == "use" {
						c.take(user, other)
					} else {
						c.take(other, user)
					}
				}
			}
		}
	}
}

func (c *compiler) take(into, from *chunk) {
	params := c.paramsOf(into.fn)
	for _, arg := range from.raw {
		if (params[arg.key] != nil || arg.key != "order" && slices.Contains(controlNames, arg.key)) && into.arg(arg.key) == nil {
			into.raw = append(into.raw, arg)
		}
	}
}

// paramsOf is the parameters of a function by name and alias.
func (c *compiler) paramsOf(fn *Function) map[string]*Param {
	if params := c.params[fn]; params != nil {
		return params
	}
	params := map[string]*Param{}
	for i := range fn.Params {
		p := &fn.Params[i]
		params[p.Name] = p
		for _, alias := range p.Aliases {
			params[alias] = p
		}
	}
	c.params[fn] = params
	return params
}

// bind gives each argument to its parameter or to the run control.
func (c *compiler) bind() {
	for _, b := range c.blocks {
		for _, d := range b.decls {
			for i := range d.args {
				d.args[i].node = nil // the chunks have copies
			}
		}
	}
	for _, ch := range c.chunks {
		params := c.paramsOf(ch.fn)
		ch.args = make(Args, len(ch.raw)+1)
		ch.args["name"] = ch.name
		for i := range ch.raw {
			c.bindArg(ch, params, &ch.raw[i])
			ch.raw[i].node = nil
		}
		for i := range ch.fn.Params {
			p := &ch.fn.Params[i]
			if _, given := ch.args[p.Name]; given {
				continue
			}
			if p.Required && !ch.flawed {
				c.failAt(ch.pos, "%s of %q: argument %q is missing", ch.fn.Name, ch.id, p.Name)
			} else if p.Default != nil {
				ch.args[p.Name] = p.Default
			}
		}
	}
}

func (c *compiler) bindArg(ch *chunk, params map[string]*Param, arg *argument) {
	if _, ok := requisiteKey(arg.key); ok {
		return
	}
	param := params[arg.key]
	isControl, problem := ch.setControl(arg, param != nil)
	switch {
	case problem != "":
		c.failAt(arg.pos, "%s of %q %s", arg.key, ch.id, problem)
	case param != nil:
		value := arg.value
		if param.Kind == Text && arg.text != "" {
			value = arg.text
		}
		if param.Ordered && arg.node != nil {
			// It was read once already, without its order, so that it can be read again.
			value, _ = (&document.Reader{}).Value(arg.node)
		}
		v, err := param.Convert(value)
		if err != nil {
			c.failAt(arg.pos, "%s of %q: %v", ch.fn.Name, ch.id, err)
		} else if v == nil && param.Required {
			return
		}
		if _, twice := ch.args[param.Name]; twice {
			c.failAt(arg.pos, "%s of %q: %q is given twice, under another name too", ch.fn.Name, ch.id, param.Name)
			return
		}
		ch.args[param.Name] = v
	case isControl:
	case ch.fn.Open:
		ch.args[arg.key] = arg.value
	default:
		known := slices.Concat(ParamNames(ch.fn.Params), controlNames, slices.Sorted(maps.Keys(requisiteForms)))
		c.failAt(arg.pos, "%s of %q: unknown argument %q%s", ch.fn.Name, ch.id, arg.key, config.DidYouMean(arg.key, known))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 1 {
		for key := range m {
			return []string{key}
		}
	}
	return slices.Sorted(maps.Keys(m))
}

func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// matchGlob is Python's fnmatch: a star also matches slashes.
func matchGlob(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(strings.ReplaceAll(pattern, "[!", "[^"), "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}
