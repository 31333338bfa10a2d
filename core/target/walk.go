package target

import (
	"fmt"
	"strconv"
	"strings"
)

// Walk calls f with every value that a term can match, as an index has to store it: the path is the keys from the top joined by
// colons, with dots in them turned to colons; the value is text in lower case. All elements of a list are at the list's path,
// and the keys of a map below the top are values at the map's path. A pair can come more than once.
func Walk(values map[string]any, f func(path, value string)) {
	for key, v := range values {
		walkValue(elements(key), v, f)
	}
}

func walkValue(path string, v any, f func(path, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			f(path, fold(key))
			walkValue(path+":"+elements(key), child, f)
		}
	case []any:
		for _, child := range v {
			walkValue(path, child, f)
		}
	default:
		f(path, scalar(v))
	}
}

// elements gives a key, or a path that a person wrote, its form in a path: network.ipv4 is network:ipv4.
func elements(key string) string { return strings.ReplaceAll(key, ".", ":") }

// anyAt reports whether a value at the path satisfies match. It is Walk for one path, without visiting or allocating the others.
func anyAt(values map[string]any, path string, match func(value string) bool) bool {
	for key, v := range values {
		if rest, ok := cutKey(path, key); ok && anyBelow(v, rest, match) {
			return true
		}
	}
	return false
}

// anyBelow is anyAt below the top: rest is empty, or a colon and the path that is left.
func anyBelow(v any, rest string, match func(string) bool) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if rest == "" {
				if match(fold(key)) {
					return true
				}
			} else if below, ok := cutKey(rest[1:], key); ok && anyBelow(child, below, match) {
				return true
			}
		}
		return false
	case []any:
		for _, child := range v {
			if anyBelow(child, rest, match) {
				return true
			}
		}
		return false
	}
	return rest == "" && match(scalar(v))
}

// cutKey takes a key off the front of a path, whole elements only.
func cutKey(path, key string) (rest string, ok bool) {
	if len(path) < len(key) || len(path) > len(key) && path[len(key)] != ':' {
		return "", false
	}
	for i := range len(key) {
		if c := key[i]; c != path[i] && (c != '.' || path[i] != ':') {
			return "", false
		}
	}
	return path[len(key):], true
}

// matchPath compares a path to a pattern in which an element * stands for any one element.
func matchPath(pattern, path string) bool {
	for {
		want, wantRest, wantMore := strings.Cut(pattern, ":")
		have, haveRest, haveMore := strings.Cut(path, ":")
		if want != "*" && want != have || wantMore != haveMore {
			return false
		}
		if !wantMore {
			return true
		}
		pattern, path = wantRest, haveRest
	}
}

// fold makes comparison blind to case.
func fold(s string) string { return strings.ToLower(s) }

// scalar is the text of a value as Salt, that is Python, prints it, in lower case.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return fold(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return fold(s)
	case []byte:
		return fold(string(v))
	case nil:
		return "none"
	}
	return fold(fmt.Sprint(v))
}
