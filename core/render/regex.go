package render

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// RegexpFlags change what a pattern means, as the flags of Python's re do.
type RegexpFlags uint8

// The flags, which a pattern can also set itself: (?i), (?m), (?s), (?x), (?a).
const (
	IgnoreCase RegexpFlags = 1 << iota
	Multiline
	DotAll
	Verbose
	ASCII // \w \d \s \b and IgnoreCase know ASCII only
)

// regexpTimeout ends a search that backtracks without end.
const regexpTimeout = 10 * time.Second

// Regexp is a regular expression with the meaning Python's re gives it:
// look-around, references, conditionals, atomic and possessive groups, \w and its
// like by Unicode. What RE2 matches the same way, RE2 matches, in linear time;
// the rest backtracks and is given up with an error after ten seconds. A Regexp
// is safe for concurrent use.
type Regexp struct {
	expr   string
	tree   *reNode
	names  map[string]int
	groups int
	empty  bool // matches of nothing are possible
	needs  reNeeds
	limit  time.Duration // of one backtracking search
	mu     sync.Mutex
	plain  [2]*regexp.Regexp  // RE2: anywhere, the whole text
	full   [4]*regexp2.Regexp // by reMode
}

// reMode says where a match must be.
type reMode int

const (
	reSearch  reMode = iota
	reWhole          // the whole text
	reStart          // where the search starts
	reAdvance        // anywhere, but not of nothing where the search starts
)

// CompileRegexp compiles a Python regular expression. The error is one line that
// quotes the pattern and says, in Python's words, what is wrong with it and where.
func CompileRegexp(expr string, flags RegexpFlags) (*Regexp, error) {
	tree, p, err := parseRegexp(expr, flags)
	if err != nil {
		return nil, fmt.Errorf("regular expression %s: %w", repr(expr), err)
	}
	re := &Regexp{expr: expr, tree: tree, names: p.names, groups: len(p.widths) - 1, limit: regexpTimeout}
	tree.needs(&re.needs)
	lo, _ := tree.measure()
	re.empty = lo == 0
	if !re.needs.backtracking {
		if re.plain[reSearch], err = regexp.Compile(emitRegexp(tree, false)); err != nil {
			re.needs.backtracking = true // it is too large for RE2
		}
	}
	if re.needs.backtracking {
		_, err = re.backtracker(reSearch)
	}
	return re, err
}

// String is the pattern as it was given.
func (re *Regexp) String() string { return re.expr }

// Groups is the number of groups in the pattern.
func (re *Regexp) Groups() int { return re.groups }

// Group is the number of the group of a name; false where there is none.
func (re *Regexp) Group(name string) (int, bool) {
	n, ok := re.names[name]
	return n, ok
}

// Search finds the first match in s, re.search: the byte offsets where it and
// then each group begins and ends, -1 for a group that took no part, and nil
// where nothing matches. The error is a search that took too long.
func (re *Regexp) Search(s string) ([]int, error) { return re.find(s, reSearch) }

// Match is Search for a match that begins where s does, re.match.
func (re *Regexp) Match(s string) ([]int, error) { return re.find(s, reStart) }

// FullMatch is Search for a match that is all of s, re.fullmatch.
func (re *Regexp) FullMatch(s string) ([]int, error) { return re.find(s, reWhole) }

func (re *Regexp) find(s string, mode reMode) ([]int, error) {
	if re.linear(s) {
		if mode == reWhole {
			return re.whole().FindStringSubmatchIndex(s), nil
		}
		m := re.plain[reSearch].FindStringSubmatchIndex(s)
		if m != nil && mode == reStart && m[0] > 0 {
			m = nil
		}
		return m, nil
	}
	return newReText(s).find(re, mode, 0)
}

// FindAll finds the matches that do not overlap, at most n of them unless n is
// 0, re.finditer; each is what Search returns.
func (re *Regexp) FindAll(s string, n int) ([][]int, error) {
	if n <= 0 {
		n = -1
	}
	if !re.empty && re.linear(s) {
		return re.plain[reSearch].FindAllStringSubmatchIndex(s, n), nil
	}
	text := newReText(s)
	var all [][]int
	for at, mode := 0, reSearch; n < 0 || len(all) < n; {
		m, err := text.find(re, mode, at)
		if m == nil || err != nil {
			return all, err
		}
		all = append(all, m)
		if at, mode = m[1], reSearch; m[0] == m[1] {
			mode = reAdvance
		}
	}
	return all, nil
}

// Sub replaces the matches in s, at most n of them unless n is 0, re.sub: \1,
// \g<1> and \g<name> in the replacement are groups. It returns the text and the
// number of replacements; the error is a replacement that names what is not
// there, or a search that took too long.
func (re *Regexp) Sub(replacement, s string, n int) (string, int, error) {
	return re.sub(replacement, s, n, math.MaxInt)
}

func (re *Regexp) sub(replacement, s string, n, limit int) (string, int, error) {
	parts, err := re.replacement(replacement)
	if err != nil {
		return "", 0, fmt.Errorf("replacement %s: %w", repr(replacement), err)
	}
	all, err := re.FindAll(s, n)
	if err != nil {
		return "", 0, err
	}
	var out strings.Builder
	last := 0
	for _, m := range all {
		out.WriteString(s[last:m[0]])
		for _, p := range parts {
			if p.group < 0 {
				out.WriteString(p.text)
			} else if m[2*p.group] >= 0 {
				out.WriteString(s[m[2*p.group]:m[2*p.group+1]])
			}
			if out.Len() > limit {
				return "", 0, fmt.Errorf("replacement %s: the text grows beyond %d bytes", repr(replacement), limit)
			}
		}
		last = m[1]
	}
	out.WriteString(s[last:])
	return out.String(), len(all), nil
}

// EscapeRegexp is s as a pattern that matches it and nothing else, re.escape.
func EscapeRegexp(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// linear tells whether RE2 matches s as Python does.
func (re *Regexp) linear(s string) bool {
	return !re.needs.backtracking && !(re.needs.dollar && strings.HasSuffix(s, "\n")) && !(re.needs.words && (s == "" || !isASCII(s)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (re *Regexp) whole() *regexp.Regexp {
	re.mu.Lock()
	defer re.mu.Unlock()
	if re.plain[reWhole] == nil { // what compiles alone compiles with anchors
		re.plain[reWhole] = regexp.MustCompile(`\A(?:` + re.plain[reSearch].String() + `)\z`)
	}
	return re.plain[reWhole]
}

// backtracker is the pattern for the engine that can do everything.
func (re *Regexp) backtracker(mode reMode) (*regexp2.Regexp, error) {
	re.mu.Lock()
	defer re.mu.Unlock()
	if re.full[mode] != nil {
		return re.full[mode], nil
	}
	text := emitRegexp(re.tree, true)
	switch mode {
	case reWhole:
		text = `\G(?:` + text + `)\z`
	case reStart:
		text = `\G(?:` + text + `)`
	case reAdvance:
		text = `(?:` + text + `)(?!\G)`
	}
	c, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("regular expression %s: %w", repr(re.expr), err)
	}
	c.MatchTimeout = re.limit
	re.full[mode] = c
	return c, nil
}

// reText is a text that is searched: its code points, and where they begin.
type reText struct {
	runes   []rune
	offsets []int // nil for ASCII
	bytes   int
}

func newReText(s string) *reText {
	t := &reText{runes: []rune(s), bytes: len(s)}
	if !isASCII(s) {
		t.offsets = make([]int, 0, len(t.runes)+1)
		for i := range s {
			t.offsets = append(t.offsets, i)
		}
		t.offsets = append(t.offsets, len(s))
	}
	return t
}

func (t *reText) byteAt(i int) int {
	if t.offsets == nil {
		return i
	}
	return t.offsets[i]
}

// runeAt is the code point that begins at byte b.
func (t *reText) runeAt(b int) int {
	if t.offsets == nil {
		return b
	}
	lo, hi := 0, len(t.offsets)-1
	for lo < hi {
		if mid := (lo + hi) / 2; t.offsets[mid] < b {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (t *reText) find(re *Regexp, mode reMode, from int) ([]int, error) {
	c, err := re.backtracker(mode)
	if err != nil {
		return nil, err
	}
	m, err := c.FindRunesMatchStartingAt(t.runes, t.runeAt(from))
	if err != nil {
		return nil, fmt.Errorf("regular expression %s: the search takes longer than %s: %w", repr(re.expr), re.limit, errSlowRegexp)
	}
	if m == nil {
		return nil, nil
	}
	out := make([]int, 0, 2*re.groups+2)
	for _, g := range m.Groups() {
		if len(g.Captures) == 0 {
			out = append(out, -1, -1)
			continue
		}
		out = append(out, t.byteAt(g.Index), t.byteAt(g.Index+g.Length))
	}
	return out, nil
}

// errSlowRegexp is the cause of an error about a search that was given up.
var errSlowRegexp = errors.New("it tries too many ways to match (nested repetitions?)")
