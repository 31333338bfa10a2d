package modules

import (
	"context"
	"net/url"
	"strings"

	"github.com/ptorbus/zester/core/files"
)

// inSource is the context in which a source of the tree is found: in the environment that salt://x?saltenv=dev names.
func inSource(ctx context.Context, source string) context.Context {
	_, query, _ := strings.Cut(source, "?")
	if options, err := url.ParseQuery(query); err == nil && options.Get("saltenv") != "" {
		return files.InEnvironment(ctx, options.Get("saltenv"))
	}
	return ctx
}
