package client

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ptorbus/zester/core/config"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// didYouMean is ` (did you mean "x"?)`, or empty when nothing is near.
func didYouMean(name string, known []string) string {
	if near := config.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
