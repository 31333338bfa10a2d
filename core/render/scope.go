package render

// scope is a region of the source with variables of its own: a frame at run time.
// The outermost region has none: its variables live in the context.
type scope struct {
	outer    *scope
	slots    map[string]int
	loop     *forStmt // the loop whose body this is
	captured bool     // a macro or call block closes over it
	block    bool     // a block: what is around it does not count
	first    map[string]use
	soft     int // branches around it
}

// use is how a region first deals with a name. Where that is an assignment made in
// any case, Jinja2 gives the name to the region: what is nested in it sees nothing
// else under that name, not even before the assignment.
type use int

const (
	reads use = iota + 1
	mayAssign
	assigns
)

func (s *scope) note(name string, u use) {
	if s.first == nil {
		s.first = map[string]use{}
	}
	if s.first[name] == 0 {
		s.first[name] = u
	}
}

// owns tells whether a name is the region's alone; root is the outermost region.
func (s *scope) owns(name string, root *scope) bool {
	if s.first[name] != assigns {
		return false
	}
	for at := s; at != root; at = at.outer {
		if at.block {
			return true
		}
		if at.outer == nil {
			return root.first[name] == 0
		}
		if at.outer.first[name] != 0 {
			return false
		}
	}
	return true
}

func (s *scope) declare(name string) int {
	if i, ok := s.slots[name]; ok {
		return i
	}
	if s.slots == nil {
		s.slots = map[string]int{}
	}
	s.slots[name] = len(s.slots)
	return len(s.slots) - 1
}

func (c *compiler) here() *scope {
	if c.scope == nil {
		return &c.root
	}
	return c.scope
}

// inBranch tells whether what is parsed may never be reached within its region.
func (c *compiler) inBranch() bool { return c.soft > c.here().soft }

// assigned notes the names the tag assigns, once it no longer reads any.
func (c *compiler) assigned() {
	s := c.here()
	for _, name := range c.stores {
		if c.soft > s.soft {
			s.note(name, mayAssign)
		} else {
			s.note(name, assigns)
		}
	}
	c.stores = c.stores[:0]
}

func (c *compiler) resolve() {
	for _, n := range c.names {
		hops, inBlock := 0, false
		for s := n.at; s != nil && !n.sealed; s = s.outer {
			if slot, ok := s.slots[n.name]; ok {
				n.refs = append(n.refs, ref{hops, slot})
			}
			hops++
			inBlock = inBlock || s.block
			n.sealed = s != n.at && s.owns(n.name, &c.root)
		}
		n.exported = n.at != nil && !inBlock && c.root.owns(n.name, &c.root)
		n.at = nil
	}
}
