package states

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/document"
)

// gap is a file whose states are not known: it is not there, or has mistakes.
type gap struct {
	sls  string
	file *slsFile // nil for one that is not there
	// parts are the texts in what was left out of a file that could be read otherwise; nil where that is all of it.
	parts map[string]bool
}

func (c *compiler) lose(sls string, file *slsFile) {
	c.gaps = append(c.gaps, gap{sls: sls, file: file})
}

// maxParts bounds what aliases of aliases can multiply to.
const maxParts = 1 << 16

// drop keeps the texts of what is left out.
func (p *parser) drop(nodes ...*yaml.Node) {
	for _, node := range nodes {
		if p.visited++; p.visited > maxParts {
			return
		}
		node = document.Resolve(node)
		if p.parts == nil {
			p.parts = map[string]bool{}
		}
		if node.Kind == yaml.ScalarNode {
			p.parts[node.Value] = true
		}
		p.drop(node.Content...)
	}
}

// missing reports a target that is not there, unless that may be only because of another mistake.
func (c *compiler) missing(t target, at pos, format string, args ...any) {
	switch {
	case c.broken[t.name]:
	case c.lint == nil && c.unsure(t):
	case c.lint != nil && (c.lint.loose || c.unsure(t)):
		c.lint.doubts = append(c.lint.doubts, doubt{target: t, err: at.errorf(format, args...)})
	default:
		c.failAt(at, format, args...)
	}
}

// unsure reports whether a target may be in a file that has mistakes, or in one that it includes.
func (c *compiler) unsure(t target) bool {
	return slices.ContainsFunc(c.gaps, func(g gap) bool { return g.parts == nil || g.mayHave(t) })
}

// mayInclude reports whether an SLS file stands in what a file may include.
func (g *gap) mayInclude(sls string) bool {
	if g.file == nil || g.parts != nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(g.file.source, "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		item, isItem := strings.CutPrefix(line, "- ")
		return isItem && strings.HasSuffix(sls, strings.Trim(item, `"' .`)) || strings.HasPrefix(line, "include:") && strings.Contains(line, sls)
	})
}

// mayHave reports whether a state of that name can be in a file that has mistakes, as far as its text shows.
func (g *gap) mayHave(t target) bool {
	switch {
	case t.module == "sls":
		return t.name == g.sls || matchGlob(t.name, g.sls)
	case g.file == nil:
		return false
	case isGlob(t.name):
		return true
	case g.parts != nil:
		return g.parts[t.name]
	case g.file.rendered != "":
		return strings.Contains(g.file.rendered, t.name)
	case strings.Contains(g.file.source, t.name):
		return true
	}
	return slices.ContainsFunc(strings.Split(g.file.source, "\n"), func(line string) bool { return namesByTemplate(line, t.name) })
}

var substituted = regexp.MustCompile(`\{\{.*?(\}\}|$)`)

// namesByTemplate reports whether a line of a template can give a state that name: as an id, as name: or in a list of names.
func namesByTemplate(line, name string) bool {
	line = strings.TrimSpace(line)
	if tag, ok := strings.CutPrefix(line, "{%"); ok {
		tag = strings.TrimLeft(tag, "-+ ")
		return strings.HasPrefix(tag, "include ") || strings.HasPrefix(tag, "call ")
	}
	item, isItem := strings.CutPrefix(substituted.ReplaceAllString(line, "*"), "- ")
	key, value, isPair := strings.Cut(item+" ", ": ")
	switch {
	case isPair && key == "name":
		item = value
	case isPair && isItem && !strings.Contains(key, "*"):
		return false // an argument
	case isPair:
		item = key
	}
	return strings.Contains(item, "*") && matchGlob(strings.Trim(item, `"' `), name)
}
