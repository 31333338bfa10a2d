package render

import "slices"

// globals are the names every template knows.
var globals map[string]any

func init() {
	globals = map[string]any{}
	for name, fn := range map[string]func(*frame, args) any{
		"range": rangeOf, "dict": dictOf, "odict": dictOf, "namespace": namespaceOf,
		"cycler": cyclerOf, "joiner": joinerOf, "raise": raise, "lipsum": lipsum, "ifelse": ifElse,
		"show_full_context": showFullContext,
	} {
		globals[name] = &builtin{name, fn}
	}
}

// maxRange is the sandbox's limit on ranges.
const maxRange = 100_000

func rangeOf(_ *frame, a args) any {
	a.noKeywords("range")
	n := make([]int64, len(a.pos))
	for i, v := range a.pos {
		n[i] = int64(wantInt(v))
	}
	r := &rangeValue{step: 1}
	switch len(n) {
	case 1:
		r.stop = n[0]
	case 2:
		r.start, r.stop = n[0], n[1]
	case 3:
		r.start, r.stop, r.step = n[0], n[1], n[2]
		if r.step == 0 {
			throw("ValueError", "range() arg 3 must not be zero")
		}
	default:
		throw("TypeError", "range expected 1 to 3 arguments, got %d", len(n))
	}
	if r.len() > maxRange {
		throw("OverflowError", "range too big: the sandbox blocks ranges larger than %d", maxRange)
	}
	return r
}

// dictOf is dict(mapping or pairs, key=value...).
func dictOf(_ *frame, a args) any {
	d := &Dict{}
	if len(a.pos) > 1 {
		throw("TypeError", "dict expected at most 1 argument, got %d", len(a.pos))
	}
	if len(a.pos) == 1 {
		updateDict(d, a.pos[0])
	}
	for _, k := range a.kw {
		d.put(k.name, k.val)
	}
	return d
}

// updateDict is d.update(v): v is a mapping or a sequence of pairs.
func updateDict(d *Dict, v any) {
	switch v := v.(type) {
	case *undefined:
		v.fail()
	case *Dict:
		d.merge(v)
		return
	case *lookupValue:
		if o, ok := v.dict(); ok {
			d.merge(o)
			return
		}
	}
	it := mustIter(v)
	for i := 0; ; i++ {
		x, ok := it.next()
		if !ok {
			return
		}
		pairIt := iterOf(x)
		if pairIt == nil {
			throw("TypeError", "cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		pair := drain(pairIt)
		if len(pair) != 2 {
			throw("ValueError", "dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
		}
		d.put(pair[0], pair[1])
	}
}

func namespaceOf(f *frame, a args) any {
	return &namespace{dictOf(f, a).(*Dict)}
}

// cycler goes round its items.
type cycler struct {
	items []any
	i     int
}

func (*cycler) typeName() string { return "Cycler" }

func cyclerOf(_ *frame, a args) any {
	if len(a.pos) == 0 {
		throw("RuntimeError", "at least one item has to be provided")
	}
	return &cycler{items: slices.Clone(a.pos)}
}

func (c *cycler) attr(_ *frame, name string) (any, bool) {
	switch name {
	case "current":
		return c.items[c.i], true
	case "items":
		return &Tuple{items: c.items}, true
	case "pos":
		return int64(c.i), true
	case "next":
		return &builtin{"next", func(_ *frame, a args) any {
			a.none("next")
			v := c.items[c.i]
			c.i = (c.i + 1) % len(c.items)
			return v
		}}, true
	case "reset":
		return &builtin{"reset", func(_ *frame, a args) any {
			a.none("reset")
			c.i = 0
			return nil
		}}, true
	}
	return nil, false
}

// joiner is empty the first time it is called and its separator ever after.
type joiner struct {
	sep  any
	used bool
}

func (*joiner) typeName() string { return "Joiner" }

func joinerOf(_ *frame, a args) any {
	b := a.bind("joiner", 0, "sep")
	return &joiner{sep: or(b[0], ", ")}
}

func (j *joiner) attr(_ *frame, name string) (any, bool) {
	switch name {
	case "sep":
		return j.sep, true
	case "used":
		return j.used, true
	}
	return nil, false
}

func (j *joiner) call(_ *frame, a args) any {
	a.none("joiner")
	if !j.used {
		j.used = true
		return ""
	}
	return j.sep
}

func raise(_ *frame, a args) any {
	b := a.bind("raise", 1, "msg")
	throw("TemplateError", "%s", str(b[0]))
	return nil
}

// showFullContext is Salt's help for debugging: every variable that is data.
func showFullContext(f *frame, a args) any {
	a.none("show_full_context")
	names := make([]string, 0, len(f.r.vars))
	for name := range f.r.vars {
		names = append(names, name)
	}
	slices.Sort(names)
	d := &Dict{}
	for _, name := range names {
		v, _ := f.r.variable(name)
		switch v.(type) {
		case *lookupValue, callable:
			continue
		}
		d.put(name, v)
	}
	set := make([]string, 0, len(f.env.ctx.vars))
	for name, v := range f.env.ctx.vars {
		if _, ok := v.(object); !ok {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	for _, name := range set {
		d.put(name, f.env.ctx.vars[name])
	}
	return d
}

// ifElse is Salt's ifelse(condition, value, ..., default) over conditions
// already evaluated.
func ifElse(_ *frame, a args) any {
	pos := a.pos
	for len(pos) > 1 {
		if truth(pos[0]) {
			return pos[1]
		}
		pos = pos[2:]
	}
	if len(pos) == 1 {
		return pos[0]
	}
	return nil
}
