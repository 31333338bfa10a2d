package states

import (
	"fmt"
	"io"
	"strconv"
)

// WriteText writes the plan's requisites as text: each state in order of execution, and below it what it looks at.
func (p *Plan) WriteText(w io.Writer) error {
	for _, c := range p.order {
		if _, err := fmt.Fprintf(w, "%s (%s)\n", c.label(), c.pos); err != nil {
			return err
		}
		err := c.edges(func(kind kind, target *chunk) error {
			_, err := fmt.Fprintf(w, "  %s %s\n", kind, target.label())
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteDot writes the plan's requisites as a Graphviz graph. An edge points from a state to what it looks at.
func (p *Plan) WriteDot(w io.Writer) error {
	if _, err := fmt.Fprint(w, "digraph states {\n  rankdir=LR;\n  node [shape=box];\n"); err != nil {
		return err
	}
	for _, c := range p.order {
		label := strconv.Quote(c.fn.Name + "\n" + c.id)
		if _, err := fmt.Fprintf(w, "  s%d [label=%s];\n", c.seq, label); err != nil {
			return err
		}
	}
	for _, c := range p.order {
		err := c.edges(func(kind kind, target *chunk) error {
			_, err := fmt.Fprintf(w, "  s%d -> s%d [label=%s];\n", c.seq, target.seq, kind)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(w, "}\n")
	return err
}

// edges calls do for each target of each requisite, once.
func (c *chunk) edges(do func(kind, *chunk) error) error {
	for i := range c.reqs {
		var err error
		seen := map[*chunk]bool{}
		c.reqs[i].each(func(target *chunk) bool {
			if !seen[target] && target.seq != absent {
				seen[target] = true
				err = do(c.reqs[i].kind, target)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
