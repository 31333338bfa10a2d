package render

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// style is how tags treat the white space around them.
type style uint8

const (
	trimBlocks   style = 1 << iota // the newline after a tag or comment is dropped
	lstripBlocks                   // as are the blanks before one that begins its line
	headed                         // a #jinja2: line says
)

// fixed are Jinja2's options that a template cannot change here.
var fixed = []string{
	"block_start_string", "block_end_string", "variable_start_string", "variable_end_string", "comment_start_string",
	"comment_end_string", "line_statement_prefix", "line_comment_prefix", "newline_sequence", "keep_trailing_newline",
}

// header takes the line that Salt reads options for one template from:
//
//	#jinja2: {"trim_blocks": true, "lstrip_blocks": true}
//
// It is the first line, or the one after a #!renderer line, and does not show. The
// templates that this one loads have its options too, whatever they say.
func (l *lexer) header() (s style) {
	at := 0
	if strings.HasPrefix(l.src, "#!") && !strings.HasPrefix(l.src, "#!/") {
		at = strings.IndexByte(l.src, '\n') + 1
	}
	options, found := strings.CutPrefix(l.src[at:], "#jinja2:")
	if !found {
		return 0
	}
	options, _, _ = strings.Cut(options, "\n")
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(options), &values) != nil || values == nil {
		return 0
	}
	for name, v := range values {
		name = strings.ToLower(name)
		bit := map[string]style{"trim_blocks": trimBlocks, "lstrip_blocks": lstripBlocks}[name]
		switch {
		case bit != 0 && !slices.Contains([]string{"false", "null", "0", `""`, "[]", "{}"}, string(v)):
			s |= bit
		case slices.Contains(fixed, name):
			failAt(at, "option "+repr(name)+" of a #jinja2: line cannot be changed: leave it out")
		}
	}
	if at > 0 {
		l.emit(tokens.Data, 0, at)
	}
	l.pos = min(len(l.src), at+len("#jinja2:")+len(options)+1)
	return s
}

// stripped is where the text that ends before the tag at to ends.
func (l *lexer) stripped(from, to int) int {
	if l.style&lstripBlocks == 0 || to+2 >= len(l.src) || l.src[to+1] == '{' || l.src[to+2] == '+' || l.src[to+2] == '-' {
		return to
	}
	text := strings.TrimRightFunc(l.src[from:to], func(r rune) bool { return r != '\n' && isSpace(r) })
	if at := from + len(text); at == 0 || l.src[at-1] == '\n' {
		return at
	}
	return to
}

// trimNewline skips the newline after the tag that ends here.
func (l *lexer) trimNewline() {
	if l.style&trimBlocks != 0 && l.src[l.pos-3] != '+' && strings.HasPrefix(l.src[l.pos:], "\n") && !(l.keep && l.pos == len(l.src)-1) {
		l.pos++
	}
}
