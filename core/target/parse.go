package target

import (
	"fmt"
	"unicode/utf8"
)

// Limits on what Parse accepts. A list of every id in a large fleet fits.
const (
	maxText  = 4 << 20
	maxDepth = 100
)

// Parse reads a target. The error is an *Error.
func Parse(text string) (*Target, error) {
	if len(text) > maxText {
		return nil, &Error{Target: text[:100], Char: maxText + 1, Msg: fmt.Sprintf("a target can have %d bytes, this one has %d", maxText, len(text))}
	}
	p := parser{s: scanner{text: text}}
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return nil, p.fault(i, "expected UTF-8")
			}
		}
	}
	root := p.or(0)
	if p.s.blanks(); p.err == nil && p.s.pos < len(text) {
		// or stops early at a closing parenthesis only
		p.fail(p.s.pos, `")" without "("`)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Target{root: root}, nil
}

// parser keeps the first error; after it, what the methods return does not matter.
type parser struct {
	s   scanner
	err *Error
}

func (p *parser) fault(at int, msg string) *Error {
	return &Error{Target: p.s.text, Char: utf8.RuneCountInString(p.s.text[:at]) + 1, Msg: msg}
}

func (p *parser) fail(at int, msg string) {
	if p.err == nil {
		p.err = p.fault(at, msg)
	}
}

// or reads terms joined by "or", up to the end or a closing parenthesis.
func (p *parser) or(depth int) expr {
	var kids []expr
	for p.err == nil {
		switch e := p.and(depth).(type) {
		case *or:
			kids = append(kids, e.kids...)
		default:
			kids = append(kids, e)
		}
		if !p.next("or") {
			break
		}
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return &or{kids}
}

func (p *parser) and(depth int) expr {
	var kids []expr
	for p.err == nil {
		switch e := p.not(depth).(type) {
		case *and:
			kids = append(kids, e.kids...)
		default:
			kids = append(kids, e)
		}
		if !p.next("and") {
			break
		}
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return &and{kids}
}

// next takes the operator if it comes next. What else can follow a term is decided here, so that the error is about the first of two
// terms side by side.
func (p *parser) next(want string) bool {
	p.s.blanks()
	at := p.s.pos
	switch op := p.s.operator(); {
	case p.err != nil || at == len(p.s.text):
		return false
	case op == want:
		return true
	case op == "" || op == "(" || op == "not":
		p.fail(at, `expected "and" or "or" between two targets`)
	}
	p.s.pos = at
	return false
}

func (p *parser) not(depth int) expr {
	p.s.blanks()
	at := p.s.pos
	if depth > maxDepth {
		p.fail(at, fmt.Sprintf("nested deeper than %d", maxDepth))
		return nil
	}
	switch op := p.s.operator(); op {
	case "not":
		return &not{p.not(depth + 1)}
	case "(":
		e := p.or(depth + 1)
		if p.s.blanks(); p.err == nil && p.s.operator() != ")" {
			p.fail(at, `"(" without ")"`)
		}
		return e
	case "":
		if at == len(p.s.text) {
			p.fail(at, "expected a target, such as web-*, G@os:debian or L@web-01,web-02")
			return nil
		}
		return p.term()
	default:
		p.fail(at, fmt.Sprintf("expected a target before %q", op))
		return nil
	}
}
