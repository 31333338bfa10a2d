package config

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// flagsFirst moves the flags of a command before its arguments. kong ends a list of arguments at the first flag, but
// "zester '*' state.apply haproxy --timeout 5m test=True" means what it says. Lines kong will refuse are left alone, for
// its complaint to be about what was typed.
func flagsFirst(root *kong.Node, args []string) []string {
	node, end := root, 0 // the command's own words end here
	for end < len(args) {
		i := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == args[end] })
		if i < 0 {
			break
		}
		node, end = node.Children[i], end+1
	}
	command := node
	if node.DefaultCmd != nil {
		command = node.DefaultCmd
	}
	if slices.ContainsFunc(command.Positional, func(arg *kong.Positional) bool { return arg.Passthrough }) {
		return args
	}
	known := command.AllFlags(false)
	var flags, words []string
	for rest := args[end:]; len(rest) > 0; {
		n := 1
		switch arg := rest[0]; {
		case arg == "--":
			return slices.Concat(args[:end], flags, []string{"--"}, words, rest[1:]) // nor does kong look beyond this
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			if len(words) == 0 && slices.ContainsFunc(node.Children, func(child *kong.Node) bool { return child.Name == arg }) {
				return args // a command after flags
			}
			words = append(words, arg)
		case takesNext(known, arg) && (len(rest) == 1 || strings.HasPrefix(rest[1], "-")):
			return args
		case takesNext(known, arg):
			n = 2
			fallthrough
		default:
			flags = append(flags, rest[:n]...)
		}
		rest = rest[n:]
	}
	return slices.Concat(args[:end], flags, words)
}

// takesNext tells whether the word after a flag is its value.
func takesNext(known [][]*kong.Flag, arg string) bool {
	takes := func(match func(*kong.Flag) bool) bool {
		for _, level := range known {
			if i := slices.IndexFunc(level, match); i >= 0 {
				return !level[i].IsBool() && !level[i].IsCounter()
			}
		}
		return false
	}
	if name, long := strings.CutPrefix(arg, "--"); long {
		return !strings.Contains(name, "=") && takes(func(f *kong.Flag) bool { return f.Name == name || slices.Contains(f.Aliases, name) })
	}
	letters := []rune(arg[1:])
	for i, letter := range letters {
		if takes(func(f *kong.Flag) bool { return f.Short == letter }) {
			return i == len(letters)-1
		}
	}
	return false
}
