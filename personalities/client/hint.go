package client

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/ptorbus/zester/core/config"
)

var (
	likeCommand  = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*$`)
	likeFunction = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_.]*$`)
)

// mistyped is the command or program that a word may have been meant for, which stands where a target may as well: empty if
// it does not look like one.
func mistyped(word string, programs []string) string {
	if !likeCommand.MatchString(word) {
		return ""
	}
	return config.Nearest(word, slices.Concat(commands(), programs))
}

// hints explains command lines that cannot be read: a command's name that was meant as a target, or a word that was meant as
// a command.
func hints(programs []string) func(words []string) string {
	return func(words []string) string {
		switch {
		case len(words) == 0:
			return ""
		case slices.Contains(groups(), words[0]):
			return NotAsTarget(words[0])(words[1:])
		case slices.Contains(commands(), words[0]):
			return ""
		case len(words) > 1 && likeFunction.MatchString(words[1]):
			return "" // a target with its function
		}
		if near := mistyped(words[0], programs); near != "" && near != words[0] {
			return fmt.Sprintf("there is no command %q (did you mean %q?)", words[0], near)
		}
		return ""
	}
}

// NotAsTarget explains to who means a peel that has a command's name why a function after it is not understood.
func NotAsTarget(name string) func(words []string) string {
	return func(words []string) string {
		if len(words) == 0 || !likeFunction.MatchString(words[0]) {
			return ""
		}
		return fmt.Sprintf("%s is a command; a peel of that name is L@%s", name, name)
	}
}
