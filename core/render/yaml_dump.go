package render

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"

	"github.com/ptorbus/zester/core/document"
)

// yamlEmitter writes YAML as PyYAML does: sorted keys, lines broken after 80
// columns, lists flush with the key they are under.
type yamlEmitter struct {
	b          []byte
	column     int
	indent     int // -1 at the root
	flow       bool
	flowLevel  int
	whitespace bool
	indention  bool
	mapping    bool // the node being written is a mapping's
	anchors    map[any]int
	next       int
	written    map[any]bool
}

const yamlWidth = 80

// dumpYAML is yaml.safe_dump without the end of the document.
func dumpYAML(v any, flow bool) string {
	e := &yamlEmitter{indent: -1, flow: flow, whitespace: true, indention: true, anchors: map[any]int{}, written: map[any]bool{}}
	e.count(v, map[any]int{}, 0)
	e.node(v, false, 0)
	return string(e.b)
}

// count finds the containers that occur more than once: they get an anchor.
func (e *yamlEmitter) count(v any, seen map[any]int, depth int) {
	if depth > maxNesting {
		tooDeep()
	}
	switch v := v.(type) {
	case *List:
		if seen[v]++; seen[v] == 1 {
			for _, x := range v.items {
				e.count(x, seen, depth+1)
			}
		}
	case *Tuple:
		if len(v.items) == 0 {
			return
		}
		if seen[v]++; seen[v] == 1 {
			for _, x := range v.items {
				e.count(x, seen, depth+1)
			}
		}
	case *Dict:
		if seen[v]++; seen[v] == 1 {
			for _, k := range yamlKeys(v) {
				x, _ := v.get(k)
				e.count(k, seen, depth+1)
				e.count(x, seen, depth+1)
			}
		}
	default:
		return
	}
	if seen[v] == 2 {
		e.anchors[v] = 0
	}
}

// yamlKeys are a dict's keys sorted, or as they are where they cannot be.
func yamlKeys(d *Dict) []any {
	keys := d.keys()
	for i, k := range keys {
		if i > 0 && (isNumber(k) != isNumber(keys[0]) || !isNumber(k) && typeName(k) != typeName(keys[0])) {
			return keys
		}
		if k == nil {
			return keys
		}
	}
	sortItems(keys, nil, false)
	return keys
}

func (e *yamlEmitter) write(s string) {
	e.b = append(e.b, s...)
	e.column += runeLen(s)
	checkText(len(e.b))
}

func (e *yamlEmitter) lineBreak() {
	e.whitespace, e.indention = true, true
	e.column = 0
	e.b = append(e.b, '\n')
}

func (e *yamlEmitter) writeIndent() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak()
	}
	if e.column < indent {
		e.whitespace = true
		e.write(strings.Repeat(" ", indent-e.column))
	}
}

func (e *yamlEmitter) indicator(s string, needSpace, whitespace, indention bool) {
	if needSpace && !e.whitespace {
		s = " " + s
	}
	e.whitespace = whitespace
	e.indention = e.indention && indention
	e.write(s)
}

// increase indents; the result is what to go back to.
func (e *yamlEmitter) increase(flow, indentless bool) int {
	old := e.indent
	switch {
	case e.indent < 0 && flow:
		e.indent = 2
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += 2
	}
	return old
}

// alias writes *id or &id for a container that occurs more than once.
func (e *yamlEmitter) alias(v any) bool {
	if _, ok := e.anchors[v]; !ok {
		return false
	}
	if e.written[v] {
		e.indicator(fmt.Sprintf("*id%03d", e.anchors[v]), true, false, false)
		return true
	}
	e.next++
	e.anchors[v] = e.next
	e.written[v] = true
	e.indicator(fmt.Sprintf("&id%03d", e.next), true, false, false)
	return false
}

func (e *yamlEmitter) node(v any, simpleKey bool, depth int) {
	if depth > maxNesting {
		tooDeep()
	}
	switch x := v.(type) {
	case *List:
		if !e.alias(x) {
			e.sequence(x.items, depth)
		}
	case *Tuple:
		if !e.alias(x) {
			e.sequence(x.items, depth)
		}
	case *Dict:
		if !e.alias(x) {
			e.dict(x, depth)
		}
	case *set:
		e.indicator("!!set", true, false, false)
		d := &Dict{}
		for _, k := range x.d.keys() {
			d.put(k, nil)
		}
		e.dict(d, depth)
	case *lookupValue:
		e.dict(wantDict(x), depth)
	case *namespace:
		e.node(x.d, simpleKey, depth)
	case []byte:
		e.indicator("!!binary", true, false, false)
		e.scalar(base64.StdEncoding.EncodeToString(x)+"\n", false, simpleKey)
	default:
		s, isStr := yamlText(v)
		e.scalar(s, !isStr, simpleKey)
	}
}

// yamlText is the scalar for a value; isStr tells that it must read back as a str.
func yamlText(v any) (s string, isStr bool) {
	switch x := v.(type) {
	case nil:
		return "null", false
	case bool:
		return fmt.Sprint(x), false
	case int64, *big.Int:
		return str(x), false
	case float64:
		switch {
		case math.IsInf(x, 1):
			return ".inf", false
		case math.IsInf(x, -1):
			return "-.inf", false
		case math.IsNaN(x):
			return ".nan", false
		}
		s := floatRepr(x)
		if !strings.Contains(s, ".") {
			s = strings.Replace(s, "e", ".0e", 1)
		}
		return s, false
	case string:
		return x, true
	case markup:
		return string(x), true
	case *undefined:
		x.refuse()
	case *timeValue:
		return x.String(), false
	}
	return "NULL", false
}

func (e *yamlEmitter) sequence(items []any, depth int) {
	if e.flow || e.flowLevel > 0 || len(items) == 0 {
		e.indicator("[", true, true, false)
		e.flowLevel++
		old := e.increase(true, false)
		for i, x := range items {
			if i > 0 {
				e.indicator(",", false, false, false)
			}
			if e.column > yamlWidth {
				e.writeIndent()
			}
			e.mapping = false
			e.node(x, false, depth+1)
		}
		e.indent = old
		e.flowLevel--
		e.indicator("]", false, false, false)
		return
	}
	old := e.increase(false, e.mapping && !e.indention)
	for _, x := range items {
		e.writeIndent()
		e.indicator("-", true, false, true)
		e.mapping = false
		e.node(x, false, depth+1)
	}
	e.indent = old
}

func (e *yamlEmitter) dict(d *Dict, depth int) {
	if e.flow || e.flowLevel > 0 || d.Len() == 0 {
		e.indicator("{", true, true, false)
		e.flowLevel++
		old := e.increase(true, false)
		for i, k := range yamlKeys(d) {
			if i > 0 {
				e.indicator(",", false, false, false)
			}
			if e.column > yamlWidth {
				e.writeIndent()
			}
			x, _ := d.get(k)
			if e.key(k, depth) {
				e.indicator(":", false, false, false)
			} else {
				if e.column > yamlWidth {
					e.writeIndent()
				}
				e.indicator(":", true, false, false)
			}
			e.mapping = true
			e.node(x, false, depth+1)
		}
		e.indent = old
		e.flowLevel--
		e.indicator("}", false, false, false)
		return
	}
	old := e.increase(false, false)
	for _, k := range yamlKeys(d) {
		e.writeIndent()
		x, _ := d.get(k)
		if e.key(k, depth) {
			e.indicator(":", false, false, false)
		} else {
			e.writeIndent()
			e.indicator(":", true, false, true)
		}
		e.mapping = true
		e.node(x, false, depth+1)
	}
	e.indent = old
}

// key writes a key; true means a simple one, false that it took a "?".
func (e *yamlEmitter) key(k any, depth int) bool {
	simple := false
	switch x := k.(type) {
	case *Tuple:
		simple = len(x.items) == 0
	default:
		s, _ := yamlText(k)
		simple = len(s) <= 128 && !strings.ContainsAny(s, "\n\r\u0085\u2028\u2029")
	}
	if !simple {
		e.indicator("?", true, false, true)
	}
	e.mapping = true
	e.node(k, simple, depth+1)
	return simple
}

var yamlTimestamp = regexp.MustCompile(`^(\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?([Tt]|[ \t]+)\d\d?:\d\d:\d\d(\.\d*)?([ \t]*(Z|[-+]\d\d?(:\d\d)?))?)$`)

// resolvesToStr tells whether a plain scalar would be read back as a str.
func resolvesToStr(s string) bool {
	if v, ok := document.Implicit(s).(string); !ok || v != s {
		return false
	}
	return s != "=" && s != "<<" && !yamlTimestamp.MatchString(s)
}

func (e *yamlEmitter) scalar(s string, plainOnly, simpleKey bool) {
	old := e.increase(true, false)
	defer func() { e.indent = old }()
	a := analyzeScalar(s)
	plain := plainOnly || resolvesToStr(s)
	allowed := a.blockPlain
	if e.flowLevel > 0 {
		allowed = a.flowPlain
	}
	switch {
	case plain && allowed && s != "" && !(simpleKey && a.multiline):
		e.plain(s, !simpleKey)
	case a.single && !(simpleKey && a.multiline):
		e.single(s, !simpleKey)
	default:
		e.double(s, !simpleKey)
	}
}
