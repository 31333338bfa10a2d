package target

import (
	"fmt"
	"strings"
)

// Error says where a target cannot be read. Match it with errors.As.
type Error struct {
	Target string // the whole text
	Char   int    // the character at fault, counted from 1; one past the end where something is missing
	Msg    string // what was expected, and the remedy
}

func (e *Error) Error() string {
	return fmt.Sprintf("target %q: character %d: %s", clip(e.Target, e.Char), e.Char, e.Msg)
}

// clip keeps an error on one line: of a long target only the part around the fault is shown.
func clip(text string, char int) string {
	const width = 120
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	from := max(0, min(char-1-width/2, len(runes)-width))
	var b strings.Builder
	if from > 0 {
		b.WriteString("...")
	}
	b.WriteString(string(runes[from : from+width]))
	if from+width < len(runes) {
		b.WriteString("...")
	}
	return b.String()
}
