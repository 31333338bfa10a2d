package render

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRegexpTimeout asks that a search which would take years ends with an error.
func TestRegexpTimeout(t *testing.T) {
	const expr = `(?=b|a)(a+)+\1$`
	re, err := CompileRegexp(expr, 0)
	if err != nil {
		t.Fatal(err)
	}
	re.limit = 50 * time.Millisecond
	clear(re.full[:])
	_, err = re.Search(strings.Repeat("a", 60) + "!")
	if !errors.Is(err, errSlowRegexp) || !strings.HasPrefix(err.Error(), `regular expression '`) {
		t.Errorf("got %v", err)
	}
}
