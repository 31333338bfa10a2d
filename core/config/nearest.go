package config

import (
	"fmt"
	"strings"
)

// Nearest returns the known name that name was most likely meant to be, or "" if none is close: for "did you mean"
// hints. Case and the difference between '-' and '_' cost nothing. Of equally close names the first in known is taken that begins
// as name does, or else the first.
func Nearest(name string, known []string) string {
	folded := fold(name)
	best, bestCost := "", len([]rune(folded))/3+1
	for _, candidate := range known {
		other := fold(candidate)
		cost := distance(folded, other)
		// A distance of the name's whole length means that nothing of it is left: "ab" is not a typo of "cd".
		if cost >= max(len(folded), len(other)) {
			continue
		}
		closer := best == "" || begins(candidate, name) && !begins(best, name)
		if cost < bestCost || (cost == bestCost && closer) {
			best, bestCost = candidate, cost
		}
	}
	return best
}

// begins tells whether both names have the same first letter.
func begins(a, b string) bool {
	x, y := []rune(fold(a)), []rune(fold(b))
	return len(x) > 0 && len(y) > 0 && x[0] == y[0]
}

// DidYouMean is the hint after a name that is not known, ` (did you mean "x"?)`, or empty where nothing is near.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

func fold(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// distance is the Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, replacements and
// swaps of neighbours count one each.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	beforeLast := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], beforeLast[j-2]+1)
			}
		}
		beforeLast, last, row = last, row, beforeLast
	}
	return last[len(b)]
}
