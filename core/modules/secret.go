package modules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

var (
	// urlLogin is who logs in to a web server, all of which may be a token, and whoever logs in elsewhere with a password.
	urlLogin = regexp.MustCompile(`(?i)(\bhttps?://)[^/\s?#]*@|(://)[^/\s:@]*:[^/\s]+@`)
	// optionPassword is one among the options of a mount.
	optionPassword = regexp.MustCompile(`(?i)(\bpass(?:word|wd)?=)[^,\s]+`)
)

// public is a text for results and errors, which more people read than the tree: without the passwords of URLs and of mounts.
func public(text string) string {
	return optionPassword.ReplaceAllString(publicURLs(text), "${1}xxxxx")
}

// publicURLs takes the logins out of the URLs of a text, as Salt does.
func publicURLs(text string) string {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return text
	}
	return urlLogin.ReplaceAllString(text, "${1}${2}<redacted>@")
}

// publicResult takes the logins out of what a state's result says of it: its name, often its id too, is a repository's URL.
func publicResult(res *states.StateResult) {
	res.ID, res.Name, res.Comment = publicURLs(res.ID), publicURLs(res.Name), publicURLs(res.Comment)
	for i := range res.Warnings {
		res.Warnings[i] = publicURLs(res.Warnings[i])
	}
}

// publicProgress is a Progress function that is told of states without the logins.
func publicProgress(progress func(states.StateResult)) func(states.StateResult) {
	if progress == nil {
		return nil
	}
	return func(res states.StateResult) {
		res.Warnings = slices.Clone(res.Warnings)
		publicResult(&res)
		progress(res)
	}
}

// publicEvents is an Event function for what states fire.
func publicEvents(event func(tag string, data map[string]any)) func(string, map[string]any) {
	if event == nil {
		return nil
	}
	return func(tag string, data map[string]any) {
		if ret, ok := data["ret"].(map[string]any); ok {
			for key, value := range ret {
				if text, ok := value.(string); ok {
					ret[key] = publicURLs(text)
				}
			}
		}
		event(publicURLs(tag), data)
	}
}
