package states

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
)

// argument is one `- key: value` as written.
type argument struct {
	key   string
	value any
	pos   pos
	// text is a number with a fraction as it is written: 1.10 is the text "1.10".
	text string
	// node is what a mapping was read from, for parameters that keep its order; gone once the arguments are bound.
	node *yaml.Node
	// lines are those of the entries of a requisite's list.
	lines []int
}

// entry is the place of the nth entry of a list.
func (a *argument) entry(n int) pos {
	if n < len(a.lines) {
		return pos{a.pos.file, a.lines[n]}
	}
	return a.pos
}

// decl is one module under an id: module, function and arguments.
type decl struct {
	module, function string
	args             []argument
	pos              pos
	order            int // of declaration over the whole compile
	// dotted says that the function was written with the module, and at how many arguments come before it.
	dotted bool
	at     int
	flawed bool // some arguments could not be read
}

func (d *decl) arg(key string) *argument {
	for i := range d.args {
		if d.args[i].key == key {
			return &d.args[i]
		}
	}
	return nil
}

// block is one id with what is declared under it.
type block struct {
	id    string
	pos   pos
	decls []*decl
}

func (b *block) decl(module string) *decl {
	for _, d := range b.decls {
		if d.module == module {
			return d
		}
	}
	return nil
}

// include is one line of include:.
type include struct {
	env string // empty for that of the file
	sls string
	pos pos
}

// exclusion leaves out an id or an SLS file.
type exclusion struct {
	id, sls string
	pos     pos
}

// content is what an SLS file holds.
type content struct {
	file     *slsFile
	includes []include
	excludes []exclusion
	blocks   []*block
	extends  []*block
	lost     map[string]bool // texts of what had to be left out, nil for all
}

// parser collects every mistake of a file.
type parser struct {
	document.Reader
	file    *slsFile
	errors  []*Error
	parts   map[string]bool // texts of what was left out
	visited int             // nodes of it
}

func (p *parser) fail(line int, format string, args ...any) {
	p.errors = append(p.errors, pos{p.file, line}.errorf(format, args...))
}

// report turns an error of the YAML reader into one of the file.
func (p *parser) report(err error) {
	if problem, ok := err.(*document.Error); ok {
		p.fail(problem.Line, "%v%s", problem.Err, p.file.context(problem.Line))
		return
	}
	p.errors = append(p.errors, pos{file: p.file}.errorf("%v", err))
}

// pairs is Reader.Pairs, but that keys which cannot be are reported and left out.
func (p *parser) pairs(node *yaml.Node, do func(key string, keyNode, value *yaml.Node) error) error {
	begun := false
	err := p.Pairs(node, func(key string, keyNode, value *yaml.Node) error {
		begun = true
		return do(key, keyNode, value)
	})
	if err == nil || begun {
		return err
	}
	sound := *node
	sound.Content = nil
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := document.Resolve(node.Content[i])
		line, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			p.report(document.Errorf(key, "a list or mapping cannot be a key: is it a template expression without quotes?"))
		case twice && key.Tag != "!!merge":
			p.report(document.Errorf(key, "%q is there twice, first on line %d", key.Value, line))
			p.drop(node.Content[i+1])
		default:
			seen[key.Value] = key.Line
			sound.Content = append(sound.Content, node.Content[i], node.Content[i+1])
		}
	}
	if len(sound.Content) == len(node.Content) {
		return err
	}
	return p.Pairs(&sound, do)
}

func (f *slsFile) content() (*content, []*Error) {
	doc := &content{file: f}
	p := &parser{file: f, parts: map[string]bool{}}
	if f.root == nil {
		return doc, nil
	}
	includes := true // are known
	err := p.pairs(f.root, func(key string, keyNode, value *yaml.Node) error {
		switch {
		case strings.HasPrefix(key, "__"):
		case key == "include":
			before := len(p.errors)
			p.includes(doc, value)
			includes = len(p.errors) == before
		case key == "exclude":
			p.excludes(doc, value)
		case key == "extend":
			doc.extends = p.extends(value)
		default:
			if b := p.block(key, keyNode, value); b != nil {
				doc.blocks = append(doc.blocks, b)
			} else {
				p.drop(keyNode, value)
			}
		}
		return nil
	})
	if err != nil {
		p.report(err)
	}
	if err == nil && includes {
		doc.lost = p.parts
	}
	return doc, p.errors
}

func (p *parser) includes(doc *content, node *yaml.Node) {
	node = document.Resolve(node)
	if node.Kind != yaml.SequenceNode {
		p.fail(node.Line, "include takes a list of SLS names, not %s", document.Describe(node))
		return
	}
	for _, item := range node.Content {
		item = document.Resolve(item)
		env := ""
		if item.Kind == yaml.MappingNode && len(item.Content) == 2 { // - dev: name
			env = document.Resolve(item.Content[0]).Value
			item = document.Resolve(item.Content[1])
		}
		if item.Kind != yaml.ScalarNode || item.Value == "" {
			p.fail(item.Line, "include takes a list of SLS names, not %s", document.Describe(item))
			continue
		}
		doc.includes = append(doc.includes, include{env, item.Value, pos{p.file, item.Line}})
	}
}

func (p *parser) excludes(doc *content, node *yaml.Node) {
	node = document.Resolve(node)
	if node.Kind != yaml.SequenceNode {
		p.fail(node.Line, "exclude takes a list of SLS names, - sls: and - id:, not %s", document.Describe(node))
		return
	}
	for _, item := range node.Content {
		item = document.Resolve(item)
		out := exclusion{pos: pos{p.file, item.Line}}
		switch {
		case item.Kind == yaml.ScalarNode:
			out.sls = item.Value
		case item.Kind == yaml.MappingNode && len(item.Content) == 2 && item.Content[0].Value == "id":
			out.id = document.Resolve(item.Content[1]).Value
		case item.Kind == yaml.MappingNode && len(item.Content) == 2 && item.Content[0].Value == "sls":
			out.sls = document.Resolve(item.Content[1]).Value
		}
		if out.id == "" && out.sls == "" {
			p.fail(item.Line, "exclude takes a list of SLS names, - sls: and - id:, not %s", document.Describe(item))
			continue
		}
		doc.excludes = append(doc.excludes, out)
	}
}

func (p *parser) extends(node *yaml.Node) []*block {
	node = document.Resolve(node)
	if node.Kind != yaml.MappingNode {
		p.fail(node.Line, "extend takes a mapping of ids, not %s", document.Describe(node))
		return nil
	}
	var out []*block
	err := p.pairs(node, func(key string, keyNode, value *yaml.Node) error {
		if b := p.block(key, keyNode, value); b != nil {
			out = append(out, b)
		}
		return nil
	})
	if err != nil {
		p.report(err)
	}
	return out
}

// block reads what stands under an id.
func (p *parser) block(id string, keyNode, node *yaml.Node) *block {
	b := &block{id: id, pos: pos{p.file, keyNode.Line}}
	node = document.Resolve(node)
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!str" && strings.Contains(node.Value, "."):
		module, function, _ := strings.Cut(node.Value, ".")
		b.decls = append(b.decls, &decl{module: module, function: function, pos: pos{p.file, node.Line}})
		return b
	case node.Kind != yaml.MappingNode:
		p.fail(keyNode.Line, "%q needs a function, as in file.managed:, under it, not %s", id, document.Describe(node))
		return nil
	}
	err := p.pairs(node, func(key string, keyNode, value *yaml.Node) error {
		if strings.HasPrefix(key, "__") {
			return nil
		}
		d := p.decl(id, key, keyNode, value)
		if d == nil {
			p.drop(keyNode, value)
			return nil
		}
		if other := b.decl(d.module); other != nil {
			p.fail(keyNode.Line, "%q declares %s twice, as %s.%s too: give each an id of its own", id, d.module, other.module, other.function)
			p.drop(keyNode, value)
			return nil
		}
		b.decls = append(b.decls, d)
		return nil
	})
	if err != nil {
		p.report(err)
		return nil
	}
	// Salt takes the dot out of a key and puts what it makes of it behind those that have none.
	slices.SortStableFunc(b.decls, func(a, b *decl) int { return cmp.Compare(a.rank(), b.rank()) })
	return b
}

func (d *decl) rank() int {
	if d.dotted {
		return 1
	}
	return 0
}

func (p *parser) decl(id, key string, keyNode, node *yaml.Node) *decl {
	d := &decl{pos: pos{p.file, keyNode.Line}}
	d.module, d.function, d.dotted = strings.Cut(key, ".")
	node = document.Resolve(node)
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return d
	case node.Kind != yaml.SequenceNode:
		p.fail(keyNode.Line, "the arguments of %s under %q are not a list: write each as - name: value", key, id)
		return nil
	}
	d.args = make([]argument, 0, len(node.Content))
	for _, item := range node.Content {
		item = document.Resolve(item)
		switch item.Kind {
		case yaml.ScalarNode:
			if d.function != "" || item.Tag != "!!str" || strings.ContainsAny(item.Value, " .:") {
				p.fail(item.Line, "%q under %s of %q is not an argument: write - name: value", item.Value, key, id)
				d.flawed = true
				continue
			}
			d.function, d.at = item.Value, len(d.args)
		case yaml.MappingNode:
			d.flawed = !p.arguments(d, id, item) || d.flawed
		default:
			p.fail(item.Line, "an argument of %s under %q is a list: write - name: value", key, id)
			d.flawed = true
		}
	}
	return d
}

func (p *parser) arguments(d *decl, id string, node *yaml.Node) bool {
	err := p.Pairs(node, func(key string, keyNode, value *yaml.Node) error {
		v, err := p.Plain(value)
		if err != nil {
			return err
		}
		if old := d.arg(key); old != nil {
			// Requisites given in two lists are all meant; anything else given twice is a mistake.
			list, isList := v.([]any)
			before, wasList := old.value.([]any)
			if _, ok := requisiteKey(key); !ok || !isList || !wasList {
				return document.Errorf(keyNode, "argument %q of %s.%s under %q is given twice, first on line %d", key, d.module, d.function, id, old.pos.sourceLine())
			}
			old.value = slices.Concat(before, list)
			old.lines = append(old.lines, entryLines(value)...)
			return nil
		}
		arg := argument{key: key, value: v, pos: pos{p.file, keyNode.Line}}
		if _, ok := requisiteKey(key); ok {
			arg.lines = entryLines(value)
		}
		switch v.(type) {
		case float64:
			arg.text = document.Resolve(value).Value
		case map[string]any, []any:
			arg.node = value
		}
		d.args = append(d.args, arg)
		return nil
	})
	if err != nil {
		p.report(err)
		return false
	}
	return true
}

func entryLines(node *yaml.Node) []int {
	node = document.Resolve(node)
	if node.Kind != yaml.SequenceNode {
		return nil
	}
	lines := make([]int, len(node.Content))
	for i, item := range node.Content {
		lines[i] = item.Line
	}
	return lines
}
