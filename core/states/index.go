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
	byID     map[string][]*chunk   // and by name
	byModule map[string][]*chunk
	bySLS    map[string][]*chunk
	included map[string][]string // the SLS files that an SLS file includes
	closures map[string]*closure // by the name of an SLS file or a glob
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
		included: c.included, closures: map[string]*closure{},
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
			x.byID[ch.name] = append(x.byID[ch.name], ch)
		}
		x.byID[ch.id] = append(x.byID[ch.id], ch)
		x.byModule[ch.module] = append(x.byModule[ch.module], ch)
		x.bySLS[ch.pos.file.sls] = append(x.bySLS[ch.pos.file.sls], ch)
	}
	return x
}

// find returns the chunks a target means, or what is wrong with it. A glob never means the state that uses it.
func (x *index) find(t target, from *chunk) ([]*chunk, string) {
	if t.module == "sls" {
		if group, ok := x.files(t.name, from); ok {
			return group, ""
		}
		return nil, x.missing(t)
	}
	group, ok := x.exact(t)
	if !ok && isGlob(t.name) {
		group, ok = x.glob(t)
		if slices.Contains(group, from) {
			group = slices.DeleteFunc(slices.Clone(group), func(c *chunk) bool { return c == from })
		}
	}
	if !ok {
		return nil, x.missing(t)
	}
	return group, ""
}

// findIn returns the chunks that a target of an _in form means: of an SLS file those that are written in it, and of an id
// that is given without a module those of its first module, as in Salt.
func (x *index) findIn(t target, from *chunk) ([]*chunk, string) {
	if group, ok := x.bySLS[t.name]; t.module == "sls" && ok {
		return group, ""
	}
	group, problem := x.find(t, from)
	if t.module != "" {
		return group, problem
	}
	of := slices.IndexFunc(group, func(c *chunk) bool { return c.id == t.name })
	if of < 0 {
		return group, problem
	}
	return slices.DeleteFunc(slices.Clone(group), func(c *chunk) bool { return c.id != t.name || c.module != group[of].module }), problem
}

// missing says that a target is not there.
func (x *index) missing(t target) string {
	hint := ""
	if x.hints > 0 {
		x.hints--
		hint = config.DidYouMean(t.name, x.names(t))
	}
	return "there is no state \"" + t.String() + "\"" + hint
}

func (x *index) exact(t target) ([]*chunk, bool) {
	if t.module == "" {
		group, ok := x.byID[t.name]
		return group, ok
	}
	group, ok := x.byName[indexKey{t.module, t.name}]
	return narrow(group, t.function), ok
}

// closure is the states of SLS files and of those that they include.
type closure struct {
	files  map[string]bool
	chunks []*chunk
}

// files returns the states of an SLS file and of the files that it includes, or of all files that a glob matches, if there
// are any or not. What a state's own file has by way of another's include is left out: it cannot wait for itself.
func (x *index) files(name string, from *chunk) ([]*chunk, bool) {
	own := from.pos.file.sls
	sls := strings.ReplaceAll(name, "/", ".")
	if _, ok := x.bySLS[sls]; !ok && !isGlob(name) {
		return nil, false
	}
	all := x.closures[name]
	if all == nil {
		all = &closure{files: map[string]bool{}}
		if _, ok := x.bySLS[sls]; ok {
			x.enclose(all, sls)
		} else {
			for _, file := range sortedKeys(x.bySLS) {
				if matchGlob(name, file) {
					x.enclose(all, file)
				}
			}
		}
		slices.SortStableFunc(all.chunks, func(a, b *chunk) int { return cmp.Compare(a.priority, b.priority) })
		x.closures[name] = all
	}
	if sls == own || !all.files[own] {
		return all.chunks, true
	}
	return slices.DeleteFunc(slices.Clone(all.chunks), func(c *chunk) bool { return c.pos.file.sls == own }), true
}

func (x *index) enclose(into *closure, sls string) {
	if into.files[sls] {
		return
	}
	into.files[sls] = true
	into.chunks = append(into.chunks, x.bySLS[sls]...)
	for _, file := range x.included[sls] {
		x.enclose(into, file)
	}
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
	if t.module != "" {
		from = x.byModule[t.module]
	}
	var group []*chunk
	for _, c := range from {
		if matchGlob(t.name, c.id) || matchGlob(t.name, c.name) {
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
