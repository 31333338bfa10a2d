package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// misused makes the complaint about a command line that cannot be read: kong's, with a remedy where there is one.
func misused(program Program, parser *kong.Kong, args []string, err error) error {
	err = clarify(parser, args, err)
	root, flag := parser.Model.Node, strings.HasPrefix(err.Error(), unknownFlag)
	if flag {
		err = nearFlags(root, err.Error())
	}
	hint := ""
	if program.Hint != nil {
		hint = program.Hint(wordsOf(root, args))
	}
	if hint == "" && flag && takesWords(root, args) {
		hint = "if it is an argument write -- before it"
	}
	if hint != "" && !strings.Contains(err.Error(), didYouMean) {
		err = fmt.Errorf("%w: %s", err, hint)
	}
	return usageError(program, err)
}

// What kong says of flags and words that it does not know.
const (
	unknownFlag = "unknown flag "
	didYouMean  = ", did you mean "
)

// nearFlags leaves of the flags that kong takes for near those that are: after any one letter it names all of one letter.
func nearFlags(root *kong.Node, text string) error {
	complaint, rest, _ := strings.Cut(text, didYouMean)
	name := strings.TrimPrefix(complaint, unknownFlag)
	hidden := hiddenFlags(root)
	var near []string
	for i, candidate := range strings.Split(rest, `"`) {
		letter := len([]rune(candidate)) == 2
		if i%2 == 1 && !hidden[candidate] && (!letter || strings.EqualFold(strings.TrimLeft(candidate, "-"), strings.TrimLeft(name, "-"))) {
			near = append(near, fmt.Sprintf("%q", candidate))
		}
	}
	switch {
	case len(near) == 1:
		return fmt.Errorf("%s%s%s?", complaint, didYouMean, near[0])
	case len(near) > 1:
		return fmt.Errorf("%s%sone of %s?", complaint, didYouMean, strings.Join(near, ", "))
	}
	return errors.New(complaint)
}

func hiddenFlags(root *kong.Node) map[string]bool {
	hidden := map[string]bool{}
	kong.Visit(root, func(node kong.Visitable, next kong.Next) error { // fails as its function does: never
		if flag, ok := node.(*kong.Flag); ok && flag.Hidden {
			hidden["--"+flag.Name], hidden["-"+string(flag.Short)] = true, true
		}
		return next(nil)
	})
	return hidden
}

// takesWords tells whether the command of these arguments takes any number of words.
func takesWords(root *kong.Node, args []string) bool {
	node := root
	for _, word := range wordsOf(root, args) {
		i := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == word })
		if i < 0 {
			break
		}
		node = node.Children[i]
	}
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	return slices.ContainsFunc(node.Positional, func(arg *kong.Positional) bool { return arg.IsCumulative() })
}

// wordsOf are the arguments that are no flags and no values of the program's own.
func wordsOf(root *kong.Node, args []string) (words []string) {
	node := root
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	known := node.AllFlags(false)
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return append(words, args[i+1:]...)
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case takesNext(known, arg):
			i++
		}
	}
	return words
}
