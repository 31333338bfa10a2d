package modules

import (
	"slices"
	"strings"
	"testing"
)

// FuzzSplitWords: words that are quoted and joined come back as they were.
func FuzzSplitWords(f *testing.F) {
	f.Add("a b", `c"d`, `\`)
	f.Add("", "'", "\n\t")
	f.Add("$HOME", "*", "é")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		words := []string{a, b, c}
		var quoted []string
		for _, word := range words {
			word = strings.ToValidUTF8(word, "?")
			quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
		}
		got, err := splitWords(strings.Join(quoted, " "))
		if err != nil {
			t.Fatal(err)
		}
		for i := range words {
			words[i] = strings.ToValidUTF8(words[i], "?")
		}
		if !slices.Equal(got, words) {
			t.Errorf("got %q, want %q", got, words)
		}
	})
}
