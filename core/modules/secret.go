package modules

import "regexp"

var (
	// urlPassword is a password in a URL, with what is around it.
	urlPassword = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
	// optionPassword is one among the options of a mount.
	optionPassword = regexp.MustCompile(`(?i)(\bpass(?:word|wd)?=)[^,\s]+`)
)

// public is a text for results and errors, which more people read than the tree: without the passwords of URLs and of mounts.
func public(text string) string {
	return optionPassword.ReplaceAllString(urlPassword.ReplaceAllString(text, "${1}xxxxx@"), "${1}xxxxx")
}
