package render

type forStmt struct {
	node
	pos, iterPos int32
	target       target
	iter, test   expr
	scope        *scope
	testScope    *scope
	elseScope    *scope
	loopSlot     int
	extended     bool // the body looks at loop
	recursive    bool
	body, else_  []stmt
}

func (s *forStmt) exec(f *frame) signal {
	return s.loop(f, s.iter.eval(f), 0)
}

// loop runs the body for each element of v. What it returns comes from the else
// part, whose break and continue belong to the loop around this one.
func (s *forStmt) loop(f *frame, v any, depth int) signal {
	f.r.pos = s.iterPos
	it := iterOf(v)
	if it == nil {
		throw("TypeError", "'%s' object is not iterable", typeName(v))
	}
	if s.test != nil {
		it = s.filtered(f, it)
	}
	in := f.child(s.scope)
	var loop *loopValue
	if s.extended {
		loop = &loopValue{stmt: s, frame: f, it: it, src: v, count: -1, depth0: depth, index: 0}
		if s.test != nil {
			loop.src = nil
		}
		it = loop
	}
	ran := false
	for first := true; ; first = false {
		x, ok := it.next()
		if !ok {
			break
		}
		f.r.step()
		if !first {
			if s.scope.captured {
				in = f.child(s.scope)
			} else {
				in.reset(s.scope)
			}
		}
		if loop != nil {
			in.slots[s.loopSlot] = loop
		}
		s.target.assign(in, x)
		switch in.run(s.body) {
		case breakLoop:
			if !ran {
				break // an else of a loop left early still runs, as in Jinja2
			}
			return goOn
		case goOn:
			ran = true
			continue
		default:
			continue
		}
		break
	}
	if !ran && s.else_ != nil {
		return f.child(s.elseScope).run(s.else_)
	}
	return goOn
}

// filtered passes on the elements for which the loop's condition holds.
func (s *forStmt) filtered(f *frame, it iterator) iterator {
	return iterFunc(func() (any, bool) {
		for {
			x, ok := it.next()
			if !ok {
				return nil, false
			}
			f.r.step()
			in := f.child(s.testScope)
			s.target.assign(in, x)
			if truth(s.test.eval(in)) {
				return x, true
			}
		}
	})
}

// loopValue is the variable loop.
type loopValue struct {
	stmt    *forStmt
	frame   *frame
	it      iterator
	src     any   // what is iterated, where its length can be asked
	ahead   []any // elements drawn but not yet reached
	index   int   // 1-based
	count   int   // -1 until it is known
	depth0  int
	current any
	before  any
	last    []any // what changed() saw
}

func (*loopValue) typeName() string { return "LoopContext" }

func (l *loopValue) next() (any, bool) {
	var x any
	if len(l.ahead) > 0 {
		x, l.ahead = l.ahead[0], l.ahead[1:]
	} else {
		var ok bool
		if x, ok = l.it.next(); !ok {
			return nil, false
		}
	}
	l.index++
	l.before, l.current = l.current, x
	return x, true
}

func (l *loopValue) peek() (any, bool) {
	if len(l.ahead) == 0 {
		x, ok := l.it.next()
		if !ok {
			return nil, false
		}
		l.ahead = append(l.ahead, x)
	}
	return l.ahead[0], true
}

func (l *loopValue) length() int {
	if l.count < 0 {
		switch l.src.(type) {
		case *List, *Tuple, *Dict, *rangeValue, string, *view:
			l.count, _ = length(l.src)
		default:
			l.ahead = append(l.ahead, drain(l.it)...)
			l.count = l.index + len(l.ahead)
		}
	}
	return l.count
}

func (l *loopValue) attr(f *frame, name string) (any, bool) {
	switch name {
	case "index":
		return int64(l.index), true
	case "index0":
		return int64(l.index - 1), true
	case "revindex":
		return int64(l.length() - l.index + 1), true
	case "revindex0":
		return int64(l.length() - l.index), true
	case "first":
		return l.index == 1, true
	case "last":
		_, more := l.peek()
		return !more, true
	case "length":
		return int64(l.length()), true
	case "depth":
		return int64(l.depth0 + 1), true
	case "depth0":
		return int64(l.depth0), true
	case "previtem":
		if l.index < 2 {
			return f.r.undefinedHint("there is no previous item"), true
		}
		return l.before, true
	case "nextitem":
		if x, ok := l.peek(); ok {
			return x, true
		}
		return f.r.undefinedHint("there is no next item"), true
	case "cycle":
		return &builtin{"cycle", l.cycle}, true
	case "changed":
		return &builtin{"changed", l.changed}, true
	}
	return nil, false
}

func (l *loopValue) cycle(_ *frame, a args) any {
	if len(a.pos) == 0 {
		throw("TypeError", "no items for cycling given")
	}
	return a.pos[(l.index-1)%len(a.pos)]
}

func (l *loopValue) changed(_ *frame, a args) any {
	a.noKeywords("changed")
	if l.last != nil && equalItems(l.last, a.pos, 0) {
		return false
	}
	l.last = append(make([]any, 0, len(a.pos)+1), a.pos...)
	return true
}

// call renders the loop for what is nested in an element: loop(x.children).
func (l *loopValue) call(f *frame, a args) any {
	if !l.stmt.recursive {
		throw("TypeError", "the loop must have the 'recursive' marker to be called recursively")
	}
	b := a.bind("loop", 1, "iterable")
	var out string
	f.r.visit(f.env, "loop called from", func() {
		out = f.r.capture(func() { l.stmt.loop(l.frame, b[0], l.depth0+1) })
	})
	return out
}
