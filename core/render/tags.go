package render

import (
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// tags are the statements and how each is parsed.
var tags map[string]func(*compiler, *tag) stmt

func init() {
	tags = map[string]func(*compiler, *tag) stmt{
		printTag: parsePrint, "print": parsePrintTag,
		"raw": parseRaw, "if": parseIf, "for": parseFor, "set": parseSet, "with": parseWith,
		"do": parseDo, "break": parseJump, "continue": parseJump,
		"filter": parseFilter, "autoescape": parseAutoescape,
		"macro": parseMacro, "call": parseCall,
		"block": parseBlock, "extends": parseExtends, "include": parseInclude,
		"import": parseImport, "from": parseFrom,
		"load_yaml": parseLoad, "load_json": parseLoad, "load_text": parseLoad,
		"import_yaml": parseImportData, "import_json": parseImportData, "import_text": parseImportData,
		"profile": parseProfile,
	}
}

func parsePrint(_ *compiler, t *tag) stmt {
	if t.is(tokens.BlockEnd) {
		t.fail("expected an expression, got " + repr(t.got()))
	}
	s := &printStmt{pos: int32(t.pos), x: t.tuple(tupleRules{})}
	if !t.is(tokens.BlockEnd) {
		t.fail("expected token 'end of print statement', got " + repr(t.got()))
	}
	return s
}

func parsePrintTag(_ *compiler, t *tag) stmt {
	s := &seqStmt{}
	for !t.is(tokens.BlockEnd) {
		if len(s.body) > 0 {
			t.expect(tokens.Comma)
		}
		s.body = append(s.body, &printStmt{pos: t.pos32(), x: t.expression()})
	}
	return s
}

func parseRaw(_ *compiler, t *tag) stmt {
	t.end()
	body, _ := t.body("endraw")
	return &seqStmt{body: body}
}

func parseIf(c *compiler, t *tag) stmt {
	s := &ifStmt{pos: int32(t.pos)}
	c.soft++
	defer func() { c.soft-- }()
	for at := t; ; {
		s.tests = append(s.tests, at.tuple(tupleRules{noCond: true}))
		at.end()
		body, end := t.body("elif", "else", "endif")
		s.then = append(s.then, body)
		switch end.name {
		case "elif":
			at = end
			continue
		case "else":
			end.end()
			s.else_, end = t.body("endif")
		}
		end.end()
		return s
	}
}

func parseFor(c *compiler, t *tag) stmt {
	s := &forStmt{pos: int32(t.pos), scope: &scope{}, elseScope: &scope{}}
	// The target comes before what it is assigned from, but belongs to the body.
	c.push(s.scope)
	c.inLoop++
	c.fors = append(c.fors, s)
	s.target = t.assignTarget(false)
	c.assigned()
	s.scope.loop = s
	s.loopSlot = s.scope.declare("loop")
	c.pop()
	t.expectName("in")
	s.iterPos = t.pos32()
	s.iter = t.tuple(tupleRules{noCond: true})
	if t.skipName("if") {
		s.testScope = c.push(&scope{slots: map[string]int{}})
		for name := range s.scope.slots {
			if name != "loop" {
				s.testScope.slots[name] = s.scope.slots[name]
			}
		}
		s.testScope.slots[""] = len(s.scope.slots) // as many slots as the body's own
		s.test = t.expression()
		c.pop()
	}
	s.recursive = t.skipName("recursive")
	if s.recursive {
		s.extended = true
	}
	t.end()
	c.loops++
	body, end := t.inner(s.scope, "endfor", "else")
	c.loops--
	s.body = body
	if end.name == "else" {
		end.end()
		s.else_, end = t.inner(s.elseScope, "endfor")
	}
	c.inLoop--
	c.fors = c.fors[:len(c.fors)-1]
	end.end()
	return s
}

func parseSet(c *compiler, t *tag) stmt {
	target := t.assignTarget(true)
	if t.skip(tokens.Assign) {
		s := &setStmt{target: target, x: t.tuple(tupleRules{})}
		t.end()
		c.assigned()
		return s
	}
	c.assigned()
	s := &setBlockStmt{target: target, scope: &scope{}, pos: int32(t.pos)}
	if t.skip(tokens.Pipe) {
		s.filters = t.filterChain()
	}
	t.end()
	s.body, t = t.inner(s.scope, "endset")
	t.end()
	return s
}

func parseWith(c *compiler, t *tag) stmt {
	s := &withStmt{scope: &scope{}}
	for !t.is(tokens.BlockEnd) {
		if len(s.targets) > 0 {
			t.expect(tokens.Comma)
		}
		c.push(s.scope)
		loops := c.inLoop
		c.inLoop = 0 // a variable called loop is nothing special here
		s.targets = append(s.targets, t.assignTarget(false))
		c.inLoop = loops
		c.assigned()
		c.pop()
		t.expect(tokens.Assign)
		s.values = append(s.values, t.expression())
	}
	s.body, t = t.inner(s.scope, "endwith")
	t.end()
	return s
}

func parseDo(_ *compiler, t *tag) stmt {
	s := &doStmt{x: t.tuple(tupleRules{})}
	t.end()
	return s
}

func parseJump(c *compiler, t *tag) stmt {
	t.end()
	if c.loops == 0 {
		failAt(t.pos, repr(t.name)+" outside of a loop")
	}
	if t.name == "break" {
		return &jumpStmt{sig: breakLoop}
	}
	return &jumpStmt{sig: continueLoop}
}

func parseFilter(_ *compiler, t *tag) stmt {
	s := &filterStmt{filters: t.filterChain(), scope: &scope{}}
	t.end()
	s.body, t = t.inner(s.scope, "endfilter")
	t.end()
	return s
}

func parseAutoescape(c *compiler, t *tag) stmt {
	s := &autoescapeStmt{x: t.expression(), scope: &scope{}}
	t.end()
	was := c.autoescape
	if on, ok := s.x.(*literal); ok {
		c.autoescape = truth(on.v)
	}
	s.body, t = t.inner(s.scope, "endautoescape")
	c.autoescape = was
	t.end()
	return s
}

// parseLoad parses {% load_yaml as x %}...{% endload %}.
func parseLoad(c *compiler, t *tag) stmt {
	s := &setBlockStmt{load: strings.TrimPrefix(t.name, "load_"), scope: &scope{}, pos: int32(t.pos)}
	t.expectName("as")
	s.target = t.assignTarget(true)
	t.end()
	c.assigned()
	s.body, t = t.inner(s.scope, "endload")
	t.end()
	return s
}

// parseProfile parses {% profile as 'label' %}...{% endprofile %}: nothing is
// measured, the body is simply rendered.
func parseProfile(_ *compiler, t *tag) stmt {
	t.expectName("as")
	t.expression()
	t.end()
	body, end := t.body("endprofile")
	end.end()
	return &seqStmt{body: body}
}
