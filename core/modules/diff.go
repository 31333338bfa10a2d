package modules

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/pmezard/go-difflib/difflib"
)

// maxDiff is the size up to which contents are shown as a diff.
const maxDiff = 256 << 10

// describeDiff says how the content differs from what is at path: a unified diff for texts, sizes for the rest.
func (c *content) describeDiff(at place) (string, error) {
	after, whole, err := c.head()
	if err != nil {
		return "", err
	}
	var before []byte
	name := "/dev/null"
	if at.info != nil {
		name = at.path
		whole = whole && at.info.Size() <= maxDiff
	}
	if at.info != nil && whole {
		if before, err = os.ReadFile(at.path); err != nil {
			return "", err
		}
	}
	if !whole || !isText(before) || !isText(after) {
		if at.info == nil {
			return "new file, too large or not text to show", nil
		}
		return "contents differ, too large or not text to show", nil
	}
	return unified(name, at.path, string(before), string(after))
}

// head is the first maxDiff bytes of the content, and whether that is all of it.
func (c *content) head() ([]byte, bool, error) {
	if c.open == nil {
		return c.data, len(c.data) <= maxDiff, nil
	}
	source, err := c.open()
	if err != nil {
		return nil, false, err
	}
	defer source.Close()
	data, err := io.ReadAll(io.LimitReader(source, maxDiff+1))
	return data, len(data) <= maxDiff, err
}

func isText(data []byte) bool { return utf8.Valid(data) && !bytes.ContainsRune(data, 0) }

func unified(from, to, before, after string) (string, error) {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), FromFile: from, ToFile: to, Context: 3,
	})
	if err != nil {
		return "", fmt.Errorf("diff: %w", err)
	}
	return text, nil
}

// lines splits a text into lines, each with a newline so that a diff of them reads well.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	out := strings.SplitAfter(text, "\n")
	last := len(out) - 1
	if out[last] == "" {
		return out[:last]
	}
	out[last] += "\n\\ no newline at end of file\n"
	return out
}
