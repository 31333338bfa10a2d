package bus

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckURL checks the form of Options.URL, so that a mistyped one is told from a server that is down. Its errors quote
// the part at fault.
func CheckURL(text string) error {
	const want = "want nats://HOST:PORT or tls://HOST:PORT, with commas between several"
	for server := range strings.SplitSeq(text, ",") {
		server = strings.TrimSpace(server)
		full := server
		if !strings.Contains(server, "://") {
			full = "nats://" + server
		}
		parsed, err := url.Parse(full)
		if err != nil || parsed.Hostname() == "" || strings.Trim(parsed.Path, "/") != "" || parsed.Scheme != "nats" && parsed.Scheme != "tls" {
			return fmt.Errorf("%q is no address of a NATS server: %s", server, want)
		}
	}
	return nil
}
