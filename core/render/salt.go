package render

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// saltFilters are Salt's filters on text and lists. Where Salt and Jinja2 both
// have a filter (unique, min, max, tojson), it is Jinja2's.
func saltFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"quote": filterQuote, "regex_escape": filterRegexEscape, "regex_search": filterRegexSearch,
		"regex_match": filterRegexMatch, "regex_replace": filterRegexReplace,
		"to_bool": filterToBool, "to_num": filterToNum, "str_to_num": filterToNum, "to_bytes": filterToBytes,
		"to_snake_case": filterSnakeCase, "to_camelcase": filterCamelCase, "human_to_bytes": filterHumanToBytes,
		"contains_whitespace": filterContainsSpace, "is_hex": filterIsHex, "substring_in_list": filterSubstringInList,
		"check_whitelist_blacklist": filterWhitelist, "path_join": filterPathJoin, "skip": filterSkip,
		"strftime": filterStrftime, "date_format": filterStrftime, "method_call": filterMethodCall,
		"yaml": filterYAML, "json": filterJSON, "python": filterPython, "xml": filterXML,
		"load_yaml": filterLoad("yaml"), "load_json": filterLoad("json"), "load_text": filterLoad("text"),
		"yaml_encode": filterYAMLEncode, "yaml_dquote": filterYAMLQuote(yamlDouble), "yaml_squote": filterYAMLQuote(yamlSingle),
		"dict_to_sls_yaml_params": filterSLSParams,
	}
}

// unresolved passes on, as Salt's filters do, an undefined value found in v.
func unresolved(v any, depth int) *undefined {
	if depth > 20 {
		return nil
	}
	switch v := v.(type) {
	case *undefined:
		if v.strict {
			return v
		}
	case *List:
		for _, x := range v.items {
			if u := unresolved(x, depth+1); u != nil {
				return u
			}
		}
	case *Tuple:
		for _, x := range v.items {
			if u := unresolved(x, depth+1); u != nil {
				return u
			}
		}
	case *Dict:
		for _, x := range v.All() {
			if u := unresolved(x, depth+1); u != nil {
				return u
			}
		}
	}
	return nil
}

func filterYAML(_ *frame, v any, a args) any {
	b := a.bind("yaml", 0, "flow_style")
	if u := unresolved(v, 0); u != nil {
		return u
	}
	return markup(strings.TrimSpace(dumpYAML(v, truth(or(b[0], true)))))
}

func filterSLSParams(_ *frame, v any, a args) any {
	b := a.bind("dict_to_sls_yaml_params", 0, "flow_style")
	if u := unresolved(v, 0); u != nil {
		return u
	}
	l := &List{}
	for k, x := range wantDict(v).All() {
		d := &Dict{}
		d.put(k, x)
		l.items = append(l.items, d)
	}
	return markup(strings.TrimSpace(dumpYAML(l, truth(or(b[0], false)))))
}

func filterJSON(_ *frame, v any, a args) any {
	b := a.bind("json", 0, "sort_keys", "indent")
	if u := unresolved(v, 0); u != nil {
		return u
	}
	st := jsonStyle{sortKeys: truth(or(b[0], true))}.indented(or(b[1], nil))
	return markup(jsonText(v, st))
}

func filterPython(_ *frame, v any, a args) any {
	a.none("python")
	if u := unresolved(v, 0); u != nil {
		return u
	}
	return markup(strings.TrimSpace(pprint(v)))
}

func filterLoad(format string) filterFunc {
	return func(_ *frame, v any, a args) any {
		a.none("load_" + format)
		if m, ok := v.(*moduleValue); ok {
			v = m.body
		}
		if format == "text" {
			return v
		}
		if !isText(v) {
			refuseOperand(v)
			throw("TemplateRuntimeError", "unable to load %s from %s", format, describe(v))
		}
		return loadAs(format, v)
	}
}

func filterYAMLQuote(quote func(string) string) filterFunc {
	return func(_ *frame, v any, a args) any {
		a.none("yaml_quote")
		return quote(str(v))
	}
}

func filterYAMLEncode(_ *frame, v any, a args) any {
	a.none("yaml_encode")
	refuseOperand(v)
	switch v.(type) {
	case *List, *Tuple, *Dict, *set:
		throw("TypeError", "yaml_encode() only works with YAML scalar data; failed for %s", typeName(v))
	}
	s, isStr := yamlText(v)
	if isStr {
		return yamlDouble(s)
	}
	return s
}

var shellSafe = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// filterQuote quotes a word for a shell.
func filterQuote(_ *frame, v any, a args) any {
	a.none("quote")
	if !truth(v) {
		return "''"
	}
	s := wantStr(v)
	switch {
	case shellSafe.MatchString(s):
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

func filterToBool(_ *frame, v any, a args) any {
	a.none("to_bool")
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case string, markup:
		switch lower(str(x)) {
		case "yes", "1", "true":
			return true
		}
		return false
	case *List, *Dict, *set:
		return truth(x)
	}
	if _, ok := bigInt(v); ok {
		return compareNumbers(v, int64(0)) > 0
	}
	return false
}

func filterToNum(_ *frame, v any, a args) any {
	a.none("to_num")
	refuseOperand(v)
	if n, ok := toInt(v, 10); ok {
		return n
	}
	if f, ok := toFloat(v); ok {
		return f
	}
	if _, ok := text(v); !ok {
		throw("TypeError", "a number or a string is needed, not %s", typeName(v))
	}
	return v
}

func filterToBytes(_ *frame, v any, a args) any {
	b := a.bind("to_bytes", 0, "encoding", "errors")
	if b, ok := v.([]byte); ok {
		return b
	}
	if b[0] == nil || b[0] == missing {
		return []byte(wantStr(v))
	}
	return encode(nil, wantStr(v), args{pos: []any{b[0]}})
}

func filterSnakeCase(_ *frame, v any, a args) any {
	a.none("to_snake_case")
	s := []rune(wantStr(v))
	var out strings.Builder
	for i, r := range s {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(s[i-1]) || i+1 < len(s) && unicode.IsLower(s[i+1])) {
			out.WriteByte('_')
		}
		out.WriteString(lower(string(r)))
	}
	return out.String()
}

func filterCamelCase(_ *frame, v any, a args) any {
	b := a.bind("to_camelcase", 0, "uppercamel")
	var out strings.Builder
	for i, w := range strings.Split(wantStr(v), "_") {
		switch {
		case w == "" && (i > 0 || truth(or(b[0], false))):
			out.WriteByte('_')
		case i == 0 && !truth(or(b[0], false)):
			out.WriteString(w)
		default:
			out.WriteString(capitalize(w))
		}
	}
	return out.String()
}

var humanSize = regexp.MustCompile(`^([0-9.]*)\s*(.*)$`)

func filterHumanToBytes(_ *frame, v any, a args) any {
	b := a.bind("human_to_bytes", 0, "default_unit", "handle_metric")
	m := humanSize.FindStringSubmatch(strings.TrimSpace(str(v)))
	if m == nil {
		return int64(0)
	}
	unit := lower(m[2])
	if unit == "" {
		unit = lower(wantStr(or(b[0], "B")))
	}
	metric := len(unit) == 2 && unit[1] == 'b'
	power := strings.IndexByte("bkmgtpezy", (unit + " ")[0])
	if power < 0 || unit != "b" && len(unit) > 1 && (power == 0 || unit[1:] != "ib" && unit[1:] != "b") {
		return int64(0)
	}
	base := int64(1024)
	if metric && truth(or(b[1], false)) {
		base = 1000
	}
	var value any
	if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
		value = n
	} else if f, err := strconv.ParseFloat(m[1], 64); err == nil {
		value = f
	} else {
		return int64(0)
	}
	n, _ := toInt(binary("*", value, binary("**", base, int64(power))), 10)
	return n
}

func filterContainsSpace(_ *frame, v any, a args) any {
	a.none("contains_whitespace")
	return strings.ContainsFunc(wantStr(v), isSpace)
}

func filterIsHex(_ *frame, v any, a args) any {
	a.none("is_hex")
	s, ok := text(v)
	if ok {
		_, ok = parseInt(s, 16)
	}
	return ok
}

func filterSubstringInList(_ *frame, v any, a args) any {
	needle := wantStr(v)
	for _, x := range collect(a.bind("substring_in_list", 1, "lst")[0]) {
		if s, ok := text(x); ok && strings.Contains(s, needle) {
			return true
		}
	}
	return false
}

// exprMatches tells whether a text matches a glob or, whole, a regular expression.
func exprMatches(s, expr string) bool {
	if s == expr || globRegexp(expr).MatchString(s) {
		return true
	}
	re, err := CompileRegexp(`\A`+expr+`\Z`, 0)
	if err != nil {
		return false // it is a glob only
	}
	return searched(re.Match(s)) != nil
}

// globRegexp is the regular expression of a shell pattern.
func globRegexp(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			end := strings.IndexByte(glob[i+1:], ']')
			if end <= 0 {
				b.WriteString(`\[`)
				continue
			}
			set := strings.ReplaceAll(glob[i+1:i+1+end], `\`, `\\`)
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + set + "]")
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return regexp.MustCompile(`\A` + regexp.QuoteMeta(glob) + `\z`)
	}
	return re
}

func filterWhitelist(_ *frame, v any, a args) any {
	b := a.bind("check_whitelist_blacklist", 0, "whitelist", "blacklist")
	s := wantStr(v)
	list := func(v any) []any {
		if v == missing || !truth(v) {
			return nil
		}
		if _, ok := text(v); ok {
			return []any{v}
		}
		return collect(v)
	}
	matches := func(exprs []any) bool {
		for _, e := range exprs {
			if exprMatches(s, wantStr(e)) {
				return true
			}
		}
		return false
	}
	white, black := list(b[0]), list(b[1])
	return !matches(black) && (len(white) == 0 || matches(white))
}

func filterPathJoin(_ *frame, v any, a args) any {
	for _, k := range a.kw {
		if k.name != "use_posixpath" {
			throw("TypeError", "path_join() got an unexpected keyword argument '%s'", k.name)
		}
	}
	joined := cleanPath(wantStr(v))
	for _, p := range a.pos {
		joined = strings.TrimSuffix(joined, "/") + "/" + strings.TrimLeft(cleanPath(wantStr(p)), "/")
	}
	return cleanPath(joined)
}

// cleanPath is os.path.normpath, which keeps exactly two leading slashes.
func cleanPath(p string) string {
	if strings.HasPrefix(p, "//") && !strings.HasPrefix(p, "///") {
		return "/" + path.Clean(p)
	}
	return path.Clean(p)
}

func filterSkip(_ *frame, _ any, a args) any {
	a.none("skip")
	return ""
}

func filterMethodCall(f *frame, v any, a args) any {
	if len(a.pos) == 0 {
		throw("TypeError", "method_call() missing required argument 'f_name'")
	}
	m := methodOf(v, wantStr(a.pos[0]))
	if m == nil {
		refuseOperand(v)
		return nil
	}
	return m(f, v, args{append([]any{}, a.pos[1:]...), a.kw})
}
