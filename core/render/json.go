package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
)

// jsonStyle is how a value is written as JSON, by the options of Python's dumps.
type jsonStyle struct {
	sortKeys  bool
	ascii     bool
	indent    string
	lines     bool // one element a line
	item, key string
}

func jsonText(v any, st jsonStyle) string {
	return string(st.append(nil, v, 0, nil))
}

func (st jsonStyle) newline(b []byte, depth int) []byte {
	if !st.lines {
		return b
	}
	b = append(b, '\n')
	return append(b, strings.Repeat(st.indent, depth)...)
}

func (st jsonStyle) append(b []byte, v any, depth int, in *enclosing) []byte {
	if depth > maxNesting {
		tooDeep()
	}
	switch x := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return fmt.Appendf(b, "%t", x)
	case int64, *big.Int:
		return appendStr(b, x)
	case float64:
		return append(b, jsonFloat(x)...)
	case string:
		return st.quote(b, x)
	case markup:
		return st.quote(b, string(x))
	case *List:
		return st.list(b, v, x.items, depth, in)
	case *Tuple:
		return st.list(b, v, x.items, depth, in)
	case *Dict:
		return st.dict(b, x, depth, in)
	case *lookupValue:
		if d, ok := x.dict(); ok {
			return st.dict(b, d, depth, in)
		}
	case *undefined:
		x.refuse()
	}
	throw("TypeError", "Object of type %s is not JSON serializable", typeName(v))
	return nil
}

func jsonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	return floatRepr(f)
}

func (st jsonStyle) list(b []byte, v any, items []any, depth int, in *enclosing) []byte {
	if len(items) == 0 {
		return append(b, "[]"...)
	}
	if in.has(v) {
		throw("ValueError", "Circular reference detected")
	}
	in = &enclosing{v, in}
	b = append(b, '[')
	for i, x := range items {
		if i > 0 {
			b = append(b, st.item...)
		}
		b = st.append(st.newline(b, depth+1), x, depth+1, in)
	}
	return append(st.newline(b, depth), ']')
}

func (st jsonStyle) dict(b []byte, d *Dict, depth int, in *enclosing) []byte {
	if d.Len() == 0 {
		return append(b, "{}"...)
	}
	if in.has(d) {
		throw("ValueError", "Circular reference detected")
	}
	in = &enclosing{d, in}
	keys := d.keys()
	if st.sortKeys {
		sortItems(keys, nil, false)
	}
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, st.item...)
		}
		b = st.quote(st.newline(b, depth+1), jsonKey(k))
		b = append(b, st.key...)
		x, _ := d.get(k)
		b = st.append(b, x, depth+1, in)
	}
	return append(st.newline(b, depth), '}')
}

func jsonKey(k any) string {
	switch x := k.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(x)
	case float64:
		return jsonFloat(x)
	case string, markup, int64, *big.Int:
		return str(x)
	}
	throw("TypeError", "keys must be str, int, float, bool or None, not %s", typeName(k))
	return ""
}

func (st jsonStyle) quote(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ' || r == 0x7f && st.ascii:
			b = fmt.Appendf(b, `\u%04x`, r)
		case r < 0x80 || !st.ascii:
			b = append(b, string(r)...)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return append(b, '"')
}

// indented is the style with an indent option: None, a number or a string.
func (st jsonStyle) indented(v any) jsonStyle {
	st.item, st.key = ", ", ": "
	if v == nil {
		return st
	}
	st.item, st.lines = ",", true
	if s, ok := text(v); ok {
		st.indent = s
	} else {
		st.indent = strings.Repeat(" ", min(max(0, wantInt(v)), 100))
	}
	return st
}

func filterToJSON(_ *frame, v any, a args) any {
	b := a.bind("tojson", 0, "indent")
	st := jsonStyle{sortKeys: true, ascii: true}
	if !isText(v) { // whose indent json.dumps never looks at
		st = st.indented(or(b[0], nil))
	}
	s := jsonText(v, st)
	return markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(s))
}

// DecodeVars reads the variables of a template from a JSON or YAML mapping;
// mappings inside of it keep the order of their keys.
func DecodeVars(data []byte) (map[string]any, error) {
	decode := DecodeYAML
	if b := bytes.TrimSpace(data); len(b) > 0 && b[0] == '{' && json.Valid(b) {
		decode = DecodeJSON
	}
	v, err := decode(data)
	if err != nil {
		return nil, err
	}
	vars := map[string]any{}
	switch v := v.(type) {
	case nil:
	case *Dict:
		for k, x := range v.All() {
			name, ok := k.(string)
			if !ok {
				return nil, fmt.Errorf("variable names must be strings: %s is not", repr(k))
			}
			vars[name] = x
		}
	default:
		return nil, fmt.Errorf("variables must be a mapping, not a %s", typeName(v))
	}
	return vars, nil
}

// DecodeJSON reads one JSON document; mappings keep the order of their keys.
func DecodeJSON(data []byte) (v any, err error) {
	defer catch(&err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if v, err = decodeJSON(dec, 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("json: more than one document, at byte %d", dec.InputOffset())
	}
	return v, nil
}

func decodeJSON(dec *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		tooDeep()
	}
	tok, err := dec.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("json: %w at byte %d", err, dec.InputOffset())
	}
	switch t := tok.(type) {
	case json.Number:
		return parseNumber(t.String()), nil
	case json.Delim:
		if t == '[' {
			l := &List{}
			for dec.More() {
				x, err := decodeJSON(dec, depth+1)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, x)
			}
			_, err := dec.Token()
			return l, err
		}
		d := &Dict{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			x, err := decodeJSON(dec, depth+1)
			if err != nil {
				return nil, err
			}
			d.put(k.(string), x)
		}
		_, err := dec.Token()
		return d, err
	}
	return tok, nil
}
