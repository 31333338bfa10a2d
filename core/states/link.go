package states

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
)

// index finds the chunks that a requisite means.
type index struct {
	byName   map[indexKey][]*chunk // by module and name or id
	byID     map[string][]*chunk
	byModule map[string][]*chunk
	bySLS    map[string][]*chunk
	all      []*chunk
	globs    map[string][]*chunk // by the text of the target
	// hints are how many more times the nearest name is looked for: of thousands of mistakes each costs a search.
	hints int
}

type indexKey struct{ module, name string }

func newIndex(c *compiler) *index {
	x := &index{
		byName: make(map[indexKey][]*chunk, 2*len(c.chunks)), byID: make(map[string][]*chunk, len(c.chunks)),
		byModule: map[string][]*chunk{}, bySLS: map[string][]*chunk{}, globs: map[string][]*chunk{}, hints: 50, all: c.chunks,
	}
	for _, doc := range c.docs {
		x.bySLS[doc.file.sls] = nil
	}
	for _, ch := range c.chunks {
		byName := indexKey{ch.module, ch.name}
		x.byName[byName] = append(x.byName[byName], ch)
		if ch.id != ch.name {
			byName.name = ch.id
			x.byName[byName] = append(x.byName[byName], ch)
		}
		x.byID[ch.id] = append(x.byID[ch.id], ch)
		x.byModule[ch.module] = append(x.byModule[ch.module], ch)
		x.bySLS[ch.pos.file.sls] = append(x.bySLS[ch.pos.file.sls], ch)
	}
	return x
}

// find returns the chunks a target means, or what is wrong with it. A glob never means the state that uses it.
func (x *index) find(t target, from *chunk) ([]*chunk, string) {
	group, ok := x.exact(t)
	if !ok && isGlob(t.name) {
		group, ok = x.glob(t)
		if slices.Contains(group, from) {
			group = slices.DeleteFunc(slices.Clone(group), func(c *chunk) bool { return c == from })
		}
	}
	if !ok {
		hint := ""
		if x.hints > 0 {
			x.hints--
			hint = config.DidYouMean(t.name, x.names(t))
		}
		return nil, "there is no state \"" + t.String() + "\"" + hint
	}
	return group, ""
}

func (x *index) exact(t target) ([]*chunk, bool) {
	switch t.module {
	case "":
		group, ok := x.byID[t.name]
		return group, ok
	case "sls":
		group, ok := x.bySLS[t.name]
		return group, ok
	}
	group, ok := x.byName[indexKey{t.module, t.name}]
	return narrow(group, t.function), ok
}

// narrow keeps the states of the function that a target names; Salt looks at the module alone, so where no state
// has the function all are meant.
func narrow(group []*chunk, function string) []*chunk {
	if function == "" {
		return group
	}
	var out []*chunk
	for _, c := range group {
		if c.function == function {
			out = append(out, c)
		}
	}
	if out == nil {
		return group
	}
	return out
}

func (x *index) glob(t target) ([]*chunk, bool) {
	if group, known := x.globs[t.String()]; known {
		return group, group != nil
	}
	from := x.all
	if t.module != "" && t.module != "sls" {
		from = x.byModule[t.module]
	}
	var group []*chunk
	for _, c := range from {
		if t.module == "sls" && matchGlob(t.name, c.pos.file.sls) ||
			t.module != "sls" && (matchGlob(t.name, c.id) || t.module != "" && matchGlob(t.name, c.name)) {
			group = append(group, c)
		}
	}
	group = narrow(group, t.function)
	x.globs[t.String()] = group
	return group, group != nil
}

// names lists what a target of that module could have meant.
func (x *index) names(t target) []string {
	if t.module == "sls" {
		return sortedKeys(x.bySLS)
	}
	from := x.all
	if t.module != "" {
		from = x.byModule[t.module]
	}
	var names []string
	for _, c := range from {
		names = append(names, c.id)
		if c.name != c.id && t.module != "" {
			names = append(names, c.name)
		}
	}
	return names
}

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
				group, problem := x.find(t, ch)
				if problem != "" {
					if !c.excused(t) {
						c.failAt(arg.entry(t.entry), "%s of %q: %s", arg.key, ch.id, problem)
					}
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

// excused reports whether a target is missing only because of another mistake.
func (c *compiler) excused(t target) bool { return c.lost || c.broken[t.name] }

const (
	unvisited uint8 = iota
	visiting
	done
)

// sort puts the chunks in order of execution: by order, then definition, and after what they need. States of the same
// order: run in the order of the alphabet, as in Salt.
func (c *compiler) sort() []*chunk {
	byPriority := slices.Clone(c.chunks)
	slices.SortStableFunc(byPriority, func(a, b *chunk) int {
		if d := cmp.Compare(a.priority, b.priority); d != 0 {
			return d
		}
		return strings.Compare(a.module+a.name+a.function, b.module+b.name+b.function)
	})
	for i, ch := range byPriority {
		ch.seq = i
	}
	c.chunks = byPriority
	s := sorter{c: c, order: make([]*chunk, 0, len(c.chunks))}
	for _, ch := range byPriority {
		if !s.visit(ch) {
			return nil
		}
	}
	return s.order
}

type sorter struct {
	c     *compiler
	order []*chunk
	path  []*chunk
}

// visit places what ch needs and then ch. It returns false, having reported it, at a cycle.
func (s *sorter) visit(ch *chunk) bool {
	switch ch.mark {
	case done:
		return true
	case visiting:
		s.cycle(ch)
		return false
	}
	ch.mark = visiting
	s.path = append(s.path, ch)
	ok := true
	ch.needs(func(other *chunk) bool {
		ok = s.visit(other)
		return ok
	})
	if !ok {
		return false
	}
	s.path = s.path[:len(s.path)-1]
	ch.mark = done
	s.order = append(s.order, ch)
	return true
}

// needs calls do for every chunk that must have run before this one, until do returns false.
func (c *chunk) needs(do func(*chunk) bool) {
	more := true
	visit := func(other *chunk) bool {
		more = do(other)
		return more
	}
	for i := range c.reqs {
		switch c.reqs[i].kind {
		case listen:
			continue
		case prereq:
			seen := map[*chunk]bool{c: true}
			c.reqs[i].each(func(t *chunk) bool { return t.foreseen(seen, visit) })
		default:
			c.reqs[i].each(visit)
		}
		if !more {
			return
		}
	}
	for _, other := range c.prerequired {
		if !do(other) {
			return
		}
	}
}

// foreseen calls do for what must have run for it to be known what c would do, until do returns false: what c needs itself,
// and what those need that decide as prereq whether it runs.
func (c *chunk) foreseen(seen map[*chunk]bool, do func(*chunk) bool) bool {
	if seen[c] {
		return true
	}
	seen[c] = true
	more := true
	for i := range c.reqs {
		switch c.reqs[i].kind {
		case listen:
		case prereq:
			c.reqs[i].each(func(t *chunk) bool {
				more = t.foreseen(seen, do)
				return more
			})
		default:
			c.reqs[i].each(func(t *chunk) bool {
				more = seen[t] || do(t)
				return more
			})
		}
		if !more {
			return false
		}
	}
	return true
}

func (s *sorter) cycle(ch *chunk) {
	from := slices.Index(s.path, ch)
	var steps []string
	for _, step := range append(slices.Clone(s.path[from:]), ch) {
		steps = append(steps, step.label()+" ("+step.pos.String()+")")
	}
	s.c.failAt(ch.pos, "states that need each other: %s", strings.Join(steps, " -> "))
}
