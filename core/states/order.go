package states

import (
	"cmp"
	"slices"
	"strings"
)

// beyond is how far behind the last number order: last is, as in Salt.
const beyond = 1000000

// setOrders reads the order arguments. What they say beside plain numbers is told from the largest number that is
// there: last and negative ones are counted from far behind it, and none at all is right behind it.
func (c *compiler) setOrders() {
	end := 0.0
	for _, ch := range c.chunks {
		arg := ch.arg("order")
		if arg == nil {
			continue
		}
		if n, ok := arg.value.(int64); ok && n >= 0 {
			ch.priority = float64(n)
		} else {
			if end == 0 {
				end = c.end()
			}
			if problem := ch.setOrder(arg.value, end); problem != "" {
				c.failAt(arg.pos, "order of %q %s", ch.id, problem)
			}
		}
		ch.priority += float64(ch.nth) / 1e4
	}
}

func (c *chunk) setOrder(value any, end float64) string {
	n, ok := Number.convert(value)
	switch {
	case value == nil:
		c.priority = end
	case value == "first":
		c.priority = 0
	case value == "last":
		c.priority = end + beyond
	case ok:
		if c.priority = n.(float64); c.priority < 0 {
			c.priority += end + beyond
		}
	default:
		return "takes a number, first or last, not " + describe(value)
	}
	return ""
}

// end is Salt's idea of a number behind all others: it looks at them file by file, the including one first, and now and
// then goes a hundred further.
func (c *compiler) end() float64 {
	written := slices.Clone(c.chunks)
	slices.SortStableFunc(written, func(a, b *chunk) int {
		return cmp.Compare(c.files[a.pos.file.place()], c.files[b.pos.file.place()])
	})
	end := int64(1)
	for _, ch := range written {
		order := int64(firstOrder) + int64(ch.declared)
		if arg := ch.arg("order"); arg != nil {
			order, _ = arg.value.(int64)
		}
		if order > 0 && order > end-1 {
			end = order + 100
		}
	}
	return float64(end)
}

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
		s.visit(ch)
	}
	return s.order
}

type sorter struct {
	c        *compiler
	order    []*chunk
	path     []*chunk
	reported map[*chunk]bool // states of cycles
}

// visit places what ch needs and then ch. A cycle is reported, and then taken as if its last requisite were not there.
func (s *sorter) visit(ch *chunk) {
	switch ch.mark {
	case done:
		return
	case visiting:
		s.cycle(ch)
		return
	}
	ch.mark = visiting
	s.path = append(s.path, ch)
	ch.needs(func(other *chunk) bool {
		s.visit(other)
		return true
	})
	s.path = s.path[:len(s.path)-1]
	ch.mark = done
	s.order = append(s.order, ch)
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
				more = do(t)
				return more
			})
		}
		if !more {
			return false
		}
	}
	return true
}

// cycle reports what leads from ch to itself, unless it meets a cycle that is reported: breaking that may be enough.
func (s *sorter) cycle(ch *chunk) {
	path := s.path[slices.Index(s.path, ch):]
	if slices.ContainsFunc(path, func(c *chunk) bool { return s.reported[c] }) {
		return
	}
	if s.reported == nil {
		s.reported = map[*chunk]bool{}
	}
	for _, c := range path {
		s.reported[c] = true
	}
	var steps []string
	for _, step := range append(slices.Clone(path), ch) {
		steps = append(steps, step.label()+" ("+step.pos.String()+")")
	}
	s.c.failAt(ch.pos, "states that need each other: %s", strings.Join(steps, " -> "))
}
