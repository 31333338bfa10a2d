package render

import "strings"

// xmlElement is an element of the document the filter xml makes.
type xmlElement struct {
	tag   string
	attrs []kwarg
	text  string
	kids  []*xmlElement
}

// filterXML writes a mapping as XML: scalars are attributes, mappings and lists
// are elements.
func filterXML(_ *frame, v any, a args) any {
	a.none("xml")
	if u := unresolved(v, 0); u != nil {
		return u
	}
	var root *xmlElement
	for _, p := range xmlPairs(v) {
		root = xmlTree(p.name, p.val, nil, 0)
	}
	if root == nil {
		throw("TemplateRuntimeError", "Value is not a dict or list. Cannot render as XML")
	}
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" ?>\n")
	root.write(&b, "")
	return markup(b.String())
}

func xmlPairs(v any) []kwarg {
	var out []kwarg
	switch x := v.(type) {
	case *Dict:
		for k, val := range x.All() {
			out = append(out, kwarg{str(k), val})
		}
	case *List, *Tuple:
		for _, e := range sequence(v) {
			if t, ok := e.(*Tuple); ok && len(t.items) == 2 {
				out = append(out, kwarg{str(t.items[0]), t.items[1]})
			}
		}
	default:
		throw("TemplateRuntimeError", "Value is not a dict or list. Cannot render as XML")
	}
	return out
}

func xmlTree(tag string, v any, parent *xmlElement, depth int) *xmlElement {
	if depth > maxNesting {
		tooDeep()
	}
	if l, ok := v.(*List); ok && parent != nil {
		var last *xmlElement
		for _, x := range l.items {
			last = xmlTree(tag, x, parent, depth+1)
		}
		return last
	}
	e := &xmlElement{tag: tag}
	if parent != nil {
		parent.kids = append(parent.kids, e)
	}
	switch x := v.(type) {
	case string, markup, int64, float64, bool:
		e.text = str(x)
		return e
	}
	for _, p := range xmlPairs(v) {
		switch p.val.(type) {
		case *Dict, *List:
			xmlTree(p.name, p.val, e, depth+1)
		default:
			if _, ok := v.(*Dict); ok {
				e.attrs = append(e.attrs, kwarg{p.name, str(p.val)})
			}
		}
	}
	return e
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", ">", "&gt;")

func (e *xmlElement) write(b *strings.Builder, indent string) {
	b.WriteString(indent + "<" + e.tag)
	for _, a := range e.attrs {
		b.WriteString(" " + a.name + `="` + xmlEscaper.Replace(a.val.(string)) + `"`)
	}
	switch {
	case len(e.kids) > 0:
		b.WriteString(">\n")
		for _, k := range e.kids {
			k.write(b, indent+" ")
		}
		b.WriteString(indent + "</" + e.tag + ">\n")
	case e.text != "":
		b.WriteString(">" + xmlEscaper.Replace(e.text) + "</" + e.tag + ">\n")
	default:
		b.WriteString("/>\n")
	}
}
