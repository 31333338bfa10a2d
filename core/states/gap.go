package states

import (
	"regexp"
	"slices"
	"strings"
)

// gap is a file whose states are not known: it is not there, or has mistakes.
type gap struct {
	sls  string
	from *slsFile // that includes it, if any
	file *slsFile // nil for one that is not there
}

func (c *compiler) lose(sls string, from pos, file *slsFile) {
	c.gaps = append(c.gaps, gap{sls: sls, from: from.file, file: file})
}

// missing reports a target that is not there, unless that may be only because of another mistake.
func (c *compiler) missing(t target, in *slsFile, at pos, format string, args ...any) {
	switch {
	case c.broken[t.name]:
	case c.lint == nil && len(c.gaps) > 0:
	case c.lint != nil && (c.lint.loose || len(c.gaps) > 0):
		if !c.includesGap(in.sls) {
			c.lint.doubts = append(c.lint.doubts, doubt{target: t, err: at.errorf(format, args...)})
		}
	default:
		c.failAt(at, format, args...)
	}
}

// includesGap reports whether an SLS file includes, itself or by way of others, one that is not there.
func (c *compiler) includesGap(sls string) bool {
	var absent []string
	for _, g := range c.gaps {
		if g.file == nil && g.from != nil {
			absent = append(absent, g.from.sls)
		}
	}
	seen := map[string]bool{}
	var includes func(string) bool
	includes = func(sls string) bool {
		if seen[sls] {
			return false
		}
		seen[sls] = true
		return slices.Contains(absent, sls) || slices.ContainsFunc(c.included[sls], includes)
	}
	return len(absent) > 0 && includes(sls)
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
