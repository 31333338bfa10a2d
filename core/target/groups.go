package target

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/config"
)

// Groups returns the names of the groups the target itself names, sorted.
func (t *Target) Groups() []string {
	var names []string
	t.root.walk(func(e expr) {
		if g, ok := e.(*group); ok {
			names = append(names, g.name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Expand returns the target with every N@group given its meaning: groups maps a name to the text of a target, which may name
// groups in turn. It fails on a group that is not there, one that cannot be read, and one that contains itself.
func (t *Target) Expand(groups map[string]string) (*Target, error) {
	x := expansion{texts: groups, done: map[string]expr{}, sizes: map[string]int{}}
	root, err := x.expand(t.root)
	if err != nil {
		return nil, err
	}
	return &Target{root: root}, nil
}

// In returns the target for a peel of which only this is known: to which groups it belongs, and to which it does not. It
// fails on any other group.
func (t *Target) In(member map[string]bool) (*Target, error) {
	texts := make(map[string]string, len(member))
	for name, yes := range member {
		texts[name] = "not *"
		if yes {
			texts[name] = "*"
		}
	}
	return t.Expand(texts)
}

type expansion struct {
	texts map[string]string
	done  map[string]expr // a group is read once, however often it is named
	sizes map[string]int  // terms in a group, those of groups in it counted as often as they are named
	size  int             // of what is being read
	open  []string        // the groups being read, outermost first
}

// maxTerms bounds what groups of groups can multiply to.
const maxTerms = 1 << 20

func (x *expansion) expand(e expr) (expr, error) {
	switch e := e.(type) {
	case *or:
		kids, err := x.all(e.kids)
		return &or{kids}, err
	case *and:
		kids, err := x.all(e.kids)
		return &and{kids}, err
	case *not:
		kid, err := x.expand(e.kid)
		return &not{kid}, err
	case *group:
		body, err := x.group(e.name)
		return &group{e.name, body}, err
	}
	x.size++
	return e, nil
}

func (x *expansion) all(kids []expr) ([]expr, error) {
	out := make([]expr, len(kids))
	for i, k := range kids {
		var err error
		if out[i], err = x.expand(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *expansion) group(name string) (expr, error) {
	if body, ok := x.done[name]; ok {
		return body, x.grow(name, x.sizes[name])
	}
	if i := slices.Index(x.open, name); i >= 0 {
		return nil, fmt.Errorf("group %q contains itself (%s); break the circle", name, strings.Join(append(x.open[i:], name), " > "))
	}
	text, ok := x.texts[name]
	if !ok {
		return nil, fmt.Errorf("unknown group %q%s", name, x.known(name))
	}
	t, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	outer := x.size
	x.open, x.size = append(x.open, name), 0
	body, err := x.expand(t.root)
	x.open = x.open[:len(x.open)-1]
	if err != nil {
		return nil, err
	}
	x.done[name], x.sizes[name] = body, x.size
	x.size = outer
	return body, x.grow(name, x.sizes[name])
}

func (x *expansion) grow(name string, by int) error {
	if x.size += by; x.size > maxTerms {
		return fmt.Errorf("group %q brings the target to more than %d terms; name fewer groups in groups", name, maxTerms)
	}
	return nil
}

func (x *expansion) known(name string) string {
	if len(x.texts) == 0 {
		return "; none are defined"
	}
	names := slices.Sorted(maps.Keys(x.texts))
	if hint := config.DidYouMean(name, names); hint != "" {
		return hint
	}
	if len(names) > 10 {
		names = append(names[:10], "...")
	}
	return "; there are " + strings.Join(names, ", ")
}
